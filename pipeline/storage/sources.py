"""What a text task reads: files by path, folder, glob or URI, and the documents in them, one at a time."""

import re
import sysconfig
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path
from typing import IO, NamedTuple

import fsspec
from fsspec.core import url_to_fs
from fsspec.utils import glob_translate

from pipeline.storage.archives import files_in, is_archive
from pipeline.storage.documents import documents_in
from pipeline.storage.failures import explaining
from pipeline.storage.local_files import FOLDER_LINK, UNLISTED, Entry, local_entries
from pipeline.storage.s3 import s3_options
from pipeline.storage.unpacking import buffered, compression_of
from schemas.corpus import Document
from schemas.errors import StorageError, UsageError
from schemas.task_settings import TextSettings

LINKED, APPLE = "linked to a file that is read", "attributes of files on a Mac (._name)"


class Source(NamedTuple):
    """A file, or an archive of files."""

    path: str  # in its file system
    name: str  # its path below the deepest folder that holds all sources: the same wherever that folder lies
    system: fsspec.AbstractFileSystem | None  # None: this machine's
    left_out: str  # why it is not read, or empty


def find_sources(settings: TextSettings) -> list[Source]:
    """The files that the settings name: pattern by pattern, in the order of their paths, each once.

    A file that is named itself is meant, whatever task.include says, and so is an archive whose pattern ends as
    archives do. What is left out comes last, so that it moves no other. Raises UsageError for a path that is not
    there, or is none that fsspec knows; StorageError for a folder that cannot be listed.
    """
    chosen: dict[str, tuple[Entry, fsspec.AbstractFileSystem | None]] = {}
    for pattern in settings.files:
        system, folder, entries = _entries(pattern)
        for entry in entries:
            if folder is None:
                chosen.setdefault(_shown(entry.path, system), (entry, system))
            elif _is_meant(entry, pattern, folder, settings):
                is_apples = _is_apples(entry.path.removeprefix(folder), settings)
                kept = entry._replace(left_out=APPLE) if is_apples else entry
                chosen.setdefault(_shown(entry.path, system), (kept, system))

    once = _without_second_names([entry for entry, _ in chosen.values()])
    above = _common_folder([shown for shown, entry in zip(chosen, once, strict=True) if not entry.left_out])
    sources = [
        Source(entry.path, shown.removeprefix(above), system, entry.left_out)
        for (shown, (_, system)), entry in zip(chosen.items(), once, strict=True)
    ]
    return sorted(sources, key=lambda source: bool(source.left_out))


def read_documents(source: Source, settings: TextSettings) -> Iterator[Document | str]:
    """The documents of a source as they are, or why what lies there is left out.

    Bytes that are no text in their encoding are lone surrogates (as of surrogateescape). Nothing more than a
    document is held in memory. Raises UsageError for a document that is larger than the settings allow or a row
    that cannot be read for certain, StorageError for a file that cannot be read to its end.
    """
    if source.left_out:
        yield source.left_out
        return
    shown = _utf8(_shown(source.path, source.system))
    try:
        with explaining(f"cannot read {shown}"), _opened(source.path, source.system) as file:
            for found in files_in(source.name, file, lambda member: _is_wanted(member, settings)):
                if found.stream is None:
                    yield found.left_out
                elif found.name != source.name and _is_apples(found.name.removeprefix(source.name), settings):
                    yield APPLE
                else:
                    yield from documents_in(_utf8(found.name), found.stream, settings)
    except FileNotFoundError:
        raise UsageError(f"task.files: there is no {shown}") from None


def read_file(path: str) -> bytes:
    """A file's bytes, by path or URI. Raises UsageError when it is not there, StorageError when unreadable."""
    try:
        with explaining(f"cannot read {path}"):
            system, place = _place(path)
            with _opened(place, system) as stream:
                return stream.read()
    except FileNotFoundError:
        raise UsageError(f"there is no {path}") from None


def _entries(pattern: str) -> tuple[fsspec.AbstractFileSystem | None, str | None, list[Entry]]:
    """A pattern's file system, the folder that it begins with, None for the name of a file, and its entries."""
    where = pattern.replace("{stdlib}", sysconfig.get_path("stdlib"))
    with explaining(f"cannot list {where}"):
        system, path = _place(where)
        if system is None:
            return None, *local_entries(path)
        folder: str | None = None
        if system.isdir(path):
            folder = f"{path.rstrip('/')}/"
            paths = list(_below(system, path))
        elif system.exists(path):  # before it is taken for a pattern: a name may hold brackets
            paths = [path]
        elif mark := re.search(r"[*?[]", path):
            folder = path[: path.rfind("/", 0, mark.start()) + 1]
            levels = None if "**" in path else path.count("/", len(folder))
            try:
                found = list(_below(system, folder, levels))
            except FileNotFoundError:
                found = []
            paths = list(filter(re.compile(glob_translate(path)).match, found))
        else:
            raise UsageError(f"task.files: there is no {where}")
    return system, folder, list(map(Entry, sorted(paths)))


