"""The files of this machine that a path or pattern stands for; what is no regular file is named, never opened.

A pipe would be waited for without end, and a link to a folder may lead back to where it lies.
"""

import os
import re
import stat
from typing import NamedTuple

from fsspec.utils import glob_translate

from schemas.errors import UsageError

FOLDER_LINK, BROKEN_LINK, NO_FILE = "linked to a folder", "linked to nowhere", "not a regular file"
UNLISTED = "a folder that cannot be listed"


class Entry(NamedTuple):
    """What stands in a folder, or in a store."""

    path: str
    left_out: str = ""  # why it is not read
    is_link: bool = False
    identity: object = None  # the same for all names of one file


def local_entries(where: str) -> tuple[str | None, list[Entry]]:
    """The folder that a path or pattern begins with, None where it is the name of a file, and what it stands for.

    Raises UsageError for a path that is not there or is no regular file.
    """
    path = os.path.abspath(os.path.expanduser(where))  # noqa: PTH100, PTH111  # pathlib cannot hold every name
    if os.path.isdir(path):  # noqa: PTH112
        folder = f"{path.rstrip('/')}/"
        return folder, _walk(folder)
    if os.path.lexists(path):  # before it is taken for a pattern: a name may hold brackets
        entry = _entry(path)
        if entry.left_out:
            raise UsageError(f"task.files: {where} is {entry.left_out}")
        return None, [entry._replace(is_link=False)]
    if not (mark := re.search(r"[*?[]", path)):
        raise UsageError(f"task.files: there is no {where}")

    folder = path[: path.rfind("/", 0, mark.start()) + 1]
    if "**" in path:
        found = _walk(folder)
    else:
        levels = path.count("/", len(folder))
        found = [entry for entry in _walk(folder, levels) if entry.left_out != FOLDER_LINK]
    fits = re.compile(glob_translate(path)).match
    return folder, [entry for entry in found if entry.left_out == UNLISTED or fits(entry.path)]


def _walk(folder: str, levels: int | None = None) -> list[Entry]:
    """What is no folder itself below a folder, so many folders deep, by path."""
    entries = []

    def note(error: OSError) -> None:
        """Else os.walk leaves the folder out without a word."""
        entries.append(Entry(f"{error.filename.rstrip('/')}/", UNLISTED))

    for here, folders, names in os.walk(folder, onerror=note):
        paths = [os.path.join(here, name) for name in folders + names]  # noqa: PTH118
        entries += map(_entry, paths[len(folders) :])
        entries += (_entry(path) for path in paths[: len(folders)] if os.path.islink(path))  # noqa: PTH114
        if levels is not None and here.rstrip("/").count("/") - folder.rstrip("/").count("/") >= levels:
            folders.clear()
    return sorted(entries, key=lambda entry: entry.path)


def _entry(path: str) -> Entry:
    is_link = os.path.islink(path)  # noqa: PTH114
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return Entry(path, BROKEN_LINK if is_link else NO_FILE)
    except OSError:
        if not is_link:
            raise
        return Entry(path, BROKEN_LINK)  # as one that leads to itself
    if is_link and stat.S_ISDIR(found.st_mode):
        return Entry(path, FOLDER_LINK)
    return Entry(path, "" if stat.S_ISREG(found.st_mode) else NO_FILE, is_link, (found.st_dev, found.st_ino))
