"""Parquet shards: built in memory, committed in one step, verified when read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from pipeline.storage.cures import make_again
from pipeline.storage.failures import storage_error
from pipeline.storage.folder import Folder
from pipeline.storage.frames import packed_file
from pipeline.storage.local import read_end
from pipeline.storage.whole import (
    BLANK,
    DIGEST,
    footer_bytes,
    footer_digest,
    is_whole,
    weights_are_whole,
    with_digest,
)
from schemas.errors import StorageError
from schemas.fingerprint import blake3_of
from schemas.manifest import StoredObject
from schemas.stages import run_in, stage_of
from schemas.table import Table

# Floats: all first bytes, then all second bytes …, which zstd packs a fifth smaller than plain ones.
# Keys of a sorted table: as they are, since zstd sees that they repeat. The rest: a dictionary.
_PLAIN = ("sequence", "step")
PLAN = "unrolled.plan"

# The end of a shard in which its footer lies, nearly always, and how many are in memory at once.
_TAIL, _TAILS = 64 * 1024, 256


def write_shard(
    folder: Folder,
    table: Table,
    partition: Mapping[str, object],
    index: int,
    row_groups: Iterable[pa.Table],
    plan: str,
) -> StoredObject:
    """Write one shard, a row group for each given table, unless one of its name is there already.

    Args:
        folder: the lake.
        table: the shard's table.
        partition: a value for each of its partition columns.
        index: the shard's number within the partition.
        row_groups: its rows.
        plan: fingerprint of the plan that it belongs to; kept in the shard's metadata.

    Returns:
        What lies in the lake afterwards: the first writer's shard, whoever that was.

    Raises:
        StorageError: a shard of another plan has the name.
    """
    buffer = pa.BufferOutputStream()
    schema = table.schema
    floats = [field.name for field in schema if field.type == pa.float32()]
    plain = [name for name in _PLAIN if name in schema.names]

    with pq.ParquetWriter(
        buffer,
        schema,
        compression="none",  # until it is packed below
        use_dictionary=[name for name in schema.names if name not in (*floats, *plain)],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT") | dict.fromkeys(plain, "PLAIN"),
        store_schema=False,
    ) as writer:
        for rows in row_groups:
            writer.write_table(rows, row_group_size=max(1, len(rows)))
        writer.add_key_value_metadata({PLAN: plan, DIGEST: BLANK})

    data = with_digest(packed_file(buffer.getvalue().to_pybytes()), blake3())
    path = table.shard_path(partition, index)
    shard = _description(folder, path, data, table.name)
    return shard if folder.create(path, data) else first_of_plan(folder, shard, plan)


def first_of_plan(folder: Folder, shard: StoredObject, plan: str) -> StoredObject:
    """The shard that lies where a later writer's would.

    Raises:
        StorageError: it is of another plan, or not what its writer wrote.
    """
    data = folder.read(shard.path)
    found = _whole(folder, shard.path, data, shard.table)
    if _parsed(folder, shard.path, data).metadata.get(PLAN.encode()) != plan.encode():
        raise StorageError(
            f"{folder.address(shard.path)} was written under another plan: type --replace {stage_of(shard.path)}"
        )
    return found


def describe_whole(folder: Folder, path: str, table: str) -> StoredObject:
    """A shard of an attempt that left no record. Raises StorageError when it is not what its writer wrote."""
    return _whole(folder, path, folder.read(path), table)


def _whole(folder: Folder, path: str, data: bytes, table: str | None) -> StoredObject:
    if not is_whole(data):
        raise _damaged(folder, path)
    return _description(folder, path, data, table)


def _damaged(folder: Folder, path: str) -> StorageError:
    return StorageError(
        f"{folder.address(path)} is damaged (its digest does not match): remove that file alone, "
        "and type the command again"
    )


def commit(folder: Folder, path: str, data: bytes) -> StoredObject:
    """Create a file of a checkpoint; where the name is taken the first writer won. Raises as `adopt` does."""
    return _description(folder, path, data, None) if folder.create(path, data) else adopt(folder, path, data)


def adopt(folder: Folder, path: str, data: bytes) -> StoredObject:
    """A file of a checkpoint that an attempt left which made no record of it.

    Args:
        folder: the lake.
        path: the file's.
        data: what this attempt would write: the same, but for weights, which another machine may round otherwise.

    Raises:
        StorageError: it is missing, or is not what its writer wrote.
    """
    found = folder.read(path)
    if found != data and not weights_are_whole(found):
        raise _damaged(folder, path)
    return _description(folder, path, found, None)


def describe(folder: Folder, path: str, table: str | None = None) -> StoredObject:
    """What lies under a name."""
    return _description(folder, path, folder.read(path), table)


def count_rows(folder: Folder, path: str, data: bytes) -> int:
    """The rows that a shard's footer tells. Raises StorageError when its bytes are no whole Parquet file."""
    rows: int = _parsed(folder, path, data).num_rows
    return rows


