"""Which characters of a source text are code, and which lie in strings and comments; in "plain" text all is code.

Code within a string, as of `f"a {b}"` or a template's ${b}, is code; its brackets are the string's. What opens a
string and does not close it is read to the end of its line, or of the text where it may hold line ends.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import partial

from pipeline.annotation.grammar import BLOCK_COMMENT, DOC_COMMENT, LINE_COMMENT, STRING, Region, read
from pipeline.annotation.grammars import GRAMMARS
from pipeline.annotation.script import read_script
from pipeline.annotation.signatures import python_headers
from pipeline.annotation.values import Span
from schemas.corpus import suffix_of
from schemas.languages import SUFFIXES

CODE = "code"
DOC_STRING = "doc_string"  # Python's: a string to the language, a documentation comment to its reader
COMMENTS = (LINE_COMMENT, BLOCK_COMMENT, DOC_COMMENT)
STRINGS = (STRING, DOC_STRING)

_SCRIPTS = {
    "javascript": partial(read_script, jsx=True, typed=False),
    "tsx": partial(read_script, jsx=True, typed=True),
    "typescript": partial(read_script, jsx=False, typed=True),
}
_MAY_DOCUMENT = re.compile(r"[rRuU]?[\"']")  # bytes and f-strings do not
_WHITE = re.compile(r"[\s\ufeff]*+")


def language_of(name: str) -> str:
    """The language of a file by its suffix, "plain" when it is none that is read here."""
    suffix = suffix_of(name)
    return next((language for language, suffixes in SUFFIXES.items() if suffix in suffixes), "plain")


def regions(text: str, language: str) -> list[str]:
    """The kind of region of each character; quotes, # and comment marks belong to what they open."""
    kinds = [CODE] * len(text)
    found = list(_read(text, language))
    for start, end, kind in found:
        kinds[start:end] = [kind] * (end - start)

    if language == "python":
        strings = [(start, end) for start, end, kind in found if kind == STRING]
        for start, end in _documentation(text, _blanked(text, kinds), strings):
            kinds[start:end] = [DOC_STRING] * (end - start)
    return kinds


def code_of(text: str, language: str) -> str:
    """The text with a space for every character outside the code; line ends stay."""
    return _blanked(text, regions(text, language))


def _read(text: str, language: str) -> Iterable[Region]:
    if language == "plain":
        return ()
    return _SCRIPTS[language](text) if language in _SCRIPTS else read(text, GRAMMARS[language])


def _blanked(text: str, kinds: Sequence[str]) -> str:
    return "".join(c if kind == CODE or c == "\n" else " " for c, kind in zip(text, kinds, strict=True))


def _documentation(text: str, code: str, strings: Sequence[Span]) -> list[Span]:
    """The strings that open the text or follow the header of a def or class; comments may stand between."""
    starts = [start for start, _ in strings]
    opening = []
    for end in (0, *(end for _, _, end in python_headers(code))):
        place = bisect_left(starts, end)
        white = _WHITE.match(code, end)
        if place < len(starts) and white and starts[place] <= white.end():
            opening.append(strings[place])
    return [span for span in opening if _MAY_DOCUMENT.match(text, span[0])]
