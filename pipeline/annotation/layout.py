"""Hypotheses about lines and white space, in any text."""

import re

from pipeline.annotation.values import Values, inside

TAB = 8  # columns, as Python's own tokenizer counts
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BLANK = re.compile(r"^[ \t]*(?:\n|\Z)", re.MULTILINE)


def line_position(text: str) -> Values:
    """Characters since the line began; 0 at its first character."""
    return [float(step) for line in _LINE.findall(text) for step in range(len(line))]


def line_remaining(text: str) -> Values:
    """Characters still to come in the line, 0 at its line end; nothing in a last line without one."""
    values: Values = []
    for line in _LINE.findall(text):
        ends = line.endswith("\n")
        values += [float(len(line) - 1 - step) if ends else None for step in range(len(line))]
    return values


def indent_depth(text: str) -> Values:
    """Columns of white space that open the line; nothing within that white space, nor on an empty line."""
    values: Values = []
    for line in _LINE.findall(text):
        body = line.lstrip(" \t")
        indent = line[: len(line) - len(body)]
        columns = float(len(indent.expandtabs(TAB)))
        values += [None] * len(indent)
        values += [columns if body.strip() else None] * len(body)
    return values


def spaces_read(text: str) -> Values:
    """Spaces read in a row, since the last tab, line end or other character; 0 at any of these."""
    values: Values = []
    count = 0
    for character in text:
        count = count + 1 if character == " " else 0
        values.append(float(count))
    return values


def in_blank_line(text: str) -> Values:
    """Whether the character belongs to a line of white space alone, its line end included."""
    return inside(text, [match.span() for match in _BLANK.finditer(text)])
