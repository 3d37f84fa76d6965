import resource
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dumping.precision import round_mantissa
from pipeline.storage.folder import Folder
from pipeline.storage.local import TEMPORARY
from pipeline.storage.shards import count_rows, describe, describe_whole, read_shards, write_shard
from pipeline.storage.thrift import varint
from pipeline.storage.tiles import TileWriter, read_tiles
from schemas.activations import ACTIVATIONS
from schemas.errors import StorageError
from schemas.manifest import StoredObject
from schemas.signals import SIGNALS
from schemas.tile import Steps, Tile
from tests.tile_rows import tile_rows

PARTITION = {"run": "r-1", "model": "m", "checkpoint": 0, "layer": 0}
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, 3.4e38], np.float32)


def steps_of(lengths: Sequence[int], first: int = 0) -> Steps:
    step = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
    numbers = np.arange(first, first + len(lengths), dtype=np.int32)
    return Steps(np.repeat(numbers, lengths), step, (step * 7 % 5).astype(np.int32))


def tile(
    steps: Steps,
    neurons: int = 3,
    first: int = 0,
    names: Sequence[str] = SIGNALS[:6],
    seed: int = 0,
    odd: float = 0,
) -> Tile:
    random = np.random.default_rng(seed)
    shape = neurons, len(steps.step)
    signals = {name: random.normal(size=shape).astype(np.float32) for name in names}
    for values in signals.values():
        values[random.random(shape) < odd] = random.choice(ODD)
    return Tile(first, steps, signals)


def write(folder: Folder, tiles: Sequence[Tile], plan: str = "plan1") -> StoredObject:
    with TileWriter(folder, ACTIVATIONS, PARTITION, 0, plan) as writer:
        for each in tiles:
            writer.append(writer.pack(each))
    return writer.stored


def bits(table: pa.Table) -> dict[str, list[int | None]]:
    """Floats as their bits: NaN is itself, and the zeros are two."""
    return {
        name: [
            None if value is None else int(np.float32(value).view(np.uint32)) for value in table[name].to_pylist()
        ]
        if name in SIGNALS
        else table[name].to_pylist()
        for name in table.schema.names
    }


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


@given(st.data())
def test_every_reader_gets_every_bit(data: st.DataObject) -> None:
    lengths = st.lists(st.integers(1, 40), min_size=1, max_size=5)
    blocks = [steps_of(data.draw(lengths), 10 * block) for block in range(data.draw(st.integers(1, 3)))]
    names = data.draw(st.lists(st.sampled_from(SIGNALS), min_size=1, unique=True))
    odd = data.draw(st.sampled_from([0, 0.1, 0.5, 1]))
    tiles = [
        tile(steps, data.draw(st.integers(1, 9)), first, names, data.draw(st.integers(0, 9)), odd)
        for steps in blocks
        for first in (0, 300)
    ]
    rows = pa.concat_tables([tile_rows(each) for each in tiles])
    with TemporaryDirectory() as root:
        folder = Folder(root)
        stored = write(folder, tiles)
        path = folder.address(stored.path)
        read = pq.ParquetFile(path).read()
        asked = duckdb.sql(f"select * from read_parquet('{path}', hive_partitioning = false)").to_arrow_table()
        framed = pl.read_parquet(path, hive_partitioning=False).to_arrow()
    assert read.schema == ACTIVATIONS.schema
    assert bits(read) == bits(asked) == bits(framed) == bits(rows)


def test_a_large_tile_comes_back(folder: Folder) -> None:
    """Levels, sizes and offsets of more than a byte; a list of row groups of more than 15."""
    blocks = [steps_of([700, 6000], first) for first in (0, 2, 4)]
    tiles = [tile(steps, 8, first, seed=first) for steps in blocks for first in range(0, 48, 8)]
    stored = write(folder, tiles)
    path = folder.address(stored.path)
    rows = pa.concat_tables([tile_rows(each) for each in tiles])
    assert read_shards(folder, [stored], ACTIVATIONS.schema.names).equals(rows)
    names = ", ".join(ACTIVATIONS.schema.names)
    assert duckdb.sql(f"select {names} from read_parquet('{path}')").to_arrow_table().equals(rows)
    assert stored.rows == count_rows(folder, stored.path, folder.read(stored.path)) == len(rows)


