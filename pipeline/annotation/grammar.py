"""Reads the strings and comments of a language that a grammar of regular expressions describes, in linear time.

Code in the brackets of an interpolated string, as of `f"a {b}"`, is code, and may hold strings of its own.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

STRING = "string"
LINE_COMMENT, BLOCK_COMMENT, DOC_COMMENT = "line_comment", "block_comment", "doc_comment"
MARKS_OF_COMMENTS = re.compile(r"/\*|\*/")

Region = tuple[int, int, str]  # the first character, the one after the last, and what they are


@dataclass(frozen=True)
class Literal:
    """How a string goes on once it is open: to its end, to its line's, or to code that stands in it."""

    rest: re.Pattern[str]  # what belongs to it; the group `hole` is the mark that opens code
    closing: str = "}"  # what ends that code
    clause: re.Pattern[str] | None = None  # opens the format of that code's value, up to its closing mark
    format: re.Pattern[str] | None = None  # as `rest`, for that format


@dataclass(frozen=True)
class Grammar:
    """A language's tokens: groups named as the regions are, `nested` for /* that nest, `open` for a `Literal`.

    A token without a group is code whose characters are not to be read as anything else.
    """

    tokens: re.Pattern[str]
    tokens_and_brackets: re.Pattern[str]
    literal: Callable[[str], Literal] | None = None  # of what opens it


@dataclass
class _Frame:
    """A string that has been opened and not closed, or the code within it."""

    literal: Literal
    is_code: bool = False
    depth: int = 0  # brackets that are open in the code


def grammar(tokens: str, literal: Callable[[str], Literal] | None = None) -> Grammar:
    """A grammar of tokens written as a verbose regular expression."""
    within = rf"{tokens} | (?P<bracket> [()\[\]{{}}] ) | (?P<clause> (?<!:):(?!:)|!(?!=) )"
    flags = re.VERBOSE | re.DOTALL | re.MULTILINE
    return Grammar(re.compile(tokens, flags), re.compile(within, flags), literal)


def read(text: str, of: Grammar) -> Iterator[Region]:
    """Every region of a text that is no code, in order. Never raises, whatever the text."""
    frames: list[_Frame] = []
    place = 0
    while True:
        if frames and not frames[-1].is_code:
            end = _read_string(text, place, frames)
            yield place, end, STRING
            place = end
            continue

        match = (of.tokens_and_brackets if frames else of.tokens).search(text, place)
        if not match:
            return
        kind, start, place = match.lastgroup, *match.span()
        if kind in ("bracket", "clause"):
            place = _within_string(text, start, frames)
            if not frames[-1].is_code:
                yield start, place, STRING
        elif kind == "open":
            assert of.literal
            frames.append(_Frame(of.literal(match.group())))
            yield start, place, STRING
        elif kind == "nested":
            place = _end_of_nested(text, start)
            is_documentation = text.startswith("/**", start) and not text.startswith("/**/", start)
            yield start, place, DOC_COMMENT if is_documentation else BLOCK_COMMENT
        elif kind:
            yield start, place, kind


def _read_string(text: str, place: int, frames: list[_Frame]) -> int:
    """Go on in the string that is open innermost; where what has been read of it ends."""
    literal = frames[-1].literal
    match = literal.rest.match(text, place)
    assert match
    if match.lastgroup == "hole":
        frames.append(_Frame(literal, is_code=True))
    else:
        frames.pop()
    return match.end()


def _within_string(text: str, place: int, frames: list[_Frame]) -> int:
    """Take note of a bracket, or of what may open a format, in code within a string; where it ends."""
    frame, character = frames[-1], text[place]
    literal = frame.literal
    if character in "([{":
        frame.depth += 1
    elif frame.depth:
        frame.depth -= character in ")]}"
    elif text.startswith(literal.closing, place):
        frames.pop()
        return place + len(literal.closing)
    elif literal.format and literal.clause and literal.clause.match(text, place):
        frames[-1] = _Frame(replace(literal, rest=literal.format))
    return place + 1


def _end_of_nested(text: str, place: int) -> int:
    depth = 0
    for match in MARKS_OF_COMMENTS.finditer(text, place):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)
