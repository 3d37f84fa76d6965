"""zstd frames that carry a checksum of what they hold: any reader of theirs refuses one that has rotted.

Parquet's own page checksums are looked at by few readers, and only when asked; a frame's is a matter of zstd.
"""

import threading
from collections.abc import Iterator
from typing import Any

import xxhash
import zstandard

from pipeline.storage.thrift import Fields, read_struct, written_struct

CODEC = 6  # ZSTD of CompressionCodec
_MAGIC = b"PAR1"
# Behind a column chunk, where no page is: an empty struct, which is no page's header. Where one whose header has
# rotted claims fewer values than it has, DuckDB would go on with the pages of the next column.
GUARD = b"\0"
_END = 8  # bytes after the footer: its length, and the magic word
_LEVEL = 1  # of zstd
_mine = threading.local()  # a compressor serves one thread at a time
_MAGIC_OF_FRAMES = b"\x28\xb5\x2f\xfd"
_CHECKED_ONE_SEGMENT = (
    b"\xa4"  # a frame's descriptor: four bytes of content size, no window, a checksum at the end
)
_BLOCK = 128 * 1024  # bytes at most

# Fields of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and PageHeader, as parquet.thrift numbers them.
_ROW_GROUPS = 4
_COLUMNS, _GROUP_START, _GROUP_PACKED = 1, 5, 6
_CHUNK_START, _META = 2, 3
_CODEC, _PACKED, _UNPACKED, _DATA_START, _DICTIONARY_START = 4, 7, 6, 9, 11
_PAGE_UNPACKED, _PAGE_PACKED, _DATA_HEADER, _PAGE_STATISTICS = 2, 3, 5, 5


def pack(data: bytes | memoryview) -> bytes:
    """A frame of some bytes, in any thread."""
    compressor: zstandard.ZstdCompressor | None = getattr(_mine, "compressor", None)
    if compressor is None:
        compressor = _mine.compressor = zstandard.ZstdCompressor(_LEVEL, write_checksum=True)
    return compressor.compress(data)


def store(data: memoryview) -> Iterator[bytes | memoryview]:
    """The parts of a frame of bytes as they are, in blocks of zstd's kind "raw" (RFC 8878); nothing is copied."""
    yield _MAGIC_OF_FRAMES + _CHECKED_ONE_SEGMENT + len(data).to_bytes(4, "little")
    for start in range(0, len(data) or 1, _BLOCK):  # a frame ends with a block, be it empty
        block = data[start : start + _BLOCK]
        is_last = start + _BLOCK >= len(data)
        yield (is_last | len(block) << 3).to_bytes(3, "little")
        yield block
    yield (xxhash.xxh64_intdigest(data) & 0xFFFFFFFF).to_bytes(4, "little")


def packed_file(data: bytes) -> bytes:
    """A Parquet file whose pages are not compressed, with each of them in a frame of its own.

    pyarrow's writer has no setting for a frame's checksum.
    """
    length = int.from_bytes(data[-_END:-4], "little")
    footer, _ = read_struct(data, len(data) - _END - length)
    out = bytearray(_MAGIC)
    for group in _structs(footer, _ROW_GROUPS):
        start = len(out)
        for column in _structs(group, _COLUMNS):
            _pack_chunk(data, column, out)
        _set(group, _GROUP_START, start)
        _set(group, _GROUP_PACKED, len(out) - start - len(GUARD) * len(_structs(group, _COLUMNS)))

    told = written_struct(footer)
    return b"".join([out, told, len(told).to_bytes(4, "little"), _MAGIC])


def _pack_chunk(data: bytes, column: Fields, out: bytearray) -> None:
    """Append a column chunk's pages, and tell its ColumnChunk where they are."""
    meta: Fields = column[_META][1]
    first: int = meta.get(_DICTIONARY_START, meta[_DATA_START])[1]
    start, headers = len(out), 0
    at, end = first, first + meta[_PACKED][1]
    moved = {}
    while at < end:
        moved[at] = len(out)
        header, content = read_struct(data, at)
        at = content + header[_PAGE_PACKED][1]
        frame = pack(data[content:at])
        _set(header, _PAGE_PACKED, len(frame))
        if _DATA_HEADER in header:  # bounds that the chunk's own say again
            header[_DATA_HEADER][1].pop(_PAGE_STATISTICS, None)
        told = written_struct(header)
        headers += len(told) + header[_PAGE_UNPACKED][1]
        out += told + frame

    for field in (_DATA_START, _DICTIONARY_START):
        if field in meta:
            _set(meta, field, moved.get(meta[field][1], start))
    _set(meta, _CODEC, CODEC)
    _set(meta, _PACKED, len(out) - start)
    _set(meta, _UNPACKED, headers)
    out += GUARD


def _structs(fields: Fields, field: int) -> list[Fields]:
    values: list[Fields] = fields[field][1][1]
    return values


def _set(fields: Fields, field: int, value: Any) -> None:
    if field in fields:
        fields[field] = fields[field][0], value
