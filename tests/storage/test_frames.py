"""Pages in zstd frames with a checksum: the same rows for every reader, and no answer from one that has rotted."""

import io
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.storage.folder import Folder
from pipeline.storage.frames import packed_file, store
from pipeline.storage.shards import write_shard
from pipeline.storage.thrift import read_struct, written_struct
from pipeline.storage.tiles import TileWriter
from schemas.table import Table
from schemas.tables import TABLES
from schemas.tile import Steps, Tile

OTHERS = [table for name, table in TABLES.items() if name != "activations"]
CHECKSUM = 0x04  # of a frame's descriptor, the byte after zstd's four magic ones


def column(kind: pa.DataType, rows: int) -> pa.Array:
    """Values and NULLs of a type."""
    numbers = np.random.default_rng(0).integers(0, 100, rows)
    if kind == pa.string():
        return pa.array([None if n % 7 == 3 else f"{n} é" for n in numbers], kind)
    return pa.array([None if n % 11 == 3 else int(n) for n in numbers]).cast(kind)


def rows_of(table: Table, rows: int) -> pa.Table:
    return pa.table([column(field.type, rows) for field in table.schema], schema=table.schema)


def written(root: Path, table: Table, groups: list[pa.Table]) -> Path:
    partition = dict.fromkeys(table.partition_by, "1")
    return root / write_shard(Folder(str(root)), table, partition, 0, groups, "plan").path


