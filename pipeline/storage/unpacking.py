"""Compressed files as what they hold, each read to its verified end, or refused."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import IO, Any, Protocol, cast

import pyarrow as pa

from schemas.corpus import COMPRESSED

ENDS_EARLY = "it ends early: the file was cut, as by a download that stopped"
_AT_ONCE = 1 << 16
_MAGIC = {".gz": b"\x1f\x8b", ".xz": b"\xfd7zXZ\0", ".zst": b"\x28\xb5\x2f\xfd"}


def compression_of(name: str) -> str:
    """The suffix that tells how a file is compressed, in lower case; empty: it is not."""
    return next((suffix for suffix in COMPRESSED if name.lower().endswith(suffix)), "")


def compression_within(head: bytes, name: str) -> str:
    """The same by a file's first bytes: a .tar.gz may have been unpacked on its way, and a .tar be packed."""
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":  # a name may begin with the former
        return ".bz2"
    if name.lower().endswith((".tlz", ".lzma")) and head.startswith(b"\x5d\0\0"):
        return ".lzma"
    return next((suffix for suffix, magic in _MAGIC.items() if head.startswith(magic)), "")


def unpacked(packed: IO[bytes], suffix: str) -> io.BufferedReader:
    """What a compressed file holds; an empty suffix gives it as it is.

    Reading raises EOFError where the file ends early, and the library's own error where it does not match its
    checksum or goes on after its end with something else.
    """
    if suffix == ".gz":
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=_not_empty(packed), mode="rb")))
    if suffix == ".bz2":
        return io.BufferedReader(_Unpacked(packed, bz2.BZ2Decompressor))
    if suffix in (".xz", ".lzma"):
        return io.BufferedReader(_Unpacked(packed, lzma.LZMADecompressor))
    if suffix == ".zst":
        plain = pa.PythonFile(_not_empty(packed), mode="r")
        return io.BufferedReader(cast(io.RawIOBase, pa.CompressedInputStream(plain, "zstd")))
    return buffered(packed)


def buffered(file: IO[bytes]) -> io.BufferedReader:
    """The same file, so that one can look ahead; what it was is closed with it."""
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))


def _not_empty(packed: IO[bytes]) -> io.BufferedReader:
    """The same file: of nothing, the libraries make nothing without a word."""
    file = buffered(packed)
    if not file.peek(1):
        raise EOFError(ENDS_EARLY)
    return file


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more must be given."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """So much of what the data hold."""


class _Unpacked(io.RawIOBase):
    """Compressed streams one after another, as pbzip2 writes them.

    bz2 and lzma in the standard library take a damaged stream that follows another one for the end of the file.
    """

    def __init__(self, packed: IO[bytes], new: Callable[[], _Decompressor]) -> None:
        self._packed, self._new = packed, new
        self._stream, self._rest = new(), b""  # what was read beyond the end of the stream before

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer, but for the end of the file."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and (not self._stream.eof or self._begin_next()):
            data = self._stream.decompress(self._more(), len(view) - filled)
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _more(self) -> bytes:
        """What the stream needs to go on."""
        if not self._stream.needs_input:
            return b""
        more, self._rest = self._rest or self._packed.read(_AT_ONCE), b""
        if not more:
            raise EOFError(ENDS_EARLY)
        return more

    def _begin_next(self) -> bool:
        """Begin the stream after this one, if there is any; zeros between them are padding."""
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest:
            block = self._packed.read(_AT_ONCE)
            if not block:
                return False
            rest = block.lstrip(b"\0")
        self._stream, self._rest = self._new(), rest
        return True
