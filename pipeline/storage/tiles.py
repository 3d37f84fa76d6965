"""A shard of `activations`, written tile by tile as a Parquet file of our own (docs/decisions/0009), and read so.

What a general writer does for every row is here done once a block of steps or not at all: `sequence`, `step` and
`token` are the same bytes for each block of neurons, absent signals are one level, every other value is there.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from pipeline.storage.folder import Folder
from pipeline.storage.frames import GUARD
from pipeline.storage.pages import FLOAT, INT32, Chunk, float_chunk, integer_chunk, null_chunk
from pipeline.storage.shards import PLAN, first_of_plan, read_verified
from pipeline.storage.thrift import Struct
from pipeline.storage.whole import BLANK, DIGEST, footer_digest, with_digest
from schemas.manifest import StoredObject
from schemas.table import Table
from schemas.tile import Steps, Tile

_MAGIC = b"PAR1"
_OPTIONAL = 1  # FieldRepetitionType
_ALIKE = 512  # chunks of a few hundred bytes: the next layer's are those of this one
_TYPES = {pa.int32(): INT32, pa.float32(): FLOAT}


@dataclass(frozen=True, eq=False)
class RowGroup:
    """A tile as it will lie in the file, wherever that is."""

    rows: int
    chunks: dict[str, Chunk]  # by column


class TileWriter:
    """A shard being written: tiles are appended, and it appears when the `with` block ends without an error."""

    def __init__(
        self,
        folder: Folder,
        table: Table,
        partition: Mapping[str, object],
        index: int,
        plan: str,
    ) -> None:
        """Begin a shard.

        Args:
            folder: the lake.
            table: the shard's table, of the keys of `Steps`, `neuron`, and floats.
            partition: a value for each of its partition columns.
            index: the shard's number within the partition.
            plan: fingerprint of the plan that it belongs to; kept in the shard's metadata.
        """
        self._folder, self._table, self._plan = folder, table, plan
        self._path = table.shard_path(partition, index)

        self._file = folder.begin(self._path)
        self._digest = blake3()
        self._bytes = self._rows = 0

        self._groups: list[Struct] = []
        self._last: tuple[Steps, int, dict[str, Chunk]] | None = None
        self._lock = threading.Lock()
        self._stored: StoredObject | None = None

    def __enter__(self) -> Self:
        try:
            self._write(_MAGIC)
        except BaseException:
            self._file.discard()  # a disk that is full: no `__exit__` will follow
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._stored = self._commit()
        finally:
            self._file.discard()

    @property
    def stored(self) -> StoredObject:
        """What lies in the lake after the block: the first writer's shard, whoever that was."""
        if self._stored is None:
            raise RuntimeError("a shard is stored when its block ends")
        return self._stored

    def pack(self, tile: Tile) -> RowGroup:
        """A tile as a row group; in any thread, and in any order."""
        neurons, steps = tile.neurons, tile.steps
        assert all(values.shape == (len(neurons), len(steps.step)) for values in tile.signals.values())
        chunks = self._shared(steps, len(neurons), tile.signals.keys())
        chunks["neuron"] = _neuron_chunk(tile.first_neuron, len(neurons), len(steps.step))
        chunks |= {name: float_chunk(name, values) for name, values in tile.signals.items()}
        return RowGroup(len(neurons) * len(steps.step), chunks)

    def append(self, group: RowGroup) -> None:
        """Write a row group."""
        chunks = [group.chunks[name] for name in self._table.schema.names]
        ends = accumulate((chunk.size for chunk in chunks), initial=self._bytes)
        columns = [_column(chunk, start) for chunk, start in zip(chunks, ends, strict=False)]
        self._write(b"".join(part for chunk in chunks for part in chunk.parts))
        unpacked = sum(chunk.unpacked for chunk in group.chunks.values())
        self._groups.append(Struct().structs(1, columns).i64(2, unpacked).i64(3, group.rows))
        self._rows += group.rows

    def _shared(self, steps: Steps, neurons: int, signals: Collection[str]) -> dict[str, Chunk]:
        """The chunks that are alike for any so many neurons at the same steps: keys, and absent signals."""
        with self._lock:
            if self._last is None or self._last[0] is not steps or self._last[1] != neurons:
                keys = {"sequence": steps.sequence, "step": steps.step, "token": steps.token}
                chunks = {name: integer_chunk(name, np.tile(key, neurons)) for name, key in keys.items()}
                for name in self._table.schema.names:
                    if name not in (*keys, "neuron", *signals):
                        chunks[name] = null_chunk(name, neurons * len(steps.step))
                self._last = steps, neurons, chunks
            return dict(self._last[2])

    def _commit(self) -> StoredObject:
        footer = self._footer()
        end = with_digest(footer + len(footer).to_bytes(4, "little") + _MAGIC, self._digest)
        self._write(end)
        shard = StoredObject(
            path=self._path,
            table=self._table.name,
            rows=self._rows,
            bytes=self._bytes,
            blake3=self._digest.hexdigest(),
            footer=footer_digest(end),
        )
        return shard if self._file.commit() else first_of_plan(self._folder, shard, self._plan)

    def _footer(self) -> bytes:
        """FileMetaData, with a SchemaElement for the root and for each column."""
        fields = list(self._table.schema)
        schema = [Struct().binary(4, b"schema").i32(5, len(fields))]
        schema += [
            Struct().i32(1, _TYPES[field.type]).i32(3, _OPTIONAL).binary(4, field.name.encode())
            for field in fields
        ]
        keys = {PLAN: self._plan, DIGEST: BLANK}
        notes = [Struct().binary(1, key.encode()).binary(2, value.encode()) for key, value in keys.items()]
        order = Struct().struct(1, Struct())  # TypeDefinedOrder: without it readers leave the bounds aside
        footer = Struct().i32(1, 2).structs(2, schema).i64(3, self._rows).structs(4, self._groups)
        footer.structs(5, notes).binary(6, b"unrolled version 1 (build 1)").structs(7, [order] * len(fields))
        return footer.whole()

    def _write(self, data: bytes) -> None:
        """Write much at once: by 100 kB, the system takes half as long again, and the digest twice as long."""
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)


