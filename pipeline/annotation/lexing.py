"""Which characters of a source text are code, and which lie in strings and comments.

Languages: "python", and "c_like" for those that write /* */ and // (Java, C, JavaScript, Go …); in "plain" text
all is code. A string that does not end is read to the end of its line, or of the text where it may hold line ends.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from pipeline.annotation.signatures import python_headers
from pipeline.annotation.values import Span
from schemas.corpus import suffix_of

LANGUAGES = ("python", "c_like", "plain")
SUFFIXES = {
    "python": (".py", ".pyi"),
    "c_like": (
        *(".java", ".kt", ".scala", ".cs", ".swift", ".go", ".js", ".ts"),
        *(".c", ".h", ".cc", ".cpp", ".hpp"),
    ),
}
CODE, STRING = "code", "string"
LINE_COMMENT, BLOCK_COMMENT, DOC_COMMENT = "line_comment", "block_comment", "doc_comment"
DOC_STRING = "doc_string"  # Python's: a string to the language, a documentation comment to its reader
COMMENTS = (LINE_COMMENT, BLOCK_COMMENT, DOC_COMMENT)
STRINGS = (STRING, DOC_STRING)

_PYTHON = re.compile(
    rf"""
    (?P<{LINE_COMMENT}> \#[^\n]* )
    | (?P<{STRING}> [rRbBuUfF]{{0,2}} (?:
        (?P<quotes> \"\"\"|''') (?: \\.|[^\\] )*? (?: (?P=quotes)|\Z )
        | "(?: \\.|[^"\\\n] )*"? | '(?: \\.|[^'\\\n] )*'? ) )
    | \w+
    """,
    re.VERBOSE | re.DOTALL,
)
_C_LIKE = re.compile(
    rf"""
    (?P<{LINE_COMMENT}> //[^\n]* )
    | (?P<{DOC_COMMENT}> /\*\*(?!/) .*? (?: \*/|\Z ) )
    | (?P<{BLOCK_COMMENT}> /\* .*? (?: \*/|\Z ) )
    | (?P<{STRING}> \"\"\" (?: \\.|[^\\] )*? (?: \"\"\"|\Z )
        | "(?: \\.|[^"\\\n] )*"? | '(?: \\.|[^'\\\n] )*'? | `[^`]*`? )
    """,
    re.VERBOSE | re.DOTALL,
)

_WHITE = re.compile(r"[\s\ufeff]*+")


def language_of(name: str) -> str:
    """The language of a file by its suffix, "plain" when it is none that we know."""
    suffix = suffix_of(name)
    return next((language for language, suffixes in SUFFIXES.items() if suffix in suffixes), "plain")


def regions(text: str, language: str) -> list[str]:
    """The kind of region of each character; quotes, # and comment marks belong to what they open."""
    kinds = [CODE] * len(text)
    if language == "plain":
        return kinds

    strings: list[Span] = []
    for match in (_PYTHON if language == "python" else _C_LIKE).finditer(text):
        kind = match.lastgroup if match.lastgroup != "quotes" else STRING
        if kind is None:  # a word, whose last letters are no string's prefix
            continue
        if kind == STRING:
            strings.append(match.span())
        kinds[match.start() : match.end()] = [kind] * (match.end() - match.start())

    if language == "python":
        for start, end in _documentation(_blanked(text, kinds), strings):
            kinds[start:end] = [DOC_STRING] * (end - start)
    return kinds


def code_of(text: str, language: str) -> str:
    """The text with a space for every character outside the code; line ends stay."""
    return _blanked(text, regions(text, language))


def _blanked(text: str, kinds: Sequence[str]) -> str:
    return "".join(c if kind == CODE or c == "\n" else " " for c, kind in zip(text, kinds, strict=True))


def _documentation(code: str, strings: Sequence[Span]) -> list[Span]:
    """The strings that open the text or follow the header of a def or class; comments may stand between."""
    starts = [start for start, _ in strings]
    opening = []
    for end in (0, *(end for _, _, end in python_headers(code))):
        place = bisect_left(starts, end)
        white = _WHITE.match(code, end)
        if place < len(starts) and white and starts[place] <= white.end():
            opening.append(strings[place])
    return opening