def row_counts(folder: Folder, sizes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The rows that the footers of many shards tell, of which paths and bytes are given.

    Only their ends are read, many at a time. Raises StorageError as `count_rows` does.
    """
    names = list(sizes)
    for start in range(0, len(names), _TAILS):
        paths = names[start : start + _TAILS]
        tails = folder.read_parts({path: (max(0, sizes[path] - _TAIL), None) for path in paths})
        for path, tail in tails.items():
            footer = footer_bytes(tail)
            if footer > len(tail) < sizes[path]:
                tail = folder.read_parts({path: (max(0, sizes[path] - footer), None)})[path]  # noqa: PLW2901
            yield path, _parsed(folder, path, tail).num_rows


def _parsed(folder: Folder, path: str, data: bytes) -> pq.FileMetaData:
    try:
        return pq.read_metadata(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise StorageError(f"{folder.address(path)} is not a whole Parquet file: {error}") from None


def _description(folder: Folder, path: str, data: bytes, table: str | None) -> StoredObject:
    rows = _parsed(folder, path, data).num_rows if table else 0
    footer = footer_digest(data) if table else ""
    return StoredObject(path=path, table=table, rows=rows, bytes=len(data), blake3=blake3_of(data), footer=footer)


def read_verified(folder: Folder, stored: StoredObject) -> bytes:
    """An object's bytes. Raises StorageError with its name when they are not those that were written."""
    for _ in range(2):  # a bit may flip on the way, too
        data = folder.read_if_there(stored.path)
        if data is None:
            raise StorageError(f"{folder.address(stored.path)} is missing: {_again(folder, stored)}")
        if blake3_of(data) == stored.blake3:
            return data
    raise changed(folder, stored)


def changed(folder: Folder, stored: StoredObject) -> StorageError:
    """The error for an object that is not what its manifest lists."""
    why = "has changed since it was written (its digest does not match)"
    return StorageError(f"{folder.address(stored.path)} {why}: {_again(folder, stored)}")


def check_footers(folder: Folder, shards: Iterable[StoredObject]) -> None:
    """Hold the sizes and footers of shards on this disk to their manifests; pages are held by their frames.

    So no shard answers in the place of another, and none with bounds that hide its rows.

    Raises:
        StorageError: a shard is missing, or is not the one that its manifest lists.
    """
    for stored in shards:
        try:
            size, end = read_end(folder.address(stored.path), footer_bytes)
        except (FileNotFoundError, NotADirectoryError):
            raise StorageError(f"{folder.address(stored.path)} is missing: {_again(folder, stored)}") from None
        except OSError as error:
            raise storage_error(f"cannot read {folder.address(stored.path)}", error) from None
        if size != stored.bytes or footer_digest(end) != stored.footer:
            raise changed(folder, stored)


def _again(folder: Folder, stored: StoredObject) -> str:
    return make_again(folder, run_in(stored.path), stage_of(stored.path))


def read_shards(folder: Folder, shards: Iterable[StoredObject], columns: Sequence[str]) -> pa.Table:
    """Some columns of verified shards, one after another."""
    tables = [
        pq.read_table(pa.BufferReader(read_verified(folder, shard)), columns=list(columns)) for shard in shards
    ]
    return pa.concat_tables(tables)