def read_tiles(folder: Folder, stored: StoredObject, signals: Sequence[str]) -> Iterator[Tile]:
    """The tiles of a verified shard, each read once, for as many consumers as there are.

    Tiles of the same steps have the same `Steps`.

    Args:
        folder: the lake.
        stored: a shard of `activations`.
        signals: names of those that are read; a tile has those that were written.

    Raises:
        StorageError: the shard is missing, or is not what its manifest lists.
    """
    file = pq.ParquetFile(pa.BufferReader(read_verified(folder, stored)))
    keys = ("sequence", "step", "token")
    steps: Steps | None = None
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, ["neuron", *keys, *signals])
        neurons = rows["neuron"].to_numpy()
        first, count = int(neurons[0]), int(neurons[-1]) - int(neurons[0]) + 1
        found = Steps(*(rows[key].to_numpy()[: len(rows) // count] for key in keys))
        if steps is None or not steps.are(found):
            steps = found
        values = {name: rows[name].to_numpy() for name in signals if not rows[name].null_count}
        yield Tile(first, steps, {name: column.reshape(count, -1) for name, column in values.items()})


@lru_cache(_ALIKE)
def _neuron_chunk(first: int, neurons: int, steps: int) -> Chunk:
    return integer_chunk("neuron", np.repeat(np.arange(first, first + neurons, dtype=np.int32), steps))


def _column(chunk: Chunk, start: int) -> Struct:
    """The ColumnChunk of a chunk that begins at a byte of the file."""
    size = chunk.size - len(GUARD)
    meta = Struct(chunk.head, 5).i64(6, chunk.unpacked).i64(7, size).i64(9, start)
    return Struct().i64(2, 0).struct(3, meta.struct(12, chunk.statistics))
