"""One folder type for local disk, S3 and whatever else fsspec knows. Objects appear whole, once, or not at all."""

import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

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
                self._temporary(b"").unlink()
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
        """Write beside, then link: a hard link, unlike a rename, refuses a name that is taken."""
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        temporary = self._temporary(data)
        try:
            os.link(temporary, target)
        finally:
            temporary.unlink()
        return True

    def _temporary(self, data: bytes) -> Path:
        folder = Path(self._path, TEMPORARY)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / uuid.uuid4().hex
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave a name without its bytes
        return path

    def _forget_old_temporaries(self) -> None:
        for path in Path(self._path, TEMPORARY).iterdir():
            with suppress(FileNotFoundError):  # another writer's, which has just got its name
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()
