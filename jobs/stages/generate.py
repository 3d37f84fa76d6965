"""Generate: the corpus of a run, as rows of `steps` and `documents`, and the run's own row."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel

from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.run.context import Run
from jobs.run.reading import read_vocabulary
from pipeline.storage.shards import write_shard
from schemas.corpus import DOCUMENTS, STEPS
from schemas.manifest import StoredObject
from schemas.runs import RUNS
from schemas.stages import WHOLE

VERSIONED = ("torch", "numpy", "pyarrow", "ray", "duckdb")


def units(run: Run) -> list[Unit[BaseModel]]:
    """One unit; a piece for some thousand sequences of a task, or some million characters of a text."""
    made = run.source.pieces()
    characters = run.vocabulary().characters
    settings: dict[str, object] = {
        "characters": list(characters) if run.network else "".join(characters),
        "bounds": made.bounds,  # the first sequence of each shard, and the end of the last
    }
    return [Unit(WHOLE, settings, reads=[], pieces=made.arguments, sizes=[float(n) for n in made.sequences])]


def work(piece: Piece[BaseModel]) -> list[StoredObject]:
    """Shards of `steps` and `documents`; the first piece writes the row of `runs` too."""
    run, objects = piece.run, []
    for shard in run.source.shards(piece.arguments, read_vocabulary(run)):
        partition = {"run": run.id, "split": shard.split}
        for table, rows in ((STEPS, shard.steps), (DOCUMENTS, shard.documents)):
            if rows is not None:
                objects.append(write_shard(run.folder, table, partition, shard.number, [rows], piece.fingerprint))
    if piece.index == 0:
        objects.append(write_shard(run.folder, RUNS, {"run": run.id}, 0, [_run_row(run)], piece.fingerprint))
    return objects


STAGE = Stage("generate", units, each(work), measure="sequences")


def _run_row(run: Run) -> pa.Table:
    row = {
        "experiment": run.experiment.name,
        "fingerprint": run.id.rsplit("-", 1)[1],
        "created": datetime.now(UTC),
        "git_commit": _git_commit(),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}}
        ),
        "config": json.dumps(run.identity.record.experiment),
    }
    return pa.Table.from_pylist([row], RUNS.schema)


def _git_commit() -> str | None:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
