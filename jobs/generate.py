"""Generate: the corpus of a run, as rows of `steps`, and the run's own row."""

import json
import platform
import subprocess
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from jobs.context import Run
from jobs.publish import Piece, Stage, Unit
from jobs.texts import read_text, text_vocabulary
from pipeline.corpus.gathering import Gathering
from pipeline.corpus.pieces import SEQUENCES_PER_SHARD, piece_of, plan_pieces
from pipeline.corpus.rows import split_range, step_rows
from pipeline.storage.manifests import read_plan
from pipeline.storage.shards import read_shards, write_shard
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import DOCUMENTS, SPLITS, STEPS
from schemas.experiment import CorpusSettings
from schemas.manifest import StoredObject
from schemas.runs import RUNS
from schemas.stages import WHOLE
from schemas.table import Table
from schemas.task_settings import TextSettings

VERSIONED = ("torch", "numpy", "pyarrow", "ray", "duckdb")


def units(run: Run) -> list[Unit]:
    """One unit; a piece for some thousand sequences of a task, or some million characters of a text."""
    if run.text:
        planned, bounds = plan_pieces(run.survey(), run.division(), run.text.window)
        pieces = [piece.model_dump(mode="json") for piece in planned]
        sizes = [float(piece.sequences) for piece in planned]
    else:
        pieces, bounds = _task_pieces(run.experiment.corpus)
        sizes = [float(str(piece["stop"])) - float(str(piece["start"])) for piece in pieces]
    characters = run.vocabulary().characters
    settings: dict[str, object] = {
        "characters": list(characters) if run.imported else "".join(characters),
        "bounds": bounds,  # the first sequence of each shard, and the end of the last
    }
    return [Unit(WHOLE, settings, reads=[], pieces=pieces, sizes=sizes)]


def work(piece: Piece) -> list[StoredObject]:
    """Shards of `steps` and `documents`; the first piece writes the row of `runs` too."""
    run = piece.run
    objects = _text_objects(piece, run.text) if run.text else [_task_object(piece)]
    if piece.index == 0:
        objects.append(write_shard(run.folder, RUNS, {"run": run.id}, 0, [_run_row(run)], piece.fingerprint))
    return objects


STAGE = Stage("generate", units, work, measure="sequences")


def vocabulary_of(run: Run) -> Vocabulary:
    """What the tokens of a run stand for: the task's or text's characters, or an imported network's own."""
    if run.imported:
        return run.vocabulary()
    plan = read_plan(run.folder, run.id, "generate", WHOLE)
    if plan is None:
        run.manifest("generate", WHOLE)  # raises the error that says what to type
        raise AssertionError
    characters = str(plan.settings["characters"])
    return text_vocabulary(run.text, characters) if run.text else Vocabulary(characters)


def step_shards(run: Run, split: str) -> list[StoredObject]:
    """The shards of a split, in the order of their sequences."""
    return _shards(run, STEPS, split)


def document_shards(run: Run, split: str) -> list[StoredObject]:
    """The documents of those shards, one by one; none for a task that is no text."""
    return _shards(run, DOCUMENTS, split)


def read_sequences(run: Run, split: str, start: int = 0, stop: int | None = None) -> Sequences:
    """Sequences start to stop of a split, counted from its first; only the shards that hold them are read."""
    bounds = _bounds(run, split)
    size = bounds[-1] - bounds[0]
    stop = size if stop is None else min(stop, size)
    first = bisect_right(bounds, bounds[0] + start) - 1
    last = bisect_left(bounds, bounds[0] + stop)
    shards = step_shards(run, split)[first:last]
    gathered = Gathering(sum(shard.rows for shard in shards))
    for shard in shards:
        gathered.add(read_shards(run.folder, [shard], ["sequence", "token", "determined"]))
    before = bounds[first] - bounds[0]
    return gathered.sequences().take(start - before, stop - before)


def some_rows(run: Run, vocabulary: Vocabulary, split: str, most: int) -> pa.Table:
    """The rows of `steps` of a split's first sequences, made anew, whether or not the lake has them."""
    numbers = split_range(run.experiment.corpus, split)[:most]
    if not run.text:
        return step_rows(run.task(), vocabulary, run.experiment.corpus.seed, numbers)
    pieces, _ = plan_pieces(run.survey(), run.division(), run.text.window)
    tables = []
    for shard in chain.from_iterable(read_text(run.text, p, vocabulary) for p in pieces if split in p.parts):
        if shard.split == split:
            tables.append(shard.steps)
            if shard.steps["sequence"][-1].as_py() >= numbers.stop - 1:
                break
    rows = pa.concat_tables(tables)
    return rows.filter(pc.less(rows["sequence"], numbers.stop))


def _bounds(run: Run, split: str) -> list[int]:
    settings = run.manifest("generate", WHOLE).plan.settings["bounds"]
    assert isinstance(settings, dict)
    return [int(bound) for bound in settings[split]]


def _shards(run: Run, table: Table, split: str) -> list[StoredObject]:
    prefix = f"{table.name}/run={run.id}/split={split}/"
    manifest = run.manifest("generate", WHOLE)
    return sorted((o for o in manifest.objects if o.path.startswith(prefix)), key=lambda o: o.path)


def _task_pieces(corpus: CorpusSettings) -> tuple[list[dict[str, object]], dict[str, list[int]]]:
    """A piece for each shard."""
    pieces: list[dict[str, object]] = []
    bounds = {}
    for split in SPLITS:
        numbers = split_range(corpus, split)
        bounds[split] = [*numbers[::SEQUENCES_PER_SHARD], numbers.stop]
        for index, (start, stop) in enumerate(pairwise(bounds[split])):
            pieces.append({"split": split, "shard": index, "start": start, "stop": stop})
    return pieces, bounds


def _task_object(piece: Piece) -> StoredObject:
    run, arguments = piece.run, piece.arguments
    start, stop, shard = (int(str(arguments[name])) for name in ("start", "stop", "shard"))
    rows = step_rows(run.task(), vocabulary_of(run), run.experiment.corpus.seed, range(start, stop))
    partition = {"run": run.id, "split": arguments["split"]}
    return write_shard(run.folder, STEPS, partition, shard, [rows], piece.fingerprint)


def _text_objects(piece: Piece, settings: TextSettings) -> list[StoredObject]:
    run, objects = piece.run, []
    for shard in read_text(settings, piece_of(piece.arguments), vocabulary_of(run)):
        partition = {"run": run.id, "split": shard.split}
        for table, rows in ((STEPS, shard.steps), (DOCUMENTS, shard.documents)):
            objects.append(write_shard(run.folder, table, partition, shard.number, [rows], piece.fingerprint))
    return objects


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
