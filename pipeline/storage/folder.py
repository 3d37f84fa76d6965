"""One folder type for local disk, S3 and whatever else fsspec knows. Objects appear whole, once, or not at all."""

import io
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import fsspec
from fsspec.implementations.local import LocalFileSystem

from schemas.errors import StorageError, UsageError

TEMPORARY = "_meta/tmp"
_DAY = 86_400  # seconds


class Folder:
    """Objects below a root, named by paths relative to it."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        try:
            # A cached listing would hide what another worker has just written.
            self._files, path = fsspec.url_to_fs(self.root, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise UsageError(f"the root {root!r} is no folder or URI that fsspec knows: {error}") from None
        self._path = path.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether plain file paths reach it."""
        return isinstance(self._files, LocalFileSystem)

    @property
    def filesystem(self) -> fsspec.AbstractFileSystem:
        """The file system below, for engines that can be given one."""
        return self._files

    def address(self, path: str) -> str:
        """The full path or URI of an object."""
        full = f"{self._path}/{path}"
        return full if self.is_local else self._files.unstrip_protocol(full)

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        return bool(self._files.exists(f"{self._path}/{path}"))

    def list(self, prefix: str = "") -> list[str]:
        """Every object below a prefix, sorted; none when nothing is there."""
        found = self._files.find(f"{self._path}/{prefix}".rstrip("/"))
        return sorted(name[len(self._path) + 1 :] for name in found)

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises StorageError when it is not there."""
        try:
            data: bytes = self._files.cat_file(f"{self._path}/{path}")
        except FileNotFoundError:
            raise StorageError(f"{self.address(path)} is missing") from None
        return data

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of."""
        file: BinaryIO = self._files.open(f"{self._path}/{path}", "rb")
        return file

    def create(self, path: str, data: bytes) -> bool:
        """Let an object appear in one atomic step; False when the name is taken, which leaves it as it was."""
        try:
            if self.is_local:
                return self._create_local(f"{self._path}/{path}", data)
            self._files.pipe_file(f"{self._path}/{path}", data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError(f"cannot write {self.address(path)}: {error.strerror or error}") from error
        return True

    def begin(self, path: str) -> "Pending":
        """An object to write piece by piece; its name shows nothing before it is committed."""
        if not self.is_local:
            return _InMemory(self, path)
        try:
            return _BesideTarget(Path(f"{self._path}/{path}"), self._temporary_path())
        except OSError as error:
            raise StorageError(f"cannot write {self.address(path)}: {error.strerror or error}") from error

    def replace(self, path: str, data: bytes) -> None:
        """Write an object over whatever has its name: for pictures and resume states, never for shards."""
        try:
            if self.is_local:
                target = Path(f"{self._path}/{path}")
                target.parent.mkdir(parents=True, exist_ok=True)
                beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")  # no lake need be around it
                beside.write_bytes(data)
                beside.replace(target)
            else:
                self._files.pipe_file(f"{self._path}/{path}", data)
        except OSError as error:
            raise StorageError(f"cannot write {self.address(path)}: {error.strerror or error}") from error

    def remove(self, prefix: str) -> None:
        """Remove an object, or everything below a prefix."""
        if self._files.exists(f"{self._path}/{prefix}"):
            self._files.rm(f"{self._path}/{prefix}", recursive=True)

    def check_writable(self) -> None:
        """Raise UsageError when nothing can be written here; clear away what killed writers left behind."""
        try:
            if self.is_local:
                path = self._temporary_path()
                path.touch()
                path.unlink()
                self._forget_old_temporaries()
            else:
                probe = f"{self._path}/{TEMPORARY}/{uuid.uuid4().hex}"
                self._files.pipe_file(probe, b"")
                self._files.rm(probe)
        except OSError as error:
            raise UsageError(
                f"the root {self.root} cannot be written: {error.strerror or error}; choose another --root"
            ) from None

    def _create_local(self, target: str, data: bytes) -> bool:
        pending = _BesideTarget(Path(target), self._temporary_path())
        try:
            pending.write(data)
            return pending.commit()
        finally:
            pending.discard()

    def _temporary_path(self) -> Path:
        folder = Path(self._path, TEMPORARY)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def _forget_old_temporaries(self) -> None:
        for path in Path(self._path, TEMPORARY).iterdir():
            with suppress(FileNotFoundError):  # another writer's, which has just got its name
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()


class Pending(Protocol):
    """An object that is being written."""

    def write(self, data: bytes) -> None:
        """Add bytes at its end."""

    def commit(self) -> bool:
        """Let it appear whole in one atomic step; False when the name is taken, which leaves it as it was."""

    def discard(self) -> None:
        """Forget what was written; nothing after a commit."""


class _BesideTarget:
    """A local file under a temporary name, so that no more than a piece is ever in memory."""

    def __init__(self, target: Path, temporary: Path) -> None:
        self._target, self._temporary = target, temporary
        self._file = temporary.open("wb", buffering=0)

    def write(self, data: bytes) -> None:
        """Add bytes to the file."""
        left = memoryview(data)
        try:
            while left:  # one call takes 2 GB at most
                left = left[self._file.write(left) :]
        except OSError as error:
            raise StorageError(f"cannot write {self._target}: {error.strerror or error}") from error

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


class _InMemory:
    """Bytes for a store that takes an object whole."""

    def __init__(self, folder: Folder, path: str) -> None:
        self._folder, self._path = folder, path
        self._buffer = io.BytesIO()

    def write(self, data: bytes) -> None:
        """Add bytes to the buffer."""
        self._buffer.write(data)

    def commit(self) -> bool:
        """Hand the whole object over."""
        return self._folder.create(self._path, self._buffer.getvalue())

    def discard(self) -> None:
        """Free the buffer."""
        self._buffer.close()
