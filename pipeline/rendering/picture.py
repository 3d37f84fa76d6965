"""The answer of a run as one picture: a neuron over texts, against its hypotheses, and how far the models go."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.rendering.passage import paint, wrapped
from pipeline.rendering.terminal import by_character, scale_of

Rows = Sequence[Mapping[str, Any]]
TEXT_COLUMNS = 64  # characters of a line that are drawn
TEXT_LINES = 14  # of a text that is longer than a line
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
) -> bytes:
    """A PNG of the answer.

    Args:
        title: the run.
        best: the neuron (model, layer, neuron, signal), None when no hypothesis was asked.
        texts: its texts (text, chars, values).
        curves: for each hypothesis, its value against the signal (hypothesis_value, mean, low, high).
        sizes: how much is right at each size (model, size, share); empty for a task without sizes.
        learning: the course of training (model, train_step, bits_per_char).
    """
    figure = Figure(figsize=(11, 6.5), layout="constrained", dpi=120)
    figure.suptitle(title, fontweight="bold")
    grid = figure.add_gridspec(2, max(2, len(curves) + 1), height_ratios=(1.1, 1))
    top, columns = grid[0, :], grid.ncols

    if best:
        _draw_texts(figure.add_subplot(top), best, texts)
        for column, (hypothesis, rows) in enumerate(curves.items()):
            _draw_curve(figure.add_subplot(grid[1, column]), hypothesis, rows, str(best["signal"]))

    last = figure.add_subplot(grid[1, columns - 1] if best else grid[:, :])
    if sizes:
        _draw_lines(last, sizes, "size", "share", "share of sequences right, by size")
    else:
        _draw_lines(last, learning, "train_step", "bits_per_char", "bits per character, while training")

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_texts(axes: Axes, best: Mapping[str, Any], texts: Rows) -> None:
    axes.set_title(f"{best['signal']} of {best['model']} L{best['layer']}/N{best['neuron']}", fontsize=10)
    scale = scale_of(str(best["signal"]), [value for row in texts for value in row["values"]])
    lines = [by_character(row["chars"], row["values"]) for row in texts]
    if any(len(line) > TEXT_COLUMNS for line in lines):
        lines = [line for text in lines for line in wrapped(text, TEXT_COLUMNS)][:TEXT_LINES]
    paint(axes, lines, scale, max(24, *map(len, lines)), fontsize=10)
    axes.set(yticks=[], xlabel="character")


def _draw_curve(axes: Axes, hypothesis: str, rows: Rows, signal: str) -> None:
    x = [row["hypothesis_value"] for row in rows]
    axes.fill_between(x, [r["low"] for r in rows], [r["high"] for r in rows], color=COLOURS[1], alpha=0.2, lw=0)
    axes.plot(x, [row["mean"] for row in rows], marker=".", color=COLOURS[1])
    axes.set_title(f"{signal} by {hypothesis} (mean, 5-95 %)", fontsize=10)
    axes.set(xlabel=hypothesis)
    axes.grid(alpha=0.3)


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
