"""What is done to a document before it is cut into sequences; the same wherever and whenever it is read."""

import re

from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings

_UTF16 = ("utf-16-be", "utf-16-le")  # by the place of the zero in each pair of bytes, for most letters
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# Halves of a surrogate pair, which JSON may hold alone; those that stand for bytes that are not UTF-8 excepted.
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def cleaned(document: Document, settings: TextSettings) -> Document | str:
    """A document as the settings want it, or why it is left out.

    Args:
        document: as read, with the bytes that are not UTF-8 as lone surrogates (Python's surrogateescape).
        settings: of the text.

    Raises UsageError for a document that is no text, unless the settings replace or skip it.
    """
    text = document.text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")  # a mark of UTF-8 at a file's start
    if not _is_text(text):
        if settings.not_utf8 == "skip":
            return f"not {_called(document, settings)}"
        if settings.not_utf8 == "error":
            raise UsageError(_not_text(document, settings))
        text = _HALVES.sub(UNKNOWN, text)
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", UNKNOWN)

    if settings.line_ends == "unix" and "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if settings.tabs:
        text = text.expandtabs(settings.tabs)

    if settings.not_ascii != "keep" and not text.isascii():
        if settings.not_ascii == "skip":
            return "not ASCII"
        text = "".join(c if c.isascii() else UNKNOWN for c in text)

    return Document(document.name, text) if len(text) >= settings.minimum_length else "too short"


def _is_text(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _called(document: Document, settings: TextSettings) -> str:
    """The name of its encoding."""
    return (document.mark or settings.encoding).upper().removesuffix("-SIG")


def _not_text(document: Document, settings: TextSettings) -> str:
    name, called = document.name, _called(document, settings)
    advice = 'set task.not_utf8 = "replace" or "skip", or exclude it'
    likely = "" if called.startswith(("UTF-16", "UTF-32")) else _likely(document.text[:1000])
    hint = f'perhaps it is {likely}: set task.encoding = "{likely}"; else ' if likely else ""
    try:
        before = document.text.encode()
    except UnicodeEncodeError as error:
        after = f"after {error.start} characters"
        if settings.documents in ("json", "jsonl") and _HALVES.match(document.text, error.start):  # by an escape
            return f"{name} has half a character ({after}), as where a text was cut within an emoji: {advice}"
        if document.mark:
            return f"{name} is not {called}, as its byte order mark says ({after}): {advice}"
        where = f"byte {len(document.text[: error.start].encode())}" if called == "UTF-8" else after
        return f"{name} is not {called} ({where}): {hint}{advice}{'' if hint else ', or set task.encoding'}"
    return f"{name} is binary (a zero byte at {before.index(0)}): {hint}{advice}"


def _likely(text: str) -> str:
    """The encoding of 16 bits that a text may have: one half of each pair is zeros, the other hardly."""
    counts = [text[side::2].count("\0") for side in (0, 1)]
    for name, own, other in zip(_UTF16, counts, reversed(counts), strict=True):
        if own > len(text) / 4 and other < own / 10:
            return name
    return ""
