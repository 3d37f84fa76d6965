"""What was read of a remote lake, kept on this machine's disk between calls. Nothing here is ever needed.

    UNROLLED_CACHE         its folder ($XDG_CACHE_HOME/unrolled, or ~/.cache/unrolled)
    UNROLLED_CACHE_BYTES   what it may hold, over all lakes (2 GiB); 0 keeps nothing

    <folder>/<lake>/documents/<digest of path and version>     a document of `_meta`
    <folder>/<lake>/tails/<digest of the object>               the end of a large shard, where its footer lies
    <folder>/<lake>/shards/<digest of the object>/<its path>   a small shard, whole

Every read is held to a digest. Whatever goes wrong here, the store is read instead.
"""

import os
import threading
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from pipeline.storage.folder import Folder
from schemas.errors import UsageError
from schemas.fingerprint import blake3_of, sha256
from schemas.manifest import StoredObject

LIMIT = 2 * 2**30  # bytes
_KEPT = 0.9  # of the limit, when something has to go: else every write would look through the folder
_DIGEST = blake3.digest_size  # bytes
_FOREIGN = set("*?[]{}")  # in a folder's name: DuckDB would take it for a pattern


class Cache:
    """The part of the cache that belongs to one lake."""

    def __init__(self, home: Path, lake: str, limit: int) -> None:
        self._home, self._limit = home, limit
        self._folder = home / sha256(lake.encode())[:16]
        self._room: int | None = None  # bytes; None before the first look
        self._lent: set[Path] = set()
        self._lock = threading.Lock()

    @property
    def shards(self) -> Path:
        """The folder below which the small shards lie."""
        return self._folder / "shards"

    def read(self, kind: str, key: str) -> bytes | None:
        """What was kept as `documents` or `tails` under a key; None when it is not there, or damaged."""
        path = self._folder / kind / key
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None

        digest, data = data[:_DIGEST], data[_DIGEST:]
        if blake3(data).digest() == digest:
            return data
        _remove(path)
        return None

    def write(self, kind: str, key: str, data: bytes) -> None:
        """Keep something under a key."""
        self._put(self._folder / kind / key, blake3(data).digest() + data)

    def shard(self, stored: StoredObject) -> Path | None:
        """The file that a small shard is kept in; None when it is not there, or damaged."""
        path = self._shard_path(stored)
        if path is None:
            return None
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None

        if blake3_of(data) == stored.blake3:
            return path
        _remove(path)
        return None

    def write_shard(self, stored: StoredObject, data: bytes) -> None:
        """Keep a small shard, unless its bytes are not those that its manifest tells."""
        path = self._shard_path(stored)
        if path is not None and blake3_of(data) == stored.blake3:
            self._put(path, data)

    def lend(self, files: Iterable[Path]) -> None:
        """Keep the files of some shards for as long as this object lives: a view reads them."""
        self._lent |= set(files)

    def _shard_path(self, stored: StoredObject) -> Path | None:
        # A manifest may come from anywhere: its paths lead nowhere else.
        if ".." in stored.path.split("/") or not stored.blake3.isalnum() or _FOREIGN & set(str(self._home)):
            return None
        return self.shards / stored.blake3 / stored.path

    def _put(self, path: Path, data: bytes) -> None:
        if len(data) > self._limit:
            return
        beside = path.with_name(f".{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return
        self._make_room(len(data))

    def _make_room(self, written: int) -> None:
        """Remove what was not used for longest, when there is too much; what was just written last of all."""
        with self._lock:
            if self._room is not None:
                self._room -= written

            if self._room is None or self._room < 0:
                files = sorted(_files(self._home))
                total = sum(size for _, size, _ in files)
                if total > self._limit:
                    total = self._remove_oldest(files, total)
                self._room = self._limit - total

    def _remove_oldest(self, files: Iterable[tuple[float, int, Path]], total: int) -> int:
        """Remove files, in this order, until there is some room again; the bytes that are left of `total`."""
        for _, size, path in files:
            if total <= self._limit * _KEPT:
                break
            if path not in self._lent:
                _remove(path)
                total -= size
        return total


def cache_of(folder: Folder, environment: Mapping[str, str] = os.environ) -> Cache | None:
    """The cache of a lake; None when the lake is on this machine's disk, or nothing may be kept.

    Raises UsageError when UNROLLED_CACHE_BYTES is no number.
    """
    given = environment.get("UNROLLED_CACHE_BYTES", str(LIMIT))
    if not given.isdecimal():
        raise UsageError(f"UNROLLED_CACHE_BYTES is {given!r}: a number of bytes, or 0 to keep nothing")

    limit = int(given)
    if folder.is_local or limit == 0:
        return None
    return Cache(cache_home(environment), folder.address(""), limit)


def cache_home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the cache, which need not be there."""
    home = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    place = environment.get("UNROLLED_CACHE") or Path(home, "unrolled")
    return Path(place).expanduser().absolute()


def read_documents(folder: Folder, cache: Cache | None, versions: Mapping[str, str]) -> dict[str, bytes]:
    """Documents by path, from the cache where the listing shows the version that it has.

    Args:
        folder: the lake.
        cache: its cache, if it has one.
        versions: the documents to read, each with its version as `Folder.versions` tells it; "" is unknown.
    """
    kept: dict[str, bytes] = {}
    keys = {path: sha256(f"{path}\n{version}".encode()) for path, version in versions.items() if version}
    for path, key in keys.items() if cache else ():
        if cache and (data := cache.read("documents", key)) is not None:
            kept[path] = data

    missing = folder.read_many(path for path in versions if path not in kept)
    for path, data in missing.items():
        if cache and path in keys:
            cache.write("documents", keys[path], data)
    return kept | missing


def _files(home: Path) -> Iterable[tuple[float, int, Path]]:
    """Every file of the cache: when it was last used, its bytes, its path."""
    for top, _, names in os.walk(home):
        for name in names:
            with suppress(OSError):  # another process's, which has just gone
                status = os.stat(os.path.join(top, name))  # noqa: PTH116, PTH118  # ten thousands of files
                yield status.st_mtime, status.st_size, Path(top, name)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
