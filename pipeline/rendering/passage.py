"""Texts coloured by a neuron's signal, as a picture: a cell a character, a row a line of text."""

import io
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from pipeline.rendering.terminal import VISIBLE, Line, Scale, colour_of

FONT = "DejaVu Sans Mono"  # matplotlib brings it
CELL = (0.085, 0.17)  # inches, width and height of a character
AROUND = 1.0  # inches, the title and the bar of colours with its figures
BAR, PAD = 0.25, 0.08  # inches, the bar, and between it and the text
LEAST = 48  # characters of a line, so that the title has room
MISSING = "□"


def draw_passages(title: str, texts: Sequence[Line], scale: Scale, width: int = 100) -> bytes:
    """A PNG of some texts, an empty line between two; a line of text longer than `width` characters is wrapped."""
    lines: list[Line] = []
    for text in texts:
        lines += [*([[]] if lines else []), *wrapped(text, width)]

    columns = max([LEAST, *map(len, lines)])
    size = columns * CELL[0] + 0.4, len(lines) * CELL[1] + AROUND
    figure = Figure(figsize=size, layout="constrained", dpi=120)
    axes = figure.add_subplot()

    axes.set_title(title, fontsize=8, loc="left", family=FONT)
    paint(axes, lines, scale, columns, fontsize=8)
    axes.set_axis_off()
    draw_scale(axes, scale, location="bottom")

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_scale(axes: Axes, scale: Scale, location: Literal["bottom", "right"]) -> None:
    """A bar beside the axes that says what the colours stand for."""
    shades = [colour_of(value, scale) for value in np.linspace(*scale, 255)]
    colours = ScalarMappable(Normalize(*scale), ListedColormap(np.array(shades) / 255))
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = figure.get_figwidth() if location == "right" else figure.get_figheight()
    bar = figure.colorbar(
        colours,
        ax=axes,
        location=location,
        fraction=BAR / inches,
        pad=PAD / inches,
        aspect=20,
        shrink=0.5,
        anchor=(0.0, 0.5),
    )
    ticks = sorted({scale.low, (scale.low + scale.high) / 2, scale.high})
    bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks], fontsize=7)


def wrapped(text: Line, width: int) -> list[Line]:
    """The lines of a text, each with its newline, in pieces of at most `width` characters."""
    lines: list[Line] = []
    start = 0
    for place, (character, _) in enumerate(text, 1):
        if character == "\n" or place - start == width:
            lines.append(text[start:place])
            start = place
    return lines if start == len(text) else [*lines, text[start:]]


def paint(axes: Axes, lines: Sequence[Line], scale: Scale, columns: int, fontsize: float) -> None:
    """Cells and characters of some lines; line k lies between y = k and k + 1, from the top."""
    cells = np.full((len(lines), columns, 3), 255, np.uint8)

    for y, line in enumerate(lines):
        for x, (character, value) in enumerate(line):
            cells[y, x] = colour_of(value, scale)
            ink = "white" if cells[y, x].sum() < 1.5 * 255 else "black"
            axes.text(
                x + 0.5,
                y + 0.5,
                _shown(character),
                ha="center",
                va="center",
                color=ink,
                family=FONT,
                size=fontsize,
                in_layout=False,
            )

    axes.imshow(cells, extent=(0, columns, len(lines), 0), aspect="auto", interpolation="nearest")


def _shown(character: str) -> str:
    """A character as the font can draw it."""
    shown = VISIBLE.get(character, character)
    return shown if _font_has(shown) else MISSING


@cache
def _font_has(character: str) -> bool:
    return bool(get_font(findfont(FONT)).get_char_index(ord(character)))
