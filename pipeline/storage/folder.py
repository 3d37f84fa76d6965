"""One folder type for local disk, S3 and other object stores. Objects appear whole, once, or not at all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipeline.storage.failures import explaining, status_of, storage_error
from pipeline.storage.local import LocalStore, prune, walk
from pipeline.storage.s3 import BODY_ATTEMPTS, S3Store, s3_options
from pipeline.storage.store import GeneralStore, Leftover, Pending, Store
from schemas.errors import StorageError, UsageError
from schemas.redact import refuse_secret

_DAY = 86_400.0  # seconds
# Their create-only writes are one atomic request (memory's: one process). Elsewhere a look comes before the write.
_LOCAL, _S3 = ("file", "local"), ("s3", "s3a")
_ATOMIC = ("gs", "gcs", "abfs", "abfss", "az", "memory")
_AT_ONCE = 64  # requests under way when many objects are read
_REMOVED_AT_ONCE = 1000  # objects that S3 removes in one request


class Folder:
    """Objects below a root, named by paths relative to it."""

    def __init__(self, root: str, seconds: float | None = None) -> None:
        """Nothing is looked at yet.

        Args:
            root: a folder or URI.
            seconds: give a request on S3 up after so long, tried once; None: as the settings say.

        Raises:
            UsageError: the root cannot hold a lake, or a setting makes no sense.
        """
        refuse_secret(root, "the root")
        if not root.strip():
            raise UsageError("the root is empty: give a folder or a URI, such as ./lake")
        self.root = root.rstrip("/") or "/"
        scheme = _scheme(root)
        if scheme not in (*_LOCAL, *_S3, *_ATOMIC):
            raise UsageError(_refusal(self.root, scheme))

        try:
            self._files, path = _opened(self.root, scheme, seconds)
        except (ValueError, ImportError) as error:
            raise UsageError(f"the root {root!r} is no folder or URI that fsspec knows: {error}") from None

        self._path = path.rstrip("/")
        self.before_removal: Callable[[], None] = lambda: None
        self._store = self._store_of(scheme, 1 if seconds else BODY_ATTEMPTS)

    def __repr__(self) -> str:
        """Its root."""
        return f"<Folder {self.root}>"

    def _store_of(self, scheme: str, attempts: int) -> Store:
        if self.is_local:
            return LocalStore(self._path)
        if scheme in _S3:
            return S3Store(self._files, self._path, attempts)
        return GeneralStore(self._files, self._path)

    @property
    def whole_root(self) -> str:
        """The root as it is known from any folder."""
        return self.address("").rstrip("/") or "/"

    @property
    def is_local(self) -> bool:
        """Whether plain file paths reach it."""
        return isinstance(self._files, LocalFileSystem)

    @property
    def filesystem(self) -> fsspec.AbstractFileSystem:
        """The file system below, for engines that can be given one."""
        return self._files

    @property
    def s3(self) -> S3Store | None:
        """The store when it is S3."""
        return self._store if isinstance(self._store, S3Store) else None

    def address(self, path: str) -> str:
        """The full path or URI of an object."""
        full = self._full(path)
        return full if self.is_local else str(self._files.unstrip_protocol(full))

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        with explaining(f"cannot look for {self.address(path)}"):
            return bool(self._files.exists(self._full(path)))

    def list(self, prefix: str = "") -> list[str]:
        """Every object below a prefix, sorted; none when nothing is there.

        Raises:
            StorageError: some of it cannot be listed.
        """
        return sorted(self._find(prefix))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Every object below a prefix with its bytes, sorted: on S3 one request for each thousand."""
        return {path: info["size"] for path, info in sorted(self._find(prefix).items())}

    def versions(self, prefix: str = "") -> dict[str, str]:
        """Every object below a prefix, sorted, with a mark that changes with its bytes; "" is no mark."""
        return {path: _version(info) for path, info in sorted(self._find(prefix).items())}

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises StorageError when it is not there."""
        data = self.read_if_there(path)
        if data is None:
            raise StorageError(f"{self.address(path)} is missing")
        return data

    def read_if_there(self, path: str) -> bytes | None:
        """An object's bytes in one request, None when it is not there."""
        # One connection at a time: s3fs would ask for the size first, to read a large object by several.
        one_connection = {"max_concurrency": 1} if self.s3 else {}
        try:
            with explaining(f"cannot read {self.address(path)}"):
                data: bytes = self._files.cat_file(self._full(path), **one_connection)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return data

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of many objects, many at a time where that helps. Raises StorageError as `read` does."""
        return self.read_parts(dict.fromkeys(paths, (0, None)))

    def read_parts(self, parts: Mapping[str, tuple[int, int | None]]) -> dict[str, bytes]:
        """A part of each of many objects, from its first byte up to (without) its last, None for the end."""
        if self.is_local or not parts:
            return {path: self._part(path, *part) for path, part in parts.items()}

        full = [self._full(path) for path in parts]
        starts, ends = zip(*parts.values(), strict=True)
        whole = not any(starts) and not any(ends)
        with explaining(f"cannot read from {self.root}"):
            if whole:  # not by `cat`, which takes a name for a pattern
                options = {"batch_size": _AT_ONCE} | ({"max_concurrency": 1} if self.s3 else {})
                contents = self._files.cat_ranges(full, None, None, on_error="return", **options)
            else:
                contents = self._files.cat_ranges(full, list(starts), list(ends), on_error="return")

        return {path: self._checked(path, data) for path, data in zip(parts, contents, strict=True)}

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of."""
        with explaining(f"cannot read {self.address(path)}"):
            file: BinaryIO = self._files.open(self._full(path), "rb")
        return file

    def create(self, path: str, data: bytes) -> bool:
        """Let an object appear in one atomic step; False when the name is taken, which leaves it as it was."""
        pending = self.begin(path)
        try:
            pending.write(data)
            return pending.commit()
        finally:
            pending.discard()

    def begin(self, path: str) -> Pending:
        """An object to write piece by piece; its name shows nothing before it is committed."""
        doing = f"cannot write {self.address(path)}"
        with explaining(doing):
            return _Explaining(self._store.begin(path), doing)

    def replace(self, path: str, data: bytes) -> None:
        """Write an object over whatever has its name: for pictures and resume states, never for shards."""
        with explaining(f"cannot write {self.address(path)}"):
            self._store.replace(path, data)

    def guarded(self, check: Callable[[], None]) -> "Folder":
        """The same folder, which checks before each step of a removal that it may go on.

        A driver that was held up may wake in the middle of one, when another has made the objects again.

        Args:
            check: raises what is to end the removal.
        """
        same = copy(self)
        same.before_removal = check
        return same

    def remove(self, prefix: str) -> None:
        """Remove an object, or everything below a prefix."""
        self.remove_all(self.list(prefix))
        self.prune(prefix)

    def remove_all(self, paths: Sequence[str]) -> None:
        """Remove objects, a thousand in a request where the store can; one that is not there is no error."""
        step = _REMOVED_AT_ONCE if self.s3 else 1
        for start in range(0, len(paths), step):
            self.before_removal()
            with explaining(f"cannot remove objects of {self.root}"):
                self._remove([self._full(path) for path in paths[start : start + step]])

    def _remove(self, full: Sequence[str]) -> None:
        try:
            if self.s3:
                self._files.rm(list(full))
                return
        except OSError as error:
            if status_of(error) != 501:  # the store knows no removal of many
                raise

        for name in full:
            with suppress(FileNotFoundError):
                self._files.rm_file(name)

    def prune(self, prefix: str) -> None:
        """Remove folders below a prefix, and itself, that hold nothing. Only disks have such."""
        if self.is_local:
            with explaining(f"cannot remove {self.address(prefix)}"):
                prune(self._full(prefix))

    def leftovers(self, older_than: float = _DAY) -> Sequence[Leftover]:
        """What writers that were killed at least so many seconds ago have left behind."""
        with explaining(f"cannot look for leftovers in {self.root}"):
            return tuple(self._store.leftovers(older_than))

    def discard(self, leftover: Leftover) -> None:
        """Remove a leftover."""
        with explaining(f"cannot remove {self.address(leftover.path)}"):
            self._store.discard(leftover)

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}"

    def _find(self, prefix: str) -> dict[str, dict[str, Any]]:
        with explaining(f"cannot list {self.address(prefix)}"):
            path = self._full(prefix).rstrip("/")
            infos = dict(walk(path)) if self.is_local else self._files.find(path, detail=True)

        start = len(self._path) + 1
        # s3fs gives the prefix itself, as a folder, when the first object below it appears while it looks.
        return {name[start:]: info for name, info in infos.items() if info["type"] != "directory"}

    def _part(self, path: str, start: int, stop: int | None) -> bytes:
        try:
            with explaining(f"cannot read {self.address(path)}"), self._files.open(self._full(path), "rb") as file:
                file.seek(start)
                data: bytes = file.read() if stop is None else file.read(stop - start)
        except FileNotFoundError:
            raise StorageError(f"{self.address(path)} is missing") from None
        return data

    def _checked(self, path: str, data: bytes | Exception) -> bytes:
        if isinstance(data, FileNotFoundError):
            raise StorageError(f"{self.address(path)} is missing") from None
        if isinstance(data, Exception):
            raise storage_error(f"cannot read {self.address(path)}", data) from None
        return data


