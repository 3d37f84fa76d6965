"""Hypotheses about Python source. A window that opens inside a string or bracket is read as if it did not.

Strings are '…' and "…" to the end of their line at most, '''…''' and three double quotes over lines; comments
run from # to the end of the line; brackets count outside both.
"""

import re

from pipeline.annotation.tasks import Values

_QUOTES = ("'''", '"""', "'", '"')
TAB = 8  # columns, as Python's own tokenizer counts


def line_position(text: str) -> Values:
    """Characters since the line began; 0 at its first character."""
    values: Values = []
    start = 0
    for step, character in enumerate(text):
        values.append(float(step - start))
        if character == "\n":
            start = step + 1
    return values


def indent_depth(text: str) -> Values:
    """Columns of white space that open the line; nothing within that white space, nor on an empty line."""
    values: Values = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        body = line.lstrip(" \t")
        indent = line[: len(line) - len(body)]
        columns = float(len(indent.expandtabs(TAB)))
        values += [None] * len(indent)
        values += [columns if body.strip() else None] * len(body)
    return values


def bracket_depth(text: str) -> Values:
    """Open brackets ( [ { after this character, outside strings and comments; never below 0."""
    values: Values = []
    depth = 0
    for character, region in zip(text, _regions(text), strict=True):
        if region == "code":
            depth += character in "([{"
            depth = max(0, depth - (character in ")]}"))
        values.append(float(depth))
    return values


def in_string(text: str) -> Values:
    """Whether the character lies in a string; its quotes count as inside."""
    return [float(region == "string") for region in _regions(text)]


def in_comment(text: str) -> Values:
    """Whether the character lies in a comment, from its # to the end of its line."""
    return [float(region == "comment") for region in _regions(text)]


def _regions(text: str) -> list[str]:
    """code, string or comment for each character."""
    regions: list[str] = []
    while (place := len(regions)) < len(text):
        quote = next((quote for quote in _QUOTES if text.startswith(quote, place)), None)
        if quote:
            regions += ["string"] * (_string_end(text, place + len(quote), quote) - place)
        elif text[place] == "#":
            end = text.find("\n", place)
            regions += ["comment"] * ((end if end >= 0 else len(text)) - place)
        else:
            regions.append("code")
    return regions


def _string_end(text: str, start: int, quote: str) -> int:
    """Where a string that begins at `start` ends: after its closing quote, at a line's end, or at the text's."""
    stop = re.compile(r"\\.|" + quote + ("" if len(quote) == 3 else r"|\n"), re.DOTALL)
    for match in stop.finditer(text, start):
        if match.group() == "\n":
            return match.start()
        if match.group() == quote:
            return match.end()
    return len(text)
