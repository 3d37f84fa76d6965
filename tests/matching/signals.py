"""Made signals: for each text (steps, neurons), as a network's neurons would give."""

import numpy as np

Signals = list[np.ndarray]


def noise(seed: int, lengths: list[int], neurons: int) -> Signals:
    """Random walks: steps lean on one another, texts do not."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(length, neurons)).cumsum(0) for length in lengths]


def levels(seed: int, texts: int, neurons: int) -> Signals:
    """A level for each text, and hardly anything else: a handful of texts is a handful of numbers."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=neurons) + 0.01 * draw.normal(size=(8, neurons)) for _ in range(texts)]
