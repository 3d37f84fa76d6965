"""Hypotheses about source code in any language of `schemas.languages`; in plain text all is code.

What only the rest of the text decides (how far a line goes, whether a name begins a method) is told of the whole.
"""

import re
from itertools import accumulate

from pipeline.annotation.grammar import BLOCK_COMMENT, DOC_COMMENT, LINE_COMMENT
from pipeline.annotation.lexing import CODE, COMMENTS, DOC_STRING, STRINGS, code_of, regions
from pipeline.annotation.signatures import python_signatures, signatures_in_braces
from pipeline.annotation.values import Values, inside

_AT = re.compile(r"(?<!\w)@\w[\w.]*")  # not Kotlin's return@label
_PYTHON_AT = re.compile(r"^[ \t]*(@\w[\w.]*)", re.MULTILINE)  # elsewhere @ multiplies matrices
_LICENCE = re.compile(r"licen[cs]e|copyright", re.IGNORECASE)


def bracket_depth(text: str, language: str) -> Values:
    """Open brackets ( [ { after this character, outside strings and comments; never below 0."""
    return _depth(text, language, "([{", ")]}")


def round_depth(text: str, language: str) -> Values:
    """Open round brackets after this character, outside strings and comments; never below 0."""
    return _depth(text, language, "(", ")")


def square_depth(text: str, language: str) -> Values:
    """Open square brackets after this character, outside strings and comments; never below 0."""
    return _depth(text, language, "[", "]")


def curly_depth(text: str, language: str) -> Values:
    """Open curly brackets after this character, outside strings and comments; never below 0."""
    return _depth(text, language, "{", "}")


def in_string(text: str, language: str) -> Values:
    """Whether the character is in a string or character literal; its quotes and prefix count as inside."""
    return _within(text, language, STRINGS)


def in_comment(text: str, language: str) -> Values:
    """Whether the character is in a comment of any kind; in Python from its # to the end of its line."""
    return _within(text, language, COMMENTS)


def in_line_comment(text: str, language: str) -> Values:
    """Whether the character is in a comment that ends with its line: # or //."""
    return _within(text, language, (LINE_COMMENT,))


def in_block_comment(text: str, language: str) -> Values:
    """Whether the character is in a /* comment */, documentation or not."""
    return _within(text, language, (BLOCK_COMMENT, DOC_COMMENT))


def in_doc_comment(text: str, language: str) -> Values:
    """Whether the character is in a documentation comment: /** … */, or a Python docstring."""
    return _within(text, language, (DOC_COMMENT, DOC_STRING))


def in_method_signature(text: str, language: str) -> Values:
    """Whether the character is in a signature: in Python from def to its colon; else from the name to { or ;.

    A method is a name with parentheses after a type or modifiers, or before a {; not a call, nor what is assigned.
    """
    find = python_signatures if language == "python" else signatures_in_braces
    return inside(text, find(code_of(text, language)))


def after_at(text: str, language: str) -> Values:
    """Whether the character is in an annotation's or decorator's name, from its @ onwards, in code only.

    In C# an @ makes a name of a keyword, and there is none.
    """
    if language == "csharp":
        return [0.0] * len(text)
    pattern, group = (_PYTHON_AT, 1) if language == "python" else (_AT, 0)
    return inside(text, [match.span(group) for match in pattern.finditer(code_of(text, language))])


def in_licence_header(text: str, language: str) -> Values:
    """Whether the character is in the comments that open the text, if they speak of a licence or copyright."""
    kinds = regions(text, language)
    end = next(
        (place for place, kind in enumerate(kinds) if kind == CODE and not text[place].isspace()), len(text)
    )
    header = text[:end].rstrip()
    return inside(text, [(0, len(header))] if _LICENCE.search(header) else [])


def _depth(text: str, language: str, opening: str, closing: str) -> Values:
    changes = ((c in opening) - (c in closing) for c in code_of(text, language))
    depths = accumulate(changes, lambda depth, change: max(0, depth + change), initial=0)
    next(depths)
    return [float(depth) for depth in depths]


def _within(text: str, language: str, kinds: tuple[str, ...]) -> Values:
    return [float(kind in kinds) for kind in regions(text, language)]
