"""What a text task reads: files by path, folder, glob or URI, and the documents in them, one at a time."""

import csv
import io
import json
import re
import sysconfig
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from itertools import takewhile
from typing import IO, AnyStr, NamedTuple

import fsspec
from fsspec.core import OpenFile, get_compression, url_to_fs

from pipeline.storage.failures import explaining
from pipeline.storage.s3 import s3_options
from schemas.corpus import COMPRESSED, Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ZIP = (".zip", ".jar", ".whl")


class Source(NamedTuple):
    """A file, or an archive of files."""

    path: str  # or URI
    name: str  # its path below the deepest folder that holds all sources: the same wherever that folder lies
    is_archive: bool


def find_sources(settings: TextSettings) -> list[Source]:
    """The files that the settings name: pattern by pattern, in the order of their paths, each once.

    An archive is opened where its pattern ends as archives do; elsewhere it is a file like others. A file that is
    named itself is meant, whatever task.include says. Raises UsageError for a path that is not there, or is none
    that fsspec knows.
    """
    chosen: dict[str, bool] = {}
    for pattern in settings.files:
        is_archive = pattern.endswith(TAR + ZIP)
        folder, paths = _paths(pattern)
        for path in paths:
            if is_archive or folder is None or _is_wanted(path.removeprefix(folder), settings):
                chosen.setdefault(path, is_archive)

    above = _common_folder(chosen)
    return [Source(path, path.removeprefix(above), is_archive) for path, is_archive in chosen.items()]


def read_documents(source: Source, settings: TextSettings) -> Iterator[Document]:
    """The documents of a source as they are, bytes that are not UTF-8 as lone surrogates (surrogateescape).

    Nothing more than a document is held in memory. Raises UsageError for a document that is larger than the
    settings allow or a row without the column, StorageError for a file that cannot be read.
    """
    try:
        with explaining(f"cannot read {source.path}"):
            for name, stream in _streams(source, settings):
                yield from _DOCUMENTS[settings.documents](name, stream, settings)
    except FileNotFoundError:
        raise UsageError(f"task.files: there is no {source.path}") from None


def read_file(path: str) -> bytes:
    """A file's bytes, by path or URI. Raises UsageError when it is not there, StorageError when unreadable."""
    try:
        with explaining(f"cannot read {path}"), _opened(path) as stream:
            return stream.read()
    except FileNotFoundError:
        raise UsageError(f"there is no {path}") from None


def _paths(pattern: str) -> tuple[str | None, list[str]]:
    """The folder that a pattern begins with, None where it is the name of a file, and the files it stands for."""
    where = pattern.replace("{stdlib}", sysconfig.get_path("stdlib"))
    with explaining(f"cannot list {where}"):
        system, path = _file_system(where)
        folder: str | None = None
        if system.isdir(path):
            folder, paths = f"{path.rstrip('/')}/", system.find(path)
        elif system.exists(path):  # before it is taken for a pattern: a name may hold brackets
            paths = [path]
        elif mark := re.search(r"[*?[]", path):
            folder = path[: path.rfind("/", 0, mark.start()) + 1]
            paths = [name for name, kind in system.glob(path, detail=True).items() if kind["type"] != "directory"]
        else:
            raise UsageError(f"task.files: there is no {where}")

    protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    if "file" in protocols:
        return folder, sorted(paths)
    return folder and system.unstrip_protocol(folder), list(map(system.unstrip_protocol, sorted(paths)))


