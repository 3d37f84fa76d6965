"""Generate: the corpus of a run, as rows of `steps`, and the run's own row."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from jobs.context import Run
from jobs.publish import Piece, Stage, Unit
from pipeline.corpus.rows import sequences_of, split_range, step_rows
from pipeline.storage.manifests import read_plan
from pipeline.storage.shards import read_shards, write_shard
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS, STEPS
from schemas.manifest import StoredObject
from schemas.runs import RUNS
from schemas.stages import WHOLE

SEQUENCES_PER_SHARD = 4096
VERSIONED = ("torch", "numpy", "pyarrow", "ray", "duckdb")


def units(run: Run) -> list[Unit]:
    """One unit, a piece for every few thousand sequences of a split."""
    corpus = run.experiment.corpus
    pieces: list[dict[str, object]] = []
    for split in SPLITS:
        numbers = split_range(corpus, split)
        for index, start in enumerate(range(numbers.start, numbers.stop, SEQUENCES_PER_SHARD)):
            stop = min(start + SEQUENCES_PER_SHARD, numbers.stop)
            pieces.append({"split": split, "shard": index, "start": start, "stop": stop})
    characters = run.vocabulary().characters
    settings: dict[str, object] = {"characters": list(characters) if run.imported else "".join(characters)}
    sizes = [float(str(piece["stop"])) - float(str(piece["start"])) for piece in pieces]
    return [Unit(WHOLE, settings, reads=[], pieces=pieces, sizes=sizes)]


def work(piece: Piece) -> list[StoredObject]:
    """One shard of `steps`; the first piece writes the row of `runs` too."""
    run, arguments = piece.run, piece.arguments
    start, stop, shard = (int(str(arguments[name])) for name in ("start", "stop", "shard"))
    rows = step_rows(run.task(), vocabulary_of(run), run.experiment.corpus.seed, range(start, stop))
    partition = {"run": run.id, "split": arguments["split"]}
    objects = [write_shard(run.folder, STEPS, partition, shard, [rows], piece.fingerprint)]
    if piece.index == 0:
        objects.append(write_shard(run.folder, RUNS, {"run": run.id}, 0, [_run_row(run)], piece.fingerprint))
    return objects


STAGE = Stage("generate", units, work, measure="sequences")


def vocabulary_of(run: Run) -> Vocabulary:
    """What the tokens of a run stand for: the train split's characters, or an imported network's own."""
    if run.imported:
        return run.vocabulary()
    plan = read_plan(run.folder, run.id, "generate", WHOLE)
    if plan is None:
        run.manifest("generate", WHOLE)  # raises the error that says what to type
        raise AssertionError
    return Vocabulary(str(plan.settings["characters"]))


def step_shards(run: Run, split: str) -> list[StoredObject]:
    """The shards of a split, in the order of their sequences."""
    prefix = f"steps/run={run.id}/split={split}/"
    manifest = run.manifest("generate", WHOLE)
    return sorted((o for o in manifest.objects if o.path.startswith(prefix)), key=lambda o: o.path)


def read_sequences(run: Run, split: str, start: int = 0, stop: int | None = None) -> Sequences:
    """Sequences start to stop of a split, counted from its first; only the shards that hold them are read."""
    shards = step_shards(run, split)
    size = len(split_range(run.experiment.corpus, split))
    stop = size if stop is None else min(stop, size)
    first, last = start // SEQUENCES_PER_SHARD, (stop - 1) // SEQUENCES_PER_SHARD
    rows = read_shards(run.folder, shards[first : last + 1], ["sequence", "token", "determined"])
    before = first * SEQUENCES_PER_SHARD
    return sequences_of(rows).take(start - before, stop - before)


def _run_row(run: Run) -> pa.Table:
    row = {
        "experiment": run.experiment.name,
        "fingerprint": run.id.rsplit("-", 1)[1],
        "created": datetime.now(UTC),
        "git_commit": _git_commit(),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}}
        ),
        "config": run.experiment.model_dump_json(),
    }
    return pa.Table.from_pylist([row], RUNS.schema)


def _git_commit() -> str | None:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
