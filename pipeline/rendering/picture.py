"""The answer of a run as one picture: a neuron over texts, against its hypotheses, and how far the models go."""

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.rendering.passage import draw_scale, paint, wrapped
from pipeline.rendering.terminal import UNIT, VISIBLE, Scale, by_character
from schemas.signals import GATES

Rows = Sequence[Mapping[str, Any]]
TEXT_COLUMNS = 64  # characters of a line that are drawn
TEXT_LINES = 14  # of a text that is longer than a line
MOST_BARS = 30  # categories that are drawn
SIGNS = str.maketrans({**VISIBLE, "$": r"\$"})  # matplotlib would set what stands between two $ as a formula
# Told apart when colours are hard to tell; the marker changes too, model by model.
COLOURS = ("#e66101", "#2166ac", "#1b7837", "#762a83", "#c51b7d", "#4d4d4d", "#8c510a", "#35978f")
MARKERS = "osv^Dx+*"


def draw_answer(
    title: str,
    best: Mapping[str, Any] | None,
    texts: Rows,
    curves: Mapping[str, Rows],
    sizes: Rows,
    learning: Rows,
    *,
    scale: Scale = UNIT,
    yes_no: Collection[str] = (),
) -> bytes:
    """A PNG of the answer.

    Args:
        title: the run.
        best: the neuron (model, checkpoint, layer, neuron, signal), None when no hypothesis was asked.
        texts: its texts (text, chars, values).
        curves: for each hypothesis, its value or category against the signal (hypothesis_value, category, mean,
            low, high).
        sizes: how much is right at each size (model, size, share); empty for a task without sizes.
        learning: the course of training (model, train_step, bits_per_char).
        scale: of the neuron's signal over all that there is of it.
        yes_no: the hypotheses that answer yes (1) or no (0).
    """
    figure = Figure(figsize=(11, 6.5), layout="constrained", dpi=120)
    figure.suptitle(title, fontweight="bold")
    has_course = bool(sizes or learning)  # a network that was trained elsewhere has none
    grid = figure.add_gridspec(2, max(1, len(curves) + has_course), height_ratios=(1.1, 1))
    top, columns = grid[0, :], grid.ncols

    if best:
        _draw_texts(figure.add_subplot(top), best, texts, scale)
        for column, (hypothesis, rows) in enumerate(curves.items()):
            axes = figure.add_subplot(grid[1, column])
            _draw_hypothesis(axes, str(best["signal"]), hypothesis, rows, yes_no=hypothesis in yes_no)

    if has_course:
        last = figure.add_subplot(grid[1, columns - 1] if best else grid[:, :])
        if sizes:
            _draw_lines(last, sizes, "size", "share", "share of sequences right, by size")
        else:
            _draw_lines(last, learning, "train_step", "bits_per_char", "bits per character, while training")

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_texts(axes: Axes, best: Mapping[str, Any], texts: Rows, scale: Scale) -> None:
    neuron = f"{best['model']} L{best['layer']}/N{best['neuron']}"
    axes.set_title(f"{best['signal']} of {neuron}, checkpoint {best['checkpoint']}", fontsize=10)
    lines = [by_character(row["chars"], row["values"]) for row in texts]
    if any(len(line) > TEXT_COLUMNS for line in lines):
        lines = [line for text in lines for line in wrapped(text, TEXT_COLUMNS)][:TEXT_LINES]
    paint(axes, lines, scale, max([24, *map(len, lines)]), fontsize=10)
    axes.set(yticks=[], xlabel="character")
    draw_scale(axes, scale, location="right")


def _draw_hypothesis(axes: Axes, signal: str, hypothesis: str, rows: Rows, *, yes_no: bool) -> None:
    if rows and rows[0].get("category") is not None:
        shown = rows[:MOST_BARS]
        _draw_bars(axes, shown, [str(row["category"]).translate(SIGNS) for row in shown])
    elif yes_no:
        _draw_bars(axes, rows, ["no", "yes"])
    else:
        _draw_curve(axes, rows)
    axes.set_title(f"{signal} by {hypothesis} (mean, 5-95 %)", fontsize=10)
    axes.set(xlabel=hypothesis)
    if signal in GATES:
        axes.set(ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)


def _draw_bars(axes: Axes, rows: Rows, names: Sequence[str]) -> None:
    """A bar for each category, or one for no and one for yes, with the range of most of its values."""
    means = np.array([row["mean"] for row in rows])
    ranges = [means - [row["low"] for row in rows], [row["high"] for row in rows] - means]
    numbers = [row["hypothesis_value"] for row in rows]
    places = [place if number is None else int(number) for place, number in enumerate(numbers)]
    axes.bar(places, means, width=0.6, color=COLOURS[1], yerr=np.clip(ranges, 0, None), capsize=4)
    axes.set(xlim=(-0.6, len(names) - 0.4))
    axes.set_xticks(range(len(names)), labels=names)
    axes.axhline(0, color="black", lw=0.8)


def _draw_curve(axes: Axes, rows: Rows) -> None:
    x = [row["hypothesis_value"] for row in rows]
    axes.fill_between(x, [r["low"] for r in rows], [r["high"] for r in rows], color=COLOURS[1], alpha=0.2, lw=0)
    axes.plot(x, [row["mean"] for row in rows], marker=".", color=COLOURS[1])


def _draw_lines(axes: Axes, rows: Rows, x: str, y: str, title: str) -> None:
    models = list(dict.fromkeys(row["model"] for row in rows))
    for index, model in enumerate(models):
        own = [row for row in rows if row["model"] == model]
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(
            [row[x] for row in own],
            [row[y] for row in own],
            label=model,
            color=colour,
            marker=MARKERS[index % len(MARKERS)],
            ms=8 - min(index, 5),
            alpha=0.8,
        )

    axes.set_title(title, fontsize=10)
    axes.set(xlabel=x)
    axes.grid(alpha=0.3)
    if 0 < len(models) <= 8:
        axes.legend(fontsize=7)