def _below(system: fsspec.AbstractFileSystem, folder: str, levels: int | None = None) -> Iterator[str]:
    """Every file below a folder, so many folders deep.

    Not by fsspec's own walk, which takes a folder that it may not list for an empty one. Raises OSError there.
    """
    if levels is None and "s3" in system.protocol:
        yield from system.find(folder)  # one request for each thousand, and none of them left out
        return
    for found in system.ls(folder, detail=True):
        name = found["name"]
        if found["type"] != "directory":
            yield name
        elif levels != 0 and name.rstrip("/") != folder.rstrip("/"):
            yield from _below(system, name, None if levels is None else levels - 1)


def _place(path: str) -> tuple[fsspec.AbstractFileSystem | None, str]:
    """The file system, None for this machine's, and the path in it; S3 is reached as lakes on it are."""
    local = path.removeprefix("file://")
    if "://" not in local or local.startswith("/"):  # a name may hold what fsspec reads as a chain of systems
        return None, local
    try:
        system, place = url_to_fs(path, **(s3_options() if path.startswith(("s3://", "s3a://")) else {}))
    except (ValueError, ImportError) as error:
        raise UsageError(f"{path!r} is no path or URI that fsspec knows: {error}") from None
    return system, place


def _opened(path: str, system: fsspec.AbstractFileSystem | None) -> IO[bytes]:
    return buffered(system.open(path, "rb")) if system else Path(path).open("rb")


def _shown(path: str, system: fsspec.AbstractFileSystem | None) -> str:
    """A path, or the URI of what lies elsewhere."""
    return system.unstrip_protocol(path) if system else path


def _is_meant(entry: Entry, pattern: str, folder: str, settings: TextSettings) -> bool:
    """Whether what stands below a pattern's folder is to be read, or told of as left out."""
    below = entry.path.removeprefix(folder)
    if entry.left_out in (FOLDER_LINK, UNLISTED):  # either may hold what task.include names
        if _fits(_forms(below), settings.exclude):
            return False
        if entry.left_out == UNLISTED:
            raise StorageError(f"cannot list {entry.path}: access is denied, or it is gone; exclude it if need be")
        return True
    return is_archive(pattern) or _is_wanted(below, settings)


def _without_second_names(entries: list[Entry]) -> list[Entry]:
    """The same, with links left out that lead to a file which is read under another name."""
    files = {entry.identity for entry in entries if not (entry.left_out or entry.is_link)}
    once = []
    for entry in entries:
        is_second = entry.is_link and entry.identity in files
        if entry.is_link:
            files.add(entry.identity)
        once.append(entry._replace(left_out=LINKED) if is_second and not entry.left_out else entry)
    return once


def _common_folder(paths: Collection[str]) -> str:
    """The deepest folder that holds all paths, with its closing slash."""
    ends = zip(min(paths, default=""), max(paths, default=""), strict=False)  # what they share, all between share
    shared = "".join(character for character, _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return shared[: shared.rfind("/") + 1]


def _is_wanted(path: str, settings: TextSettings) -> bool:
    """Whether a path, below its pattern's folder or in an archive, is to be read; `*/test/*` fits at once."""
    forms = _forms(path)
    return _fits(forms, settings.include) and not _fits(forms, settings.exclude)


def _is_apples(path: str, settings: TextSettings) -> bool:
    """Whether a file holds what a Mac notes of another one, and no mask asks for such files by their name."""
    parts = path.split("/")
    if not (parts[-1].startswith("._") or "__MACOSX" in parts[:-1]):
        return False
    asked = [mask for mask in settings.include if "._" in mask or "__MACOSX" in mask]
    return not _fits(_forms(path), asked)


def _forms(path: str) -> set[str]:
    """What masks are held against: a path and its last name, as they are and without a compression's suffix."""
    forms = {path, path[: len(path) - len(compression_of(path))]}
    forms |= {form.rsplit("/", 1)[-1] for form in forms} | {f"/{form}" for form in forms}
    return forms


def _fits(forms: Collection[str], masks: Collection[str]) -> bool:
    """Whether any of a path's forms fits any of the masks."""
    return any(fnmatch(form, mask) for form in forms for mask in masks)


def _utf8(name: str) -> str:
    """A name in which bytes that are not UTF-8 are written out in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
