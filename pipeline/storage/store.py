"""What a store can do beyond fsspec: let an object appear whole, once, or not at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import fsspec


@dataclass(frozen=True)
class Leftover:
    """What a killed writer left behind: a temporary file, or an upload that was begun and not finished."""

    path: str  # relative to the root
    bytes: int | None  # None where the store does not tell
    upload: str | None = None  # the upload's id


class Pending(Protocol):
    """An object that is being written."""

    def write(self, data: bytes) -> None:
        """Add bytes at its end."""

    def commit(self) -> bool:
        """Let it appear whole in one atomic step; False when the name is taken, which leaves it as it was."""

    def discard(self) -> None:
        """Forget what was written; nothing after a commit."""


class Store(Protocol):
    """Writes below a root; errors are the file system's own."""

    def begin(self, path: str) -> Pending:
        """An object to write piece by piece."""

    def replace(self, path: str, data: bytes) -> None:
        """Write over whatever has the name."""

    def leftovers(self, older_than: float, /) -> Iterable[Leftover]:
        """What writers that were killed so many seconds ago have left behind."""

    def discard(self, leftover: Leftover, /) -> None:
        """Remove a leftover."""


class GeneralStore:
    """Another fsspec file system, one whose create-only writes are atomic."""

    def __init__(self, files: fsspec.AbstractFileSystem, root: str) -> None:
        self._files, self._root = files, root

    def begin(self, path: str) -> "Whole":
        """An object that is held in memory until it is handed over."""
        return Whole(self._files, f"{self._root}/{path}")

    def replace(self, path: str, data: bytes) -> None:
        """Write over whatever has the name."""
        self._files.pipe_file(f"{self._root}/{path}", data)

    def leftovers(self, _older_than: float) -> Iterable[Leftover]:
        """None: a write that was not handed over left nothing."""
        return ()

    def discard(self, _leftover: Leftover) -> None:
        """There is none."""


class Whole:
    """Bytes for a store that takes an object whole."""

    def __init__(self, files: fsspec.AbstractFileSystem, path: str) -> None:
        self._files, self._path = files, path
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Add bytes to the buffer."""
        self._data += data

    def commit(self) -> bool:
        """Hand the whole object over."""
        try:
            self._files.pipe_file(self._path, bytes(self._data), mode="create")
        except FileExistsError:
            return False
        return True

    def discard(self) -> None:
        """Free the buffer."""
        self._data.clear()
