"""The texts in JSON: in one record, or in a file that is one list of records, as archives of tweets are.

    window.YTD.tweets.part0 = [ {"tweet": {"full_text": "so it goes", …}}, … ]

The list is read record by record, so that a file may be larger than memory.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from schemas.errors import UsageError
from schemas.task_settings import TextSettings

_AT_ONCE = 1 << 16  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
_ASSIGNMENT = re.compile(r"\ufeff?[\w.$\[\]\"'\s]*?=\s*(?=\[)")
_TWICE = object()  # the value of a key that a record has twice
_KINDS = {
    type(None): "null",
    bool: "true or false",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a record",
}


def _record(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A record in which keys that it has twice are marked: Python's reader takes the last, others the first."""
    record = dict(pairs)
    if len(record) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        record |= dict.fromkeys((key for key, count in counts.items() if count > 1), _TWICE)
    return record


# Numbers are not wanted; a whole one of more than 4,300 digits would be refused.
_DECODER = json.JSONDecoder(object_pairs_hook=_record, parse_int=float)


def record_of(line: str, name: str) -> object:
    """The record that a line holds. Raises UsageError for what is no JSON."""
    try:
        return _DECODER.decode(line)
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:
        is_list = line.lstrip().startswith("[") or "= [" in line
        more = ': is the file one list? set task.documents = "json"' if is_list else ""
        raise UsageError(f"{name} is not JSON: {error}{more}") from None


def text_of(record: object, name: str, settings: TextSettings) -> str:
    """The text of a record, under task.column: a key, or a path of keys with dots between; empty where it is null.

    Raises UsageError where there is no text, or a key of the path stands twice.
    """
    if not isinstance(record, dict):
        raise UsageError(f"{name} is {_KINDS[type(record)]}, not a record{_hint(record, settings)}")

    value: Any = record
    for key in [settings.column] if settings.column in record else settings.column.split("."):
        if not isinstance(value, dict) or key not in value:
            there = ", ".join(map(repr, _paths(record))) or "no keys"
            raise UsageError(f"{name} has no text under {settings.column!r}, only {there}: set task.column")
        value = value[key]
        if value is _TWICE:
            raise UsageError(f"{name} has the key {key!r} twice: remove one, or set task.column to another key")
    if value is None:
        return ""  # as NULL is in CSV
    if not isinstance(value, str):
        raise UsageError(f"{name} has {_KINDS[type(value)]} under {settings.column!r}, not text: set task.column")
    return value


def json_texts(name: str, text: io.TextIOWrapper, settings: TextSettings) -> Iterator[tuple[int, str]]:
    """The texts of a list's records, with their numbers from 1.

    Raises UsageError for what is no list of records, ends early, or goes on after its end.
    """
    for number, record in enumerate(_Records(name, text, settings.maximum_document), 1):
        yield number, text_of(record, f"{name}:{number}", settings)


def _hint(record: object, settings: TextSettings) -> str:
    if isinstance(record, list) and settings.documents == "jsonl":
        return ': is the file one list? set task.documents = "json"'
    return f': what is read has the form {{"{settings.column}": "…"}}'


def _too_deep(name: str) -> UsageError:
    return UsageError(f"{name} holds lists or records within one another, too deep to be read: mend or exclude it")


def _paths(record: dict[str, object], above: str = "") -> Iterator[str]:
    """What task.column may be, for a record's keys and those within them."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


class _Records:
    """The elements of a list, one at a time."""

    def __init__(self, name: str, text: io.TextIOWrapper, most: int) -> None:
        self._name, self._text, self._most = name, text, most
        self._ahead, self._at = "", 0  # what was read, and how much of it is done with
        self._number = 0

    def __iter__(self) -> Iterator[object]:
        self._more()
        if begin := _ASSIGNMENT.match(self._ahead):
            self._at = begin.end()
        if self._next() != "[":
            hint = ': is each line a record? set task.documents = "jsonl"' if self._next() == "{" else ""
            raise UsageError(f"{self._name} is no list of JSON records{hint}")
        self._at += 1

        mark = self._next()
        if mark == "]":
            self._at += 1
        while mark != "]":
            self._number += 1
            yield self._element()
            mark = self._next()
            if mark not in (",", "]"):
                raise self._refusal("a comma or the end of the list is missing")
            self._at += 1

        if self._next() == ";":
            self._at += 1
        if self._next():
            records = "1 record" if self._number == 1 else f"{self._number:,} records"
            raise UsageError(f"{self._name} goes on after the end of its list of {records}")

    def _element(self) -> object:
        self._next()
        while True:
            try:
                element, self._at = _DECODER.raw_decode(self._ahead, self._at)
            except RecursionError:
                raise _too_deep(f"{self._name}:{self._number}") from None
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self._ahead) - 10
                if is_cut and len(self._ahead) - self._at > self._most:
                    most = f"task.maximum_document = {self._most:,} bytes"
                    raise UsageError(f"{self._name}:{self._number} is larger than {most}: raise it") from None
                if not (is_cut and self._more()):
                    raise self._refusal(error.msg) from None
            else:
                return element

    def _next(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            space = _SPACE.match(self._ahead, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._ahead):
                return self._ahead[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, as much as is ahead: what is read again and again stays a share of it."""
        ahead = self._ahead[self._at :]
        text = self._text.read(max(_AT_ONCE, len(ahead)))
        self._ahead, self._at = ahead + text, 0
        return bool(text)

    def _refusal(self, why: str) -> UsageError:
        more = "" if self._text.read(1) else " (the file ends there, or soon after)"
        return UsageError(f"{self._name}:{self._number} is not JSON: {why}{more}")
