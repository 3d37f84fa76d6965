"""Tables and coloured text for a terminal."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

import pyarrow as pa

from pipeline.queries.number import shown_number
from schemas.signals import GATES

RGB = tuple[int, int, int]
Line = Sequence[tuple[str, float]]  # characters, each with its value
# Red - white - blue, as in "Exploring LSTMs": told apart with any of the common kinds of colour blindness.
NEGATIVE: RGB = (178, 24, 43)
MIDDLE: RGB = (247, 247, 247)
POSITIVE: RGB = (33, 102, 172)
# Characters that steer a terminal, as signs that stand for them; those above ASCII have none.
VISIBLE = {chr(code): chr(0x2400 + code) for code in range(32)} | {chr(code): "\ufffd" for code in range(127, 160)}
VISIBLE |= {"\n": "⏎", "\t": "→"}
GAP = "  "  # between two columns of a table
_NARROWEST = 12  # characters that a folded column keeps


class Scale(NamedTuple):
    """The values at the two ends of the colours."""

    low: float
    high: float


UNIT = Scale(-1.0, 1.0)


def scale_of(signal: str, widest: float) -> Scale:
    """0..1 for a gate, else symmetric about 0, up to the largest absolute value."""
    if signal in GATES:
        return Scale(0.0, 1.0)
    return Scale(-widest or -1.0, widest or 1.0)


def legend(scale: Scale, *, colour: bool) -> str:
    """What the colours or digits of `coloured_text` stand for."""
    if not colour:
        return f"0 is {scale.low:.3g}, 9 is {scale.high:.3g}"
    low, high = (_cell(f" {value:.3g} ", value, scale) for value in scale)
    return f"{low} to {high}"


def colour_of(value: float, scale: Scale) -> RGB:
    """The colour of a value: from white to blue for a gate, from red over white to blue else."""
    share = (value - scale.low) / (scale.high - scale.low)
    signed = share if scale.low == 0 else 2 * share - 1
    end = POSITIVE if signed >= 0 else NEGATIVE
    strength = min(1.0, abs(signed))
    red, green, blue = (round(m + (e - m) * strength) for m, e in zip(MIDDLE, end, strict=True))
    return red, green, blue


def by_character(chars: Sequence[str], values: Sequence[float]) -> Line:
    """Each character with the value of its step; a step may hold several."""
    return [(c, value) for text, value in zip(chars, values, strict=True) for c in text]


def coloured_text(chars: Sequence[str], steps: Sequence[float], scale: Scale, *, colour: bool) -> str:
    """The text of some steps with a value under each character, as background colours.

    Without colour a line of digits stands below each line of text: 0 is the scale's low end, 9 its high end.
    """
    cells = by_character(chars, steps)
    text, values = "".join(c for c, _ in cells), [value for _, value in cells]
    if colour:
        return "".join(_cell(c, value, scale) for c, value in cells).rstrip("\n")
    lines, start = [], 0
    for line in text.splitlines(keepends=True):
        here = values[start : start + len(line)]
        lines += ["".join(VISIBLE.get(c, c) for c in line), "".join(_digit(value, scale) for value in here)]
        start += len(line)
    return "\n".join(lines)


def printable(text: str) -> str:
    """A text as a terminal may print it: its lines and tabs as they are, nothing else that steers it."""
    return "".join(c if c in "\n\t" else VISIBLE.get(c, c) for c in text)


def format_table(table: pa.Table, rule: str = "─", room: int = 0) -> str:
    """A table in columns with ruled names: numbers to the right, text to the left, NULL as nothing.

    Args:
        table: of any types.
        rule: what the line below the names is made of.
        room: characters of a line; wider texts are folded at their spaces. 0: as wide as they are.
    """
    # Not rich's Table, which rules the gaps between columns too and pads the last one.
    columns = [[_shown(value) for value in column.to_pylist()] for column in table.columns]
    widths = [max(map(len, [name, *column])) for name, column in zip(table.column_names, columns, strict=True)]
    right = [pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in table.schema]
    if room:
        least = [
            width if is_right else min(width, _NARROWEST) for width, is_right in zip(widths, right, strict=True)
        ]
        widths = _narrowed(widths, least, room - len(GAP) * (len(widths) - 1))

    lines = [
        *_folded(table.column_names, widths, [False] * len(widths)),
        GAP.join(rule * width for width in widths),
    ]
    for row in zip(*columns, strict=True):
        lines += _folded(row, widths, right)
    return "\n".join(lines)


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widths of columns that shall fit, the widest ones made equal; none below its least."""
    capped = list(widths)
    for cap in range(max(widths, default=0), 0, -1):
        if sum(capped) <= room:
            break
        capped = [max(low, min(width, cap)) for width, low in zip(widths, least, strict=True)]
    return capped


def _folded(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """The lines of a row, as many as its longest text needs."""
    columns = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(cells, widths, strict=True)
    ]
    return [
        GAP.join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in zip_longest(*columns, fillvalue="")
    ]


def _cell(character: str, value: float, scale: Scale) -> str:
    red, green, blue = colour_of(value, scale)
    ink = 15 if 0.299 * red + 0.587 * green + 0.114 * blue < 128 else 16  # white on dark, black on light
    end = "\n" if character == "\n" else ""
    return f"\033[48;2;{red};{green};{blue}m\033[38;5;{ink}m{VISIBLE.get(character, character)}\033[0m{end}"


def _digit(value: float, scale: Scale) -> str:
    share = (value - scale.low) / (scale.high - scale.low)
    return str(min(9, max(0, int(share * 10))))


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return shown_number(value)
    if isinstance(value, str):
        return "".join(VISIBLE.get(character, character) for character in value)
    return str(value)
