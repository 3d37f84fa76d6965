from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from pipeline.storage import shards
from pipeline.storage.folder import Folder
from pipeline.storage.shards import (
    adopt,
    commit,
    count_rows,
    describe,
    describe_whole,
    read_shards,
    read_verified,
    row_counts,
    write_shard,
)
from pipeline.storage.whole import weights_are_whole, weights_with_digest
from schemas.activations import ACTIVATIONS
from schemas.errors import StorageError
from schemas.fingerprint import blake3_of
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


def test_each_column_is_encoded_as_its_kind_packs_best(folder: Folder) -> None:
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(100)], "plan1")
    footer = pq.read_metadata(folder.address(stored.path))
    columns = [footer.row_group(0).column(place) for place in range(footer.num_columns)]
    encodings = {column.path_in_schema: set(column.encodings) - {"RLE", "PLAIN"} for column in columns}
    assert {encodings[name].pop() for name in ("neuron", "token")} == {"RLE_DICTIONARY"}
    assert {encodings[name].pop() for name in SIGNALS} == {"BYTE_STREAM_SPLIT"}
    assert not any(encodings.values())
    assert {column.compression for column in columns} == {"ZSTD"}
    assert set(footer.metadata) == {b"unrolled.plan", b"unrolled.blake3"}, "no copy of the schema"


def test_a_shard_may_have_no_rows(folder: Folder) -> None:
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(0)], "plan1")
    assert stored.rows == 0
    assert read_shards(folder, [stored], ["step"]).num_rows == 0
    assert read_shards(folder, [stored], ["step"]).column_names == ["step"]


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
    assert (late.table, late.rows) == ("activations", 10)
    assert read_shards(folder, [first], ["input_gate"])["input_gate"] == rows(10, 1)["input_gate"]


def test_a_shard_of_another_plan_is_never_taken_for_ones_own(folder: Folder) -> None:
    write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10, 1)], "plan1")
    with pytest.raises(
        StorageError, match=r"part-00000\.parquet was written under another plan: type --replace dump$"
    ):
        write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10, 1)], "plan2")


@pytest.mark.parametrize("place", ["start", "values", "statistics", "plan", "digest", "length", "end"])
def test_what_has_rotted_is_not_adopted(folder: Folder, tmp_path: Path, place: str) -> None:
    """Between a shard and its record, when nothing else tells its digest."""
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(100)], "plan1")
    path = tmp_path / stored.path
    data = bytearray(path.read_bytes())
    places = {"start": 1, "values": 700, "length": -7, "end": -1}
    places |= {"plan": data.index(b"plan1"), "digest": data.index(b"unrolled.blake3") + 40}
    data[places.get(place, len(data) - 1500)] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(StorageError, match=rf"{path} is damaged .*: remove that file alone, and type the command"):
        write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(100)], "plan1")
    with pytest.raises(StorageError, match="is damaged"):
        describe_whole(folder, stored.path, "activations")
    path.unlink()
    assert write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(100)], "plan1") == stored
    assert describe_whole(folder, stored.path, "activations") == stored


def test_changed_bytes_stop_with_their_name(folder: Folder, tmp_path: Path) -> None:
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10)], "plan1")
    path = tmp_path / stored.path
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError) as changed:
        read_verified(folder, stored)
    assert str(changed.value) == (
        f"{path} has changed since it was written (its digest does not match): "
        "type the command that began it, with --replace dump to make it again"
    )
    path.write_bytes(data[:50])
    with pytest.raises(StorageError, match=r"part-00000\.parquet is not a whole Parquet file"):
        count_rows(folder, stored.path, folder.read(stored.path))


def test_a_shard_that_is_gone_is_missed_by_name(folder: Folder) -> None:
    stored = write_shard(folder, ACTIVATIONS, PARTITION, 0, [rows(10)], "plan1")
    folder.remove(stored.path)
    with pytest.raises(StorageError) as gone:
        read_verified(folder, stored)
    assert str(gone.value) == (
        f"{folder.address(stored.path)} is missing: "
        "type the command that began it, with --replace dump to make it again"
    )


