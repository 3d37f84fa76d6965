"""A file system of nothing but the objects that manifests list, for an engine that reads through fsspec.

A manifest tells an object's bytes, so no request asks for them; the end of a shard, where its footer lies, comes
from the cache on disk. What is left is one request for each range that the engine reads.
"""

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

from pipeline.storage.cache import Cache
from pipeline.storage.folder import Folder
from pipeline.storage.shards import changed
from pipeline.storage.whole import footer_bytes, footer_digest
from schemas.errors import UnrolledError
from schemas.manifest import StoredObject

TAIL = 2**16  # bytes: what DuckDB asks for, too, before it knows how long a footer is
_FOREVER = datetime(2000, 1, 1, tzinfo=UTC)  # an object is never changed


class ListedObjects(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """Read-only, under the scheme of the lake's root."""

    cachable = False  # one for each lake that is opened

    def __init__(self, folder: Folder, cache: Cache | None) -> None:
        super().__init__()
        scheme = folder.address("").split("://")[0]
        self.protocol = ("s3", "s3a") if scheme == "s3" else scheme
        self._folder, self._cache = folder, cache
        self._objects: dict[str, StoredObject] = {}
        self._tails: dict[str, bytes] = {}
        self._error: UnrolledError | None = None  # of the last range that could not be read

    def add(self, objects: Iterable[StoredObject]) -> None:
        """Let some objects be read."""
        self._objects |= {self._folder.address(stored.path): stored for stored in objects}

    def take_error(self) -> UnrolledError | None:
        """Why a range could not be read since the last call."""
        error, self._error = self._error, None
        return error

    def glob(self, path: str, **_: Any) -> list[str]:
        """The object of that very name."""
        return [path] if path in self._objects else []

    def exists(self, path: str, **_: Any) -> bool:
        """Whether an object is listed."""
        return path in self._objects

    def isfile(self, path: str) -> bool:
        """The same: there are no folders."""
        return path in self._objects

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and bytes, as the manifest tells."""
        return {"name": path, "size": self._of(path).bytes, "type": "file"}

    def modified(self, path: str) -> datetime:
        """A time that is the same for ever."""
        self._of(path)
        return _FOREVER

    def open(self, path: str, mode: str = "rb", **_: Any) -> "ListedFile":
        """A listed object, to read parts of."""
        if mode != "rb":
            raise PermissionError(f"{path} cannot be written: a lake is written by its stages alone")
        return ListedFile(self, self._of(path))

    def range(self, stored: StoredObject, start: int, stop: int) -> bytes:
        """Some bytes of an object, from the first up to (without) the last."""
        try:
            tail = self._tail(stored) if start >= stored.bytes - TAIL else self._tails.get(stored.path, b"")
            first = stored.bytes - len(tail)
            return tail[start - first : stop - first] if start >= first else self._read(stored, start, stop)
        except UnrolledError as error:  # the engine would wrap it in words of its own
            self._error = error
            raise

    def _tail(self, stored: StoredObject) -> bytes:
        """The end of a shard, with all of its footer."""
        if stored.path in self._tails:
            return self._tails[stored.path]
        tail = self._cache.read("tails", stored.blake3) if self._cache else None
        if tail is None:
            tail = self._read(stored, max(0, stored.bytes - TAIL), stored.bytes)
            footer = footer_bytes(tail)
            if len(tail) < footer <= stored.bytes:
                tail = self._read(stored, stored.bytes - footer, stored.bytes)
            if footer_digest(tail) != stored.footer:
                raise changed(self._folder, stored)
            if self._cache:
                self._cache.write("tails", stored.blake3, tail)
        self._tails[stored.path] = tail
        return tail

    def _read(self, stored: StoredObject, start: int, stop: int) -> bytes:
        return self._folder.read_parts({stored.path: (start, stop)})[stored.path]

    def _of(self, path: str) -> StoredObject:
        try:
            return self._objects[path]
        except KeyError:
            raise FileNotFoundError(f"{path} is listed by no manifest") from None


class ListedFile(io.RawIOBase):
    """One object, for one reader."""

    def __init__(self, files: ListedObjects, stored: StoredObject) -> None:
        super().__init__()
        self._files, self._stored, self._at = files, stored, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stored.bytes}[whence]
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes from there, fewer at the end; all when size is negative."""
        stop = self._stored.bytes if size < 0 else min(self._at + size, self._stored.bytes)
        if stop <= self._at:
            return b""
        data = self._files.range(self._stored, self._at, stop)
        self._at = stop
        return data

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True
