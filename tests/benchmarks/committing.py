"""Committing: what a shard and its record cost over writing the same bytes without care, on a disk and on S3."""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from pipeline.storage.folder import Folder
from pipeline.storage.sealed import seal
from pipeline.storage.shards import commit
from schemas.manifest import Record
from tests.benchmarks.measure import Theme, alternate, spread
from tests.s3 import BUCKET, moto_server, s3_environment


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    bytes: tuple[int, ...]  # of a shard


FULL, QUICK = Sizes(15, (100_000, 10_000_000, 60_000_000)), Sizes(1, (1_000,))


def run(*, quick: bool) -> Theme:
    """Each size, on both stores."""
    sizes = QUICK if quick else FULL
    rows: list[tuple[str, ...]] = []
    raw: dict[str, object] = {}
    for store, opened in (("disk", _disk), ("S3", _s3)):
        with opened() as folder:
            for size in sizes.bytes:
                times = alternate(_sides(folder, size), sizes.rounds)
                milliseconds = {name: [1000 * t for t in found] for name, found in times.items()}
                raw[f"{store} {size}"] = milliseconds
                more = median(milliseconds["commit and record"]) - median(milliseconds["bare"])
                rows.append(
                    (
                        f"{store}, {size / 1e6:g} MB",
                        *(spread(found) for found in milliseconds.values()),
                        f"{more:.1f}",
                    )
                )
    return Theme(
        title="Committing",
        method=(
            f"Milliseconds per shard of random bytes, {sizes.rounds} alternations. Bare: on disk, a file written "
            "and synced; on S3, one unconditional PUT (moto, in this process). Commit: a temporary name and a "
            "hard link, or a create-only PUT (in parts from 16 MiB), with the digest. Record: the piece's "
            "record as well."
        ),
        header=("shard", "bare", "commit", "commit and record", "more, ms"),
        rows=rows,
        notes=["The digest (BLAKE3) is part of the commit: about 0.6 ms per megabyte."],
        raw=raw,
    )


def _sides(folder: Folder, size: int) -> dict[str, Callable[[], object]]:
    data = np.random.default_rng(0).bytes(size)
    record = Record(piece=0, fingerprint="00000000", objects=())

    def bare() -> None:
        name = uuid.uuid4().hex
        if not folder.is_local:
            folder.replace(name, data)
            return
        with Path(folder.address(name)).open("wb") as file:
            file.write(data)
            os.fsync(file.fileno())

    def committed() -> None:
        commit(folder, f"t/{uuid.uuid4().hex}", data)

    def recorded() -> None:
        committed()
        folder.create(f"r/{uuid.uuid4().hex}", seal(record))

    return {"bare": bare, "commit": committed, "commit and record": recorded}


@contextmanager
def _disk() -> Iterator[Folder]:
    with tempfile.TemporaryDirectory() as root:
        yield Folder(root)


@contextmanager
def _s3() -> Iterator[Folder]:
    with moto_server() as endpoint, s3_environment(endpoint):
        yield Folder(f"s3://{BUCKET}/committing")