def _opened(root: str, scheme: str, seconds: float | None) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a root, and the path in it."""
    if scheme not in _S3:
        # A cached listing would hide what another worker has just written.
        files, path = fsspec.url_to_fs(root, use_listings_cache=False)
        return files, path
    from pipeline.storage.bounded import BoundedS3  # noqa: PLC0415  # half a second, which other roots need not pay

    return BoundedS3(use_listings_cache=False, **s3_options(seconds=seconds)), BoundedS3._strip_protocol(root)  # noqa: SLF001  # fsspec's own name for what all of them share


def _scheme(root: str) -> str:
    """Of a root's address. Raises UsageError for one that is cut short, which would be a folder of an odd name."""
    scheme, colon, rest = root.partition(":")
    if not colon or scheme not in (*_LOCAL, *_S3, *_ATOMIC):
        return root.split("://", maxsplit=1)[0] if "://" in root else "file"
    if not rest.startswith("//"):
        raise UsageError(
            f"the root {root!r} is no address: type {scheme}://…, or ./{root} for a folder of that name"
        )
    place = rest[2:]
    if not place.strip("/") or (place.startswith("/") and scheme not in _LOCAL):
        missing = "folder" if scheme in _LOCAL else "bucket"
        raise UsageError(f"the root {root!r} names no {missing}: type {scheme}://{missing.upper()}/…")
    return scheme


def _refusal(root: str, scheme: str) -> str:
    if scheme not in fsspec.available_protocols():
        return f"the root {root!r} is no folder or URI that fsspec knows: {scheme}://"
    return (
        f"the root {root!r} cannot hold a lake: {scheme}:// has no create-only write in one step, "
        "without which two workers could overwrite each other; use a local folder, s3://, gs:// or abfs://"
    )


def _version(info: Mapping[str, Any]) -> str:
    """From what a listing says: a digest where the store gives one, else bytes and time."""
    digest = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    changed = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created")
    if digest:
        return str(digest)
    return f"{info['size']} {changed}" if changed else ""


class _Explaining:
    """A pending object whose errors say what was being written."""

    def __init__(self, pending: Pending, doing: str) -> None:
        self._pending, self._doing = pending, doing

    def write(self, data: bytes) -> None:
        """Add bytes at its end."""
        with explaining(self._doing):
            self._pending.write(data)

    def commit(self) -> bool:
        """Let it appear."""
        with explaining(self._doing):
            return self._pending.commit()

    def discard(self) -> None:
        """Forget what was written."""
        with explaining(self._doing):
            self._pending.discard()
