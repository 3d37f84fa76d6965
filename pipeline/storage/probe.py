"""Is a root fit for a lake? A small object is created, read, refused a second time, and removed.

    Probe(written=4.1, read=0.2, refused=0.3, removed=0.1)     milliseconds

Nothing stays behind: neither the object, whatever went wrong, nor a folder that was not there before.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.storage.failures import explaining
from pipeline.storage.folder import Folder
from pipeline.storage.local import TEMPORARY
from pipeline.storage.naming import DATA
from schemas.errors import StorageError, StorageUnavailableError, UsageError

Result = TypeVar("Result")
_DATA = b"a probe of unrolled, which may be removed"


@dataclass(frozen=True)
class Probe:
    """What each step took, in milliseconds."""

    written: float
    read: float
    refused: float
    removed: float


def check_writable(folder: Folder) -> None:
    """Raise UsageError as `probe` does. On a disk, what killed writers left behind a day ago goes."""
    probe(folder)
    if folder.is_local:
        for leftover in folder.leftovers():
            folder.discard(leftover)


def probe(folder: Folder, seconds: float = float("inf")) -> Probe:
    """Try what every commit and every lease rests on.

    Args:
        folder: the lake, or where one may be.
        seconds: after which no further step is begun but the removal.

    Raises:
        UsageError: nothing can be written here, a taken name is no hindrance, or a part lies on another mount.
    """
    path = f"{TEMPORARY}/{uuid.uuid4().hex}"
    try:
        with explaining(f"cannot write {folder.address(path)}"):
            missing = _missing_folders(folder)
            _check_mounts(folder)

        try:
            return _steps(folder, path, seconds)
        finally:
            for made in missing:
                with suppress(OSError):  # another writer's files are in it by now
                    made.rmdir()

    except FileNotFoundError:
        why = "there is no such folder" if folder.is_local else "there is no such bucket; make it first"
        raise UsageError(f"the root {folder.root} cannot be written: {why}") from None

    except StorageError as error:
        why = str(error).removeprefix(f"cannot write {folder.address(path)}: ")
        is_away = folder.s3 and isinstance(error, StorageUnavailableError)
        remedy = "check UNROLLED_S3_ENDPOINT and AWS_ENDPOINT_URL" if is_away else "choose another --root"
        raise UsageError(f"the root {folder.root} cannot be written: {why}; {remedy}") from None


def _steps(folder: Folder, path: str, seconds: float) -> Probe:
    end = time.monotonic() + seconds
    try:
        made, written = _timed(lambda: folder.create(path, _DATA), end)
        data, read = _timed(lambda: folder.read(path), end)
        second, refused = _timed(lambda: folder.create(path, b"again"), end)
    except BaseException:
        with suppress(StorageError):  # the first error is the one to tell
            folder.remove_all([path])
        raise

    _, removed = _timed(lambda: folder.remove_all([path]))

    if second or not made:
        raise UsageError(
            f"the store at {folder.root} overwrites an object that it was asked to create (If-None-Match is "
            "ignored), so two workers could spoil each other's; choose another --root"
        )
    if data != _DATA:
        raise StorageError(f"the store at {folder.root} gives other bytes than were written")

    return Probe(written, read, refused, removed)


def _timed(step: Callable[[], Result], end: float = float("inf")) -> tuple[Result, float]:
    """What a step gives, and its milliseconds. Raises StorageUnavailableError when it is too late to begin."""
    started = time.monotonic()
    if started > end:
        raise StorageUnavailableError("the store answers too slowly")
    result = step()
    return result, (time.monotonic() - started) * 1000


def _missing_folders(folder: Folder) -> list[Path]:
    """The folders that a probe makes on a disk, the innermost first."""
    if not folder.is_local:
        return []
    place = Path(folder.address(TEMPORARY))
    return [parent for parent in (place, *place.parents) if not parent.exists()]


def _check_mounts(folder: Folder) -> None:
    """Raise UsageError where an object of a lake on a disk could not get its name, which is a hard link."""
    if not folder.is_local:
        return
    root, temporary = Path(folder.address("")), Path(folder.address(TEMPORARY))
    near = next(place for place in (temporary, *temporary.parents) if place.exists())
    device = near.stat().st_dev
    places = [root / name for name in ("_meta", *DATA)]
    runs = [run for table in places if table.is_dir() for run in table.glob("run=*")]
    for place in (root, *places, *runs):
        why = ""
        if place.is_dir() and place.stat().st_dev != device:
            why = f"lies on another mount than {temporary}, and the hard link that names a file stays on one"
        elif place.is_symlink() and not place.exists():
            why = "is a link to nowhere"
        elif place.exists() and not place.is_dir():
            why = "is no folder"
        if why:
            raise UsageError(f"the root {folder.root} cannot hold a lake: {place} {why}; choose another --root")