def _common_folder(paths: Collection[str]) -> str:
    """The deepest folder that holds all paths, with its closing slash."""
    ends = zip(min(paths, default=""), max(paths, default=""), strict=False)  # what they share, all between share
    shared = "".join(character for character, _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return shared[: shared.rfind("/") + 1]


def _is_wanted(path: str, settings: TextSettings) -> bool:
    """Whether a path, below its pattern's folder or in an archive, is to be read; `*/test/*` fits at once."""
    forms = {path, *(path.removesuffix(ending) for ending in COMPRESSED)}
    forms |= {form.rsplit("/", 1)[-1] for form in forms} | {f"/{form}" for form in forms}
    return _fits(forms, settings.include) and not _fits(forms, settings.exclude)


def _fits(forms: Collection[str], masks: Collection[str]) -> bool:
    """Whether any of a path's forms fits any of the masks."""
    return any(fnmatch(form, mask) for form in forms for mask in masks)


def _streams(source: Source, settings: TextSettings) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a source, opened, with their names."""
    if not source.is_archive:
        with _opened(source.path, "infer") as stream:
            yield source.name, stream

    elif source.path.endswith(TAR):
        with _opened(source.path) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            for tar_member in tar:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps one for each member of the archive
                tar_file = tar.extractfile(tar_member) if tar_member.isfile() else None
                if tar_file and _is_wanted(tar_member.name, settings):
                    yield f"{source.name}/{tar_member.name}", tar_file

    else:
        with _opened(source.path) as file, zipfile.ZipFile(file) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                if not member.is_dir() and _is_wanted(member.filename, settings):
                    with archive.open(member) as zip_file:
                        yield f"{source.name}/{member.filename}", zip_file


@contextmanager
def _opened(path: str, compression: str | None = None) -> Iterator[IO[bytes]]:
    system, place = _file_system(path)
    with OpenFile(system, place, compression=get_compression(place, compression)) as stream:
        yield stream


def _file_system(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Where a path or URI lies; S3 is reached as lakes on it are."""
    try:
        system, place = url_to_fs(path, **(s3_options() if path.startswith(("s3://", "s3a://")) else {}))
    except (ValueError, ImportError) as error:
        raise UsageError(f"{path!r} is no path or URI that fsspec knows: {error}") from None
    return system, place


def _whole(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[Document]:
    data = stream.read(settings.maximum_document + 1)
    _check_size(name, len(data), settings)
    yield Document(name, _decoded(data))


def _lines(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[Document]:
    for number, line in _each_line(name, stream, settings):
        yield Document(f"{name}:{number}", _ended(_decoded(line)))


def _json_rows(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[Document]:
    for number, line in _each_line(name, stream, settings):
        try:
            row = json.loads(_decoded(line).removeprefix("\ufeff"))
        except ValueError as error:
            raise UsageError(f"{name}:{number} is not JSON: {error}") from None
        text = row.get(settings.column) if isinstance(row, dict) else None
        if not isinstance(text, str):
            there = f", only {', '.join(map(str, row))}" if isinstance(row, dict) else ""
            raise UsageError(f"{name}:{number} has no text under {settings.column!r}{there}: set task.column")
        yield Document(f"{name}:{number}", _ended(text))


def _csv_rows(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[Document]:
    csv.field_size_limit(settings.maximum_document)
    text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
    lines = (line for _, line in _bounded_lines(name, text, settings))
    rows = csv.DictReader(lines, delimiter="\t" if ".tsv" in name.rsplit("/", 1)[-1] else ",")
    try:
        if settings.column not in (rows.fieldnames or ()):
            there = ", ".join(rows.fieldnames or ()) or "none"
            raise UsageError(f"{name} has no column {settings.column!r}, only {there}: set task.column")
        for row in rows:
            yield Document(f"{name}:{rows.line_num}", _ended(row[settings.column] or ""))
    except csv.Error as error:
        raise UsageError(f"{name}:{rows.line_num + 1} cannot be read as CSV: {error}") from None


_DOCUMENTS = {"file": _whole, "line": _lines, "jsonl": _json_rows, "csv": _csv_rows}


def _each_line(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers from 1."""
    return ((number, line) for number, line in _bounded_lines(name, stream, settings) if line.strip())


def _bounded_lines(name: str, stream: IO[AnyStr], settings: TextSettings) -> Iterator[tuple[int, AnyStr]]:
    number = 0
    while line := stream.readline(settings.maximum_document + 1):
        number += 1
        _check_size(f"{name}:{number}", len(line), settings)
        yield number, line


def _check_size(name: str, size: int, settings: TextSettings) -> None:
    if size > settings.maximum_document:
        raise UsageError(
            f"{name} is larger than task.maximum_document = {settings.maximum_document:,} bytes, and a document "
            'is held in memory: raise it, exclude it, or read lines with task.documents = "line"'
        )


def _ended(text: str) -> str:
    """A line or row with the one newline that tells its end."""
    return text.rstrip("\r\n") + "\n"


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
