"""Column chunks of a Parquet file, as bytes: one data page each, and what the footer tells of it.

Names are those of https://github.com/apache/parquet-format: parquet.thrift for structs and enumerations,
Encodings.md for encodings. Every column is OPTIONAL, and has a value in every row of a chunk or in none. A chunk
holds no offsets, so its bytes can lie anywhere, and more than once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.storage.frames import CODEC, GUARD, pack, store
from pipeline.storage.thrift import Struct, varint

INT32, FLOAT = 1, 4  # Type
_DATA_PAGE = 0  # PageType
_PLAIN, _RLE, _BYTE_STREAM_SPLIT = 0, 3, 9  # Encoding
_TRIED = 128  # steps of each neuron by which it is seen whether values pack
_WORTH = 1 / 3  # of the bytes of a chunk of floats: what packing must save


@dataclass(frozen=True)
class Chunk:
    """A column chunk."""

    parts: tuple[bytes | memoryview, ...]  # one after another, with the guard behind them
    unpacked: int  # bytes before compression, the page's header included
    head: bytes  # the first fields of ColumnMetaData: those that do not depend on the values
    statistics: Struct

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.parts))


def integer_chunk(name: str, values: np.ndarray) -> Chunk:
    """PLAIN: keys come in runs and repeat with every neuron, which zstd sees as well as any encoding could."""
    levels = _levels(values.size, defined=True)
    content = np.concatenate([levels, values.astype("<i4", copy=False).view(np.uint8)])
    return _chunk(
        name, INT32, _PLAIN, [pack(content.data)], content.size, values.size, _bounds(values.min(), values.max())
    )


def float_chunk(name: str, values: np.ndarray) -> Chunk:
    """BYTE_STREAM_SPLIT, and each stream packed, where that saves a third; elsewhere PLAIN, as they are.

    Exact values of a network that reads long texts save a fifth, and packing them would take as long as all the
    rest of writing (docs/decisions/0019); rounded ones, and those of a few texts read again and again, save most.

    Args:
        name: the column's.
        values: (K, M) float32, no NULLs, contiguous; not to be changed until the chunk is written.
    """
    levels = _levels(values.size, defined=True)
    frames: list[bytes | memoryview] = [pack(levels.data)]
    if _packs(values):
        encoding = _BYTE_STREAM_SPLIT
        frames += [pack(stream.reshape(-1).data) for stream in _streams(values)]
    else:
        encoding = _PLAIN
        frames += store(values.reshape(-1).view(np.uint8).data)

    least, greatest = values.min(), values.max()
    if np.isnan(least):  # NaN has no order: a chunk with one has no bounds
        statistics = Struct().i64(3, 0)
    else:  # the two zeros are equal, but a reader may order them (ColumnOrder)
        statistics = _bounds(least or np.float32(-0.0), greatest or np.float32(0.0))
    return _chunk(name, FLOAT, encoding, frames, len(levels) + values.nbytes, values.size, statistics)


def null_chunk(name: str, rows: int) -> Chunk:
    """A column of floats that are all NULL."""
    levels = _levels(rows, defined=False)
    return _chunk(name, FLOAT, _PLAIN, [pack(levels.data)], levels.size, rows, Struct().i64(3, rows))


def _packs(values: np.ndarray) -> bool:
    """Whether packing saves enough of the first steps of each neuron (K, M)."""
    some = _streams(values[:, :_TRIED])
    return len(pack(some.reshape(-1).data)) <= (1 - _WORTH) * some.size


def _streams(values: np.ndarray) -> np.ndarray:
    """All first bytes, all second bytes …: (4, K, M) uint8, of (K, M) float32."""
    streams = np.empty((4, *values.shape), np.uint8)
    bits = values.view(np.uint32)
    for place, stream in enumerate(streams):
        # Shifts are vectorised: 2,400 M values/s in a warm cache, a transposed copy of the bytes 1,100.
        np.right_shift(bits, np.uint32(8 * place), out=stream, casting="unsafe")
    return streams


def _chunk(
    name: str,
    kind: int,
    encoding: int,
    frames: Sequence[bytes | memoryview],
    unpacked: int,
    rows: int,
    statistics: Struct,
) -> Chunk:
    header = Struct().i32(1, _DATA_PAGE).i32(2, unpacked).i32(3, sum(map(len, frames)))  # PageHeader
    page = header.struct(5, _page_header(encoding, rows)).whole()
    return Chunk((page, *frames, GUARD), len(page) + unpacked, _head(name, kind, encoding, rows), statistics)


# The same for hundreds of chunks of a shard; making them anew would be a tenth of the writing.
@lru_cache
def _page_header(encoding: int, rows: int) -> Struct:
    """DataPageHeader."""
    return Struct().i32(1, rows).i32(2, encoding).i32(3, _RLE).i32(4, _RLE)


@lru_cache
def _head(name: str, kind: int, encoding: int, rows: int) -> bytes:
    """The first five fields of ColumnMetaData."""
    head = Struct().i32(1, kind).i32s(2, (encoding, _RLE)).binaries(3, [name.encode()]).i32(4, CODEC)
    return head.i64(5, rows).fields()


@lru_cache
def _levels(rows: int, *, defined: bool) -> np.ndarray:
    """The definition levels of a data page: one RLE run, behind its length."""
    run = varint(rows << 1) + (b"\1" if defined else b"\0")
    return np.frombuffer(len(run).to_bytes(4, "little") + run, np.uint8)


def _bounds(least: np.generic, greatest: np.generic) -> Struct:
    """Statistics of a chunk without NULLs, as PLAIN values."""
    return Struct().i64(3, 0).binary(5, greatest.tobytes()).binary(6, least.tobytes())
