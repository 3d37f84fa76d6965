"""Resuming: a stage that lacks its manifest alone, and one that is complete, by number of shards."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pydantic import BaseModel

from jobs.driver.publish import publish
from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.run.context import Run
from jobs.run.opening import note_run, open_run
from jobs.runners.local import LocalRunner
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import prepare_lake, record_path, unit_folder
from pipeline.storage.sealed import seal
from pipeline.storage.shards import write_shard
from schemas.manifest import Record, StoredObject
from schemas.parse import parse_experiment
from schemas.scores import ANNOTATIONS
from schemas.stages import WHOLE
from tests.benchmarks.measure import Theme, number
from tests.counting import Requests, counting_proxy
from tests.s3 import BUCKET, moto_server, s3_environment


class Sizes(NamedTuple):
    """How much is measured."""

    local: tuple[int, ...]  # shards
    s3: tuple[int, ...]


FULL, QUICK = Sizes((1_000, 10_000, 30_000), (1_000, 10_000)), Sizes((10,), (10,))


def run(*, quick: bool) -> Theme:
    """Both stores, each with every number of shards."""
    sizes = QUICK if quick else FULL
    rows: list[tuple[str, ...]] = []
    raw: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        for shards in sizes.local:
            seconds = _measured(f"{temporary}/{shards}", shards)
            rows.append((f"disk, {shards:,}", *(number(s) for s in seconds), "–", "–"))
            raw[f"disk {shards}"] = seconds
        server = stack.enter_context(moto_server())
        proxy = stack.enter_context(counting_proxy(server, Path(temporary)))
        stack.enter_context(s3_environment(proxy.endpoint))
        for shards in sizes.s3:
            counts: list[int] = []
            count = partial(_count, proxy, counts)
            seconds = _measured(f"s3://{BUCKET}/resuming-{shards}", shards, count)
            counts = counts[1:]  # without those of the setting up
            rows.append((f"S3, {shards:,}", *(number(s) for s in seconds), *(f"{count:,}" for count in counts)))
            raw[f"S3 {shards}"] = {"seconds": seconds, "requests": counts}
    return Theme(
        title="Resuming",
        method=(
            "One unit with this many finished shards. To finish: every record is read, every shard listed and its "
            "rows read back from its footer, and the manifest written. Complete: the same call again. S3 is moto, "
            "in this process, behind a proxy that counts requests; most of the time is the server's."
        ),
        header=("shards", "to finish, s", "complete, s", "requests to finish", "requests when complete"),
        rows=rows,
        notes=["Goal: linear at worst, and under 10 s for 10,000 shards on a disk."],
        raw=raw,
    )


class Number(BaseModel):
    """A piece."""

    piece: int


def _count(proxy: Requests, counts: list[int]) -> None:
    counts.append(len(proxy.take()))


def _measured(root: str, shards: int, between: Callable[[], object] = lambda: None) -> list[float]:
    run, stage = _finished(root, shards)
    between()
    found = []
    for _ in range(2):
        started = time.perf_counter()
        publish(run, stage, LocalRunner())
        found.append(time.perf_counter() - started)
        between()
    return found


def _finished(root: str, shards: int) -> tuple[Run, Stage[Number]]:
    """A run that has all of a stage's shards and records, put there without care, and no manifest."""
    experiment = parse_experiment({"name": "resuming", "task": {"name": "counting", "maximum": 4}}, "resuming")
    run = open_run(experiment, root)
    prepare_lake(run.folder)
    note_run(run)
    unit = Unit(WHOLE, {}, [], [Number(piece=index) for index in range(shards)])

    def refuse(piece: Piece[Number]) -> list[StoredObject]:
        raise AssertionError(piece)

    stage = Stage("annotate", lambda _: [unit], each(refuse), measure="shards")
    plan = unit.plan(run, stage.name)
    folder = run.folder
    folder.create(f"{unit_folder(run.id, stage.name, WHOLE)}/plan.json", seal(plan))
    partition = {"run": run.id, "hypothesis": "none"}
    rows = pa.table({"sequence": [0], "step": [0], "value": [0.0], "category": [None]}, ANNOTATIONS.schema)
    first = write_shard(folder, ANNOTATIONS, partition, 0, [rows], plan.fingerprint)
    data = folder.read(first.path)
    for index in range(shards):
        stored = first.model_copy(update={"path": ANNOTATIONS.shard_path(partition, index)})
        record = Record(piece=index, fingerprint=plan.fingerprint, objects=(stored,))
        _put(folder, stored.path, data)
        _put(folder, record_path(run.id, stage.name, WHOLE, index), seal(record))
    return run, stage


def _put(folder: Folder, path: str, data: bytes) -> None:
    if not folder.is_local:
        folder.replace(path, data)
        return
    place = Path(folder.address(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
