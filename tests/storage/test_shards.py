from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.storage.folder import Folder
from pipeline.storage.shards import count_rows, describe, read_shards, read_verified, write_shard
from schemas.activations import ACTIVATIONS
from schemas.errors import StorageError
from schemas.manifest import Manifest, Plan, Record, StoredObject
from schemas.signals import SIGNALS

PARTITION = {"run": "r-1", "model": "m", "checkpoint": 0, "layer": 0}


def rows(count: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    keys = {name: np.arange(count, dtype=np.int32) for name in ("neuron", "sequence", "step", "token")}
    values = {name: random.normal(size=count).astype(np.float32) for name in SIGNALS[:6]}
    nothing = {name: pa.nulls(count, pa.float32()) for name in SIGNALS[6:]}
    return pa.table(keys | values | nothing, schema=ACTIVATIONS.schema)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def test_a_shard_comes_back_and_is_described(folder: Folder) -> None:
    tables = [rows(10, 1), rows(7, 2)]
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 2, iter(tables), "plan1")
    assert stored.path == "activations/run=r-1/model=m/checkpoint=0/layer=0/part-00002.parquet"
    assert stored.rows == count_rows(folder, stored.path, folder.read(stored.path)) == 17
    assert stored == describe(folder, stored.path, "activations")
    assert read_shards(folder, [stored], ACTIVATIONS.schema.names) == pa.concat_tables(tables)
    assert pq.read_metadata(folder.address(stored.path)).num_row_groups == 2


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (
        write_shard(Folder(str(tmp_path / name)), ACTIVATIONS, PARTITION, 0, [rows(1000)], "plan1")
        for name in ("a", "b")
    )
    assert one == other


def test_the_first_writer_wins(folder: Folder) -> None:
    first = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10, 1)], "plan1")
    late = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(12, 2)], "plan1")
    assert late == first
    assert read_shards(folder, [first], ["input_gate"])["input_gate"] == rows(10, 1)["input_gate"]


def test_a_shard_of_another_plan_is_never_taken_for_ones_own(folder: Folder) -> None:
    write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10, 1)], "plan1")
    with pytest.raises(StorageError, match=r"part-00000\.parquet was written under another plan: type --replace"):
        write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10, 1)], "plan2")


def test_changed_bytes_stop_with_their_name(folder: Folder, tmp_path: Path) -> None:
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10)], "plan1")
    path = tmp_path / stored.path
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"part-00000\.parquet has changed since it was written"):
        read_verified(folder, stored)
    path.write_bytes(data[:50])
    with pytest.raises(StorageError, match=r"part-00000\.parquet is not a whole Parquet file"):
        count_rows(folder, stored.path, folder.read(stored.path))


def test_an_error_while_writing_leaves_nothing(folder: Folder) -> None:
    def broken() -> Iterator[pa.Table]:
        yield rows(10)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_shard(folder, ACTIVATIONS, PARTITION, 0, broken(), "plan1")
    assert folder.list() == []


OBJECTS = st.builds(
    StoredObject,
    path=st.text(min_size=1),
    table=st.none() | st.sampled_from(["steps", "activations"]),
    rows=st.integers(0),
    bytes=st.integers(0),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
PLANS = st.builds(
    Plan,
    stage=st.text(),
    unit=st.text(),
    fingerprint=st.text(),
    settings=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none()),
    pieces=st.integers(0),
)


@given(PLANS, st.lists(OBJECTS, max_size=4), st.integers(0))
def test_records_and_manifests_come_back_as_they_were(plan: Plan, objects: list[StoredObject], piece: int) -> None:
    manifest = Manifest(format_version=1, plan=plan, objects=tuple(objects))
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    record = Record(piece=piece, fingerprint=plan.fingerprint, objects=tuple(objects))
    assert Record.model_validate_json(record.model_dump_json()) == record
