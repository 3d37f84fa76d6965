"""Objects on a disk: written under a temporary name, then given theirs in one step, which refuses a taken one."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.storage.store import Leftover

_END = 4096  # bytes: the footer of a small shard
TEMPORARY = "_meta/tmp"
_HELD = 8 * 2**20  # bytes


class LocalStore:
    """Writes below a folder of this machine, or of a network file system."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def begin(self, path: str) -> "BesideTarget":
        """An object to write piece by piece."""
        return BesideTarget(self._root / path, self._temporary())

    def replace(self, path: str, data: bytes) -> None:
        """Write over whatever has the name; a reader sees the old bytes or the new ones."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")  # no lake need be around it
        try:
            beside.write_bytes(data)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def leftovers(self, older_than: float) -> Iterator[Leftover]:
        """What killed writers have left under temporary names. The age is by the file system's own clock."""
        folder = self._root / TEMPORARY
        if not folder.is_dir():
            return
        now_file = self._temporary()
        now_file.touch()
        now = now_file.stat().st_mtime
        now_file.unlink()
        for path in sorted(folder.iterdir()):
            with suppress(FileNotFoundError):  # another writer's, which has just got its name
                status = path.stat()
                if now - status.st_mtime >= older_than:
                    yield Leftover(f"{TEMPORARY}/{path.name}", status.st_size)

    def discard(self, leftover: Leftover) -> None:
        """Remove a leftover."""
        (self._root / leftover.path).unlink(missing_ok=True)

    def _temporary(self) -> Path:
        folder = self._root / TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex


class BesideTarget:
    """A file under a temporary name, so that no more than a piece is ever in memory."""

    def __init__(self, target: Path, temporary: Path) -> None:
        self._target, self._temporary = target, temporary
        self._file = temporary.open("wb", buffering=0)
        self._bytes = self._sent = 0

    def write(self, data: bytes) -> None:
        """Add bytes to the file."""
        left = memoryview(data)
        while left:  # one call takes 2 GB at most
            left = left[self._file.write(left) :]
        self._bytes += len(data)
        self._send()

    def _send(self) -> None:
        """Have the system begin to write what it holds, so that little is left to wait for in `commit`."""
        if self._bytes - self._sent >= _HELD and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), self._sent, self._bytes - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = self._bytes

    def commit(self) -> bool:
        """Give the file its name, when all of it is on the disk."""
        os.fsync(self._file.fileno())  # else a power cut can leave a name without its bytes
        self._target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self._temporary, self._target)  # which, unlike a rename, refuses a name that is taken
        except FileExistsError:
            return False
        finally:
            self.discard()
        return True

    def discard(self) -> None:
        """Remove the temporary name."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def walk(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every file below a folder, or itself, in any order, as fsspec describes one; links are followed.

    What goes while it looks is left out. A folder that may not be read is an error: fsspec would take it for an
    empty one, and nothing may be answered or removed on the strength of such a listing.

    Raises:
        OSError: a folder cannot be listed.
    """
    try:
        entries = list(os.scandir(path))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        yield path, _described(Path(path).stat())
        return

    for entry in entries:
        if entry.is_dir():
            yield from walk(entry.path)
            continue
        with suppress(FileNotFoundError):
            status = entry.stat()
            yield entry.path, _described(status)


def _described(status: os.stat_result) -> dict[str, Any]:
    return {"type": "file", "size": status.st_size, "mtime": status.st_mtime}


def read_end(path: str, length: Callable[[bytes], int]) -> tuple[int, bytes]:
    """A file's size, and at least so many of its last bytes as its very end asks for, or all that there are."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # a third of the time, of thousands of files
        size = file.seek(0, os.SEEK_END)
        kept = min(size, _END)
        file.seek(size - kept)
        end = file.read(kept)
        if (needed := min(size, length(end))) > kept:
            file.seek(size - needed)
            end = file.read(needed)
    return size, end


def prune(path: str) -> None:
    """Remove a folder and those in it, as far as they hold nothing."""
    for folder, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):  # not empty
            Path(folder).rmdir()