def tiles(root: Path) -> Path:
    steps = Steps(*(np.arange(60, dtype=np.int32) // each % 20 for each in (20, 1, 3)))
    values = np.random.default_rng(0).normal(size=(4, 60)).astype(np.float32)
    partition = dict.fromkeys(TABLES["activations"].partition_by, "1")
    with TileWriter(Folder(str(root)), TABLES["activations"], partition, 0, "plan") as writer:
        writer.append(writer.pack(Tile(0, steps, {"hidden_state": values, "cell_state": -values})))
    return root / writer.stored.path


def places(data: bytes) -> tuple[list[int], list[range]]:
    """Where the headers of a file's pages begin, and where the pages lie."""
    length = int.from_bytes(data[-8:-4], "little")
    footer, _ = read_struct(data, len(data) - 8 - length)
    headers, pages = [], []
    for group in footer[4][1][1]:
        for chunk in group[1][1][1]:
            meta = chunk[3][1]
            at = meta.get(11, meta[9])[1]
            end = at + meta[7][1]
            while at < end:
                headers.append(at)
                header, start = read_struct(data, at)
                at = start + header[3][1]
                pages.append(range(start, at))
    return headers, pages


@pytest.mark.parametrize("table", OTHERS, ids=lambda table: table.name)
@pytest.mark.parametrize("sizes", [[], [0], [1], [300, 0, 5]])
def test_every_reader_gets_the_rows(tmp_path: Path, table: Table, sizes: list[int]) -> None:
    groups = [rows_of(table, rows) for rows in sizes]
    path = written(tmp_path, table, groups)
    expected = pa.concat_tables([table.schema.empty_table(), *groups])
    assert pq.ParquetFile(path).read().equals(expected)
    theirs = duckdb.execute("from read_parquet($path, hive_partitioning = false)", {"path": str(path)})
    assert theirs.to_arrow_table().cast(table.schema).equals(expected)
    if sizes:
        assert pl.read_parquet(path, hive_partitioning=False).to_arrow().cast(table.schema).equals(expected)


@pytest.mark.parametrize("table", OTHERS, ids=lambda table: table.name)
def test_every_page_is_a_frame_with_its_checksum(tmp_path: Path, table: Table) -> None:
    data = written(tmp_path, table, [rows_of(table, 50), rows_of(table, 3)]).read_bytes()
    _, pages = places(data)
    assert len(pages) >= 2 * len(table.schema)
    for page in pages:
        assert data[page.start : page.start + 4] == b"\x28\xb5\x2f\xfd"
        assert data[page.start + 4] & CHECKSUM


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 400_000])
def test_what_is_stored_as_it_is_is_a_frame(size: int) -> None:
    data = np.random.default_rng(0).bytes(size)
    frame = b"".join(store(memoryview(data)))
    assert zstandard.decompress(frame) == data
    read = zstandard.ZstdDecompressor().decompressobj()
    assert read.decompress(frame) == data
    assert read.eof, "it ends with a block, an empty one too"
    assert zstandard.get_frame_parameters(frame).has_checksum
    assert len(frame) < size + 13 + 4 * (1 + size // (128 * 1024))


def test_a_flipped_bit_of_what_is_stored_as_it_is_is_refused() -> None:
    data = bytes(range(40))
    frame = b"".join(store(memoryview(data)))
    for bit in range(8 * len(frame)):
        rotten = bytearray(frame)
        rotten[bit // 8] ^= 1 << bit % 8
        with suppress(zstandard.ZstdError, MemoryError):  # of a content of 2**63 bytes
            assert zstandard.decompress(rotten, max_output_size=1000) == data, "some bits of a header mean nothing"


def test_columns_of_many_pages_keep_their_values_and_bounds() -> None:
    """A dictionary that grows too large is given up in the middle of a chunk."""
    numbers = np.random.default_rng(1).integers(0, 2**60, 40_000)
    rows = pa.table({"text": [str(number) for number in numbers], "number": numbers, "real": numbers / 7.0})
    plain, packed = io.BytesIO(), io.BytesIO()
    for file, packing in ((plain, "none"), (packed, "zstd")):
        pq.write_table(
            rows,
            file,
            compression=packing,
            data_page_size=4096,
            dictionary_pagesize_limit=20_000,
            row_group_size=9000,
        )
    data = packed_file(plain.getvalue())
    assert pq.read_table(pa.BufferReader(data)).equals(rows)
    found, theirs = (pq.read_metadata(pa.BufferReader(file)) for file in (data, packed.getvalue()))
    assert found.schema.equals(theirs.schema)
    for group in range(theirs.num_row_groups):
        for place in range(3):
            ours, other = (told.row_group(group).column(place) for told in (found, theirs))
            assert ours.statistics == other.statistics
            assert (ours.compression, ours.encodings) == (other.compression, other.encodings)
    assert len(data) < 1.01 * len(packed.getvalue())


@pytest.mark.parametrize(
    "table", [TABLES["scores"], TABLES["steps"], TABLES["runs"]], ids=lambda table: table.name
)
def test_a_footer_that_was_read_is_written_as_it_was(tmp_path: Path, table: Table) -> None:
    data = written(tmp_path, table, [rows_of(table, 50)]).read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer, end = read_struct(data, start)
    assert (written_struct(footer), end) == (data[start:-8], len(data) - 8)


def test_kinds_that_parquet_does_not_use_are_refused() -> None:
    with pytest.raises(ValueError, match="thrift's kind 7 is not one of Parquet's"):
        read_struct(b"\x17\0\0\0\0\0\0\0\0\0", 0)


def answers(path: Path) -> list[pa.Table | None]:
    """What DuckDB and pyarrow give by themselves, None where they refuse."""
    query = "from read_parquet($path, hive_partitioning = false)"
    found: list[pa.Table | None] = [None, None]
    with suppress(duckdb.Error):
        found[0] = duckdb.execute(query, {"path": str(path)}).to_arrow_table()
    with suppress(OSError, ValueError):
        found[1] = pq.ParquetFile(path).read()
    return found


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_no_plain_reader_answers_from_a_page_with_a_flipped_bit(tmp_path: Path, table: Table) -> None:
    """A few bits of a frame mean nothing. What rots outside of frames is told in decision 16."""
    path = tiles(tmp_path) if table.name == "activations" else written(tmp_path, table, [rows_of(table, 40)])
    data, random, right = path.read_bytes(), np.random.default_rng(2), answers(path)
    inside = np.concatenate([np.array(page) for page in places(data)[1]])
    refused = 0
    for at in random.choice(inside, 100):
        rotten = bytearray(data)
        rotten[at] ^= 1 << random.integers(8)
        path.write_bytes(rotten)
        for found, expected in zip(answers(path), right, strict=True):
            refused += found is None
            assert found is None or found.equals(expected), at
    assert refused > 180
