"""The texts in CSV and TSV, strictly: a row that can be read in two ways is refused, never guessed.

The csv module reads. It guesses at quotes in the middle of a field, so each row is held against a grammar too.
DuckDB's and pyarrow's readers take no stream in another encoding or with damaged characters, and guess as well.
"""

import csv
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from schemas.errors import UsageError
from schemas.task_settings import TextSettings

# What MySQL and PostgreSQL write after an escape for a character that is not itself; N is NULL.
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "Z": "\x1a"}
_NULL = "\ufdd0"  # a code point that is never a character


class _Marks(NamedTuple):
    delimiter: str
    quote: str  # empty: none
    escape: str  # empty: none


def csv_texts(name: str, lines: Iterator[str], settings: TextSettings) -> Iterator[tuple[int, str]]:
    """The texts under task.column, an empty one for NULL, with the numbers of the lines that they begin in.

    `lines` keep their ends. Raises UsageError, with the line, for a row that cannot be read for certain.
    """
    rows = _rows(name, lines, settings)
    _, header = next(rows, (1, []))
    if not header:
        raise UsageError(f"{name} is empty, without even a header: exclude it")
    if settings.column not in header:
        raise UsageError(_no_column(name, header, settings))
    if header.count(settings.column) > 1:
        raise UsageError(f"{name} has several columns {settings.column!r}: rename all but one")

    place = header.index(settings.column)
    for number, row in rows:
        if len(row) != len(header):
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            raise UsageError(
                f"{name}:{number} has {fields} and the header {len(header)}: mend it, or set "
                "task.delimiter, task.quote or task.escape to what was used"
            )
        yield number, "" if row[place] == _NULL else row[place].replace(_NULL, "N")


def _no_column(name: str, header: list[str], settings: TextSettings) -> str:
    if header[0].startswith("sep=") and not any(header[1:]):
        mark = header[0][4:]  # empty where it is the delimiter by which the line was read
        more = f", and set task.delimiter = {mark!r}" if mark else ""
        return f"{name} begins with 'sep={mark}', a note for Excel and no header: remove that line{more}"
    hint = "" if settings.delimiter else " or task.delimiter"
    there = ", ".join(map(repr, header))  # quoted: a space in a name is seen
    return f"{name} has no column {settings.column!r}, only {there}: set task.column{hint}"


def _rows(name: str, lines: Iterator[str], settings: TextSettings) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the numbers of their first lines."""
    csv.field_size_limit(settings.maximum_document)
    marks = _marks(name, settings)
    is_well_formed, is_odd = _grammar(marks), _odd(marks, settings)
    taken: list[str] = []
    rows = csv.reader(
        _noted(lines, taken, marks.escape),
        delimiter=marks.delimiter,
        quotechar=marks.quote or None,
        quoting=csv.QUOTE_MINIMAL if marks.quote else csv.QUOTE_NONE,
        escapechar=marks.escape or None,
        strict=True,
    )
    number = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            _refuse(name, number, f"cannot be read as CSV from there on: {error}", marks)
        raw = "".join(taken)
        if odd := is_odd(raw):
            raise UsageError(f"{name}:{number} {odd}")
        if not is_well_formed(raw):
            _refuse(name, number, "has a quote within a field that is not quoted", marks)
        if row:
            yield number, row
        number += len(taken)
        taken.clear()


def _marks(name: str, settings: TextSettings) -> _Marks:
    is_tsv = re.search(r"\.(tsv|tab)\b", name.rsplit("/", 1)[-1], re.IGNORECASE)
    delimiter = settings.delimiter or ("\t" if is_tsv else ",")
    quote = ("" if delimiter == "\t" else '"') if settings.quote is None else settings.quote
    return _Marks(delimiter, quote, settings.escape or "")


def _noted(lines: Iterator[str], taken: list[str], escape: str) -> Iterator[str]:
    """The same lines, noted as they are taken, with what an escaped letter stands for in its place."""
    pair = re.compile(re.escape(escape) + r"(.)", re.DOTALL)

    def meant(found: re.Match[str]) -> str:
        """The escape, and the character itself."""
        letter = found[1]
        return escape + (_NULL if letter == "N" else _ESCAPED.get(letter, letter))

    for line in lines:
        taken.append(line)
        yield pair.sub(meant, line) if escape and escape in line else line


def _grammar(marks: _Marks) -> Callable[[str], object]:
    """Whether the lines of a row are one by the rules of RFC 4180, with the marks and escapes that are set."""
    delimiter, quote, escape = map(re.escape, marks)
    pair = f"|{escape}." if escape else ""
    plain = rf"(?:[^{delimiter}{quote}{escape}\r\n]++{pair})*+"
    quoted = f"{quote}(?:[^{quote}{escape}]++|{quote}{quote}{pair})*+{quote}"
    field = f"(?:{quoted}|{plain})" if quote else plain
    return re.compile(rf"{field}(?:{delimiter}{field})*+[\r\n]*+", re.DOTALL).fullmatch


def _odd(marks: _Marks, settings: TextSettings) -> Callable[[str], str]:
    """What may mean two things in a row, and what to set; empty: nothing."""
    delimiter = re.escape(marks.delimiter)
    quote = re.escape(marks.quote or '"')
    is_escape = re.compile(rf"\\(?:[{delimiter}{quote}\r\n]|\Z)").search
    begins = re.compile(rf'(?:\A|{delimiter})"').search

    def what(raw: str) -> str:
        """Of the lines of a row."""
        if settings.escape is None and "\\" in raw and is_escape(raw):
            return (
                "has a backslash before a delimiter, a quote or a line end: set task.escape = '\\' if it makes "
                'that a part of the text, "" if it is only a backslash'
            )
        if settings.quote is None and not marks.quote and '"' in raw and begins(raw):
            return 'has a field that begins with a quote: set task.quote = \'"\' if it encloses the field, else ""'
        return ""

    return what


def _refuse(name: str, number: int, why: str, marks: _Marks) -> NoReturn:
    how = ""
    if quote := marks.quote:
        how = (
            f': within a quoted field a {quote} is written twice. Mend it, or set task.quote = "" if quotes are '
            "only characters, or task.escape = '\\' if a backslash stands before them"
        )
    raise UsageError(f"{name}:{number} {why}{how}")
