"""How training went, as one small picture: bits per character of every model, on both splits."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.rendering.picture import COLOURS

NAMED = 12  # models that the legend has room for


def draw_learning(title: str, models: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """A PNG of the losses.

    Args:
        title: the run.
        models: for each model its evaluations in order (train_step, split, bits_per_char).
    """
    figure = Figure(figsize=(7, 4), layout="constrained", dpi=100)
    figure.suptitle(title, fontweight="bold")
    axes: Axes = figure.subplots()

    for index, (model, rows) in enumerate(models.items()):
        for split, style in (("valid", "-"), ("train", ":")):
            own = [row for row in rows if row["split"] == split]
            is_named = split == "valid" and index < NAMED
            axes.plot(
                [row["train_step"] for row in own],
                [row["bits_per_char"] for row in own],
                style,
                color=COLOURS[index % len(COLOURS)],
                marker="." if split == "valid" else None,
                label=model if is_named else None,
            )

    axes.set(xlabel="train_step", ylabel="bits per character (solid: valid, dotted: train)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