def test_tiles_are_read_as_they_were_written(folder: Folder) -> None:
    """Those of a block share their steps, so that what is worked out of them is worked out once."""
    blocks = [steps_of([50, 13], first) for first in (0, 2)]
    tiles = [tile(steps, 8 - first // 8, first, SIGNALS[:2], first) for steps in blocks for first in (0, 8)]
    stored = write(folder, tiles)
    read = list(read_tiles(folder, stored, SIGNALS[1:3]))
    assert [each.first_neuron for each in read] == [0, 8, 0, 8]
    assert read[0].steps is read[1].steps
    assert read[1].steps is not read[2].steps
    for mine, theirs in zip(tiles, read, strict=True):
        assert mine.steps.are(theirs.steps)
        assert set(theirs.signals) == {SIGNALS[1]}, "what was not asked for or never written is not there"
        np.testing.assert_array_equal(theirs.signals[SIGNALS[1]], mine.signals[SIGNALS[1]])


def test_bounds_are_those_of_the_values(folder: Folder) -> None:
    known, unknown, zeros = (tile(steps_of([5, 2], 7), 3, 40, seed=seed) for seed in range(3))
    unknown.signals["candidate"][1, 2] = np.nan
    zeros.signals["candidate"][:] = 0.0
    path = folder.address(write(folder, [known, unknown, zeros]).path)
    footer = pq.read_metadata(path)
    found = []
    for place in range(3):
        group = footer.row_group(place)
        chunks = [group.column(column) for column in range(group.num_columns)]
        found.append({chunk.path_in_schema: chunk.statistics for chunk in chunks})
        assert group.total_byte_size == sum(chunk.total_uncompressed_size for chunk in chunks)
    assert (found[0]["neuron"].min, found[0]["neuron"].max) == (40, 42)
    assert (found[0]["sequence"].min, found[0]["sequence"].max) == (7, 8)
    values = known.signals["candidate"]
    assert (found[0]["candidate"].min, found[0]["candidate"].max) == (values.min(), values.max())
    assert not found[1]["candidate"].has_min_max
    assert np.signbit(found[2]["candidate"].min)
    assert not np.signbit(found[2]["candidate"].max)
    assert (found[0][SIGNALS[5]].null_count, found[0][SIGNALS[6]].null_count) == (0, 21)
    assert not found[0][SIGNALS[7]].has_min_max


@pytest.mark.parametrize(
    ("kind", "encoding", "least", "most"),
    [
        ("zeros", "BYTE_STREAM_SPLIT", 0, 0.01),
        ("noise", "PLAIN", 4, 4.01),  # its exponents would pack to a half, an eighth of the whole
        ("rounded", "BYTE_STREAM_SPLIT", 1, 2),
        ("repeated", "BYTE_STREAM_SPLIT", 0, 0.5),
    ],
)
def test_values_are_packed_where_that_saves_a_third(
    folder: Folder, kind: str, encoding: str, least: float, most: float
) -> None:
    made = np.random.default_rng(0).normal(size=(8, 2000)).astype(np.float32)
    if kind == "zeros":
        made[:] = 0
    elif kind == "rounded":
        made = round_mantissa(made, "half")
    elif kind == "repeated":
        made = np.tile(made[:, :20], (1, 100))
    stored = write(folder, [Tile(0, steps_of([2000]), {"hidden_state": made})])
    chunks = pq.read_metadata(folder.address(stored.path)).row_group(0)
    columns = [chunks.column(place) for place in range(chunks.num_columns)]
    (column,) = (column for column in columns if column.path_in_schema == "hidden_state")
    assert set(column.encodings) - {"RLE"} == {encoding}
    assert least * made.size <= column.total_compressed_size < most * made.size


def test_the_same_tiles_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write(Folder(str(tmp_path / name)), [tile(steps_of([50, 60]))]) for name in ("one", "other"))
    assert one == other


def test_what_is_stored_is_described(folder: Folder) -> None:
    stored = write(folder, [tile(steps_of([9]))])
    assert stored == describe(folder, stored.path, "activations")
    assert pq.read_metadata(folder.address(stored.path)).metadata[b"unrolled.plan"] == b"plan1"
    assert describe_whole(folder, stored.path, "activations") == stored


def test_a_shard_without_tiles_is_a_shard(folder: Folder) -> None:
    stored = write(folder, [])
    assert stored.rows == 0
    assert read_shards(folder, [stored], ["neuron"]).num_rows == 0


def test_the_first_writer_wins_within_a_plan(folder: Folder) -> None:
    first = write(folder, [tile(steps_of([10]))])
    assert write(folder, [tile(steps_of([12]))]) == first
    assert write_shard(folder, ACTIVATIONS, PARTITION, 0, [], "plan1") == first
    with pytest.raises(StorageError, match="written under another plan: type --replace"):
        write(folder, [tile(steps_of([10]))], "plan2")
    assert folder.list(TEMPORARY) == []


def test_an_error_leaves_nothing(folder: Folder) -> None:
    writer = TileWriter(folder, ACTIVATIONS, PARTITION, 0, "plan1")
    with pytest.raises(ValueError, match="stopped"):
        append_and_stop(writer)
    assert folder.list() == []
    with pytest.raises(RuntimeError, match="when its block ends"):
        assert writer.stored


def test_a_disk_that_is_full_from_the_start_keeps_nothing(folder: Folder) -> None:
    writer = TileWriter(folder, ACTIVATIONS, PARTITION, 0, "plan1")
    none, most = 0, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (none, most[1]))
    try:
        with pytest.raises(StorageError, match="File too large"):
            writer.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert not folder.list(TEMPORARY)


def append_and_stop(writer: TileWriter) -> None:
    with writer:
        writer.append(writer.pack(tile(steps_of([10]))))
        raise ValueError("stopped")


def test_a_store_without_links_takes_the_same_bytes(folder: Folder) -> None:
    there = Folder("memory://tiles")
    try:
        assert write(there, [tile(steps_of([30]))]) == write(folder, [tile(steps_of([30]))])
        assert there.list(TEMPORARY) == []
    finally:
        there.remove("")


def test_numbers_of_many_bytes() -> None:
    assert [varint(number) for number in (0, 127, 128, 300)] == [b"\0", b"\x7f", b"\x80\1", b"\xac\2"]
