"""The documents in a file: the whole of it, its lines, or one field of each of its records."""

import codecs
import io
from collections.abc import Iterator
from typing import IO

from pipeline.storage.csv_rows import csv_texts
from pipeline.storage.disguised import HEAD, LEFT_OUT, disguised
from pipeline.storage.json_records import json_texts, record_of, text_of
from pipeline.storage.unpacking import buffered
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings

# What a file of Unicode may begin with, longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ESCAPE = "unrolled.escape"


def documents_in(name: str, stream: IO[bytes], settings: TextSettings) -> Iterator[Document | str]:
    """A file's documents as they are, or why it is left out; bytes that are no characters as lone surrogates.

    The encoding is that of the file's byte order mark, or task.encoding without one.
    Raises UsageError for a document that is larger than the settings allow, a row that cannot be read for sure, or
    what is compressed or an archive and has another name, unless task.not_utf8 skips it.
    """
    file = buffered(stream)
    if found := disguised(name, file.peek(HEAD)[:HEAD]):
        if settings.not_utf8 != "skip":
            raise UsageError(found)
        yield LEFT_OUT
        return

    mark = _byte_order_mark(file)
    encoding = mark or settings.encoding
    if settings.documents == "file":
        yield _whole(name, file, encoding, settings)._replace(mark=mark)
        return

    text = io.TextIOWrapper(file, encoding, _ESCAPE, newline="" if settings.documents == "csv" else "\n")
    try:
        for number, row in _rows(name, text, settings):
            # The one newline tells its end.
            yield Document(f"{name}:{number}", row.rstrip("\r\n") + "\n", mark)
    finally:
        text.detach()  # else it closes the file


def _rows(name: str, text: io.TextIOWrapper, settings: TextSettings) -> Iterator[tuple[int, str]]:
    """A file's texts, with the numbers of their lines or records."""
    lines = _bounded_lines(name, text, settings)
    if settings.documents == "json":
        yield from json_texts(name, text, settings)
    elif settings.documents == "csv":
        yield from csv_texts(name, (line for _, line in lines), settings)
    else:
        for number, line in lines:
            if line.strip():
                is_json, place = settings.documents == "jsonl", f"{name}:{number}"
                yield number, text_of(record_of(line, place), place, settings) if is_json else line


def _byte_order_mark(file: io.BufferedReader) -> str:
    """The encoding that a file's byte order mark tells; empty without one."""
    head = file.peek(4)
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), "")


def _whole(name: str, file: io.BufferedReader, encoding: str, settings: TextSettings) -> Document:
    data = file.read(settings.maximum_document + 1)
    _check_size(name, len(data), settings)
    return Document(name, data.decode(encoding, _ESCAPE))


def _bounded_lines(name: str, text: io.TextIOWrapper, settings: TextSettings) -> Iterator[tuple[int, str]]:
    number = 0
    while line := text.readline(settings.maximum_document + 1):
        number += 1
        _check_size(f"{name}:{number}", len(line), settings)
        yield number, line


def _check_size(name: str, size: int, settings: TextSettings) -> None:
    if size > settings.maximum_document:
        raise UsageError(
            f"{name} is larger than task.maximum_document = {settings.maximum_document:,} bytes, and a document "
            'is held in memory: raise it, exclude it, or read lines with task.documents = "line"'
        )


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Bytes as lone surrogates, in any encoding: Python's surrogateescape takes none below 128."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPE, _escape)