@pytest.mark.parametrize("arrived", [[b"wrong", b"right"], [b"wrong", b"wrong", b"right"]])
def test_bytes_that_do_not_match_are_read_once_more(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, arrived: list[bytes]
) -> None:
    stored = commit(folder, "steps/one", b"right")
    rest = iter(arrived)
    monkeypatch.setattr(folder, "read_if_there", lambda _: next(rest))
    if len(arrived) == 2:
        assert read_verified(folder, stored) == b"right"
    else:
        with pytest.raises(StorageError, match="has changed since it was written"):
            read_verified(folder, stored)


def test_a_committed_file_is_described_as_the_first_writer_left_it(folder: Folder) -> None:
    first = commit(folder, "checkpoints/one", b"abc")
    assert first == StoredObject(
        path="checkpoints/one",
        table=None,
        rows=0,
        bytes=3,
        blake3="6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    )
    assert commit(folder, "checkpoints/one", b"abc") == first
    with pytest.raises(StorageError, match=r"checkpoints/one is damaged .* remove that file alone"):
        commit(folder, "checkpoints/one", b"later")


def test_weights_that_another_machine_rounded_otherwise_are_kept(folder: Folder) -> None:
    ours, theirs = (weights_with_digest(save({"a": np.full(9, value)})) for value in (1.0, 1.0 + 1e-15))
    first = commit(folder, "checkpoints/model.safetensors", theirs)
    assert commit(folder, "checkpoints/model.safetensors", ours) == first
    assert adopt(folder, "checkpoints/model.safetensors", ours) == first
    assert first.blake3 == blake3_of(theirs)
    assert load(theirs)["a"].tolist() == [1.0 + 1e-15] * 9


def test_weights_that_have_rotted_are_not_adopted(folder: Folder) -> None:
    """Any bit of them; the name and zeros of the digest included."""
    weights = weights_with_digest(save({"a": np.arange(3.0), "b": np.ones(2)}))
    assert weights_are_whole(weights)
    for at in range(len(weights)):
        rotten = bytearray(weights)
        rotten[at] ^= 1 << at % 8
        assert not weights_are_whole(bytes(rotten)), at
    folder.create("checkpoints/model.safetensors", bytes(rotten))
    other = weights_with_digest(save({"a": np.arange(3.0), "b": np.zeros(2)}))
    with pytest.raises(StorageError, match=r"model\.safetensors is damaged"):
        adopt(folder, "checkpoints/model.safetensors", other)
    assert not weights_are_whole(save({"a": np.ones(2)}))
    assert not weights_are_whole(b"")


@pytest.mark.parametrize("tail", [8, 500, 1_000_000])
def test_rows_of_many_shards_are_counted_from_their_ends(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tail: int
) -> None:
    """Two at a time; a footer that is longer than what was read is read as a whole, and no byte more."""
    stored = [write_shard(folder, ACTIVATIONS, PARTITION, n, [rows(10 + n)], "plan1") for n in range(3)]
    sizes = {shard.path: shard.bytes for shard in stored}
    ends = {path: int.from_bytes(folder.read(path)[-8:-4], "little") + 8 for path in sizes}
    asked: list[dict[str, tuple[int, int | None]]] = []
    read_parts = folder.read_parts

    def noted(parts: dict[str, tuple[int, int | None]]) -> dict[str, bytes]:
        asked.append(parts)
        return read_parts(parts)

    monkeypatch.setattr(shards, "_TAIL", tail)
    monkeypatch.setattr(shards, "_TAILS", 2)
    monkeypatch.setattr(folder, "read_parts", noted)
    assert list(row_counts(folder, sizes)) == [(shard.path, 10 + n) for n, shard in enumerate(stored)]
    a, b, c = sizes
    first = {path: (max(0, sizes[path] - tail), None) for path in sizes}
    again = [{path: (sizes[path] - ends[path], None)} for path in sizes if tail < ends[path]]
    expected = [{a: first[a], b: first[b]}, *again[:2], {c: first[c]}, *again[2:]]
    assert asked == expected


def test_rows_of_a_damaged_shard_are_not_counted(folder: Folder) -> None:
    folder.create("steps/one", b"no shard")
    told = f"{folder.address('steps/one')} is not a whole Parquet file"
    with pytest.raises(StorageError, match=told):
        list(row_counts(folder, {"steps/one": 8}))
    with pytest.raises(StorageError, match=told):
        describe(folder, "steps/one", "steps")


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
    blake3=st.text("0123456789abcdef", min_size=64, max_size=64),
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
