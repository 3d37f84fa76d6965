"""Mutual information of signals and a hypothesis, in bits: whatever the relation, not only a rising one."""

import numpy as np

CELLS = 16  # of a signal, and of a hypothesis that has more values
STEPS = 4_096  # at most, evenly over the texts: the error is about 0.01 bits


def cells_of(ranks: np.ndarray) -> np.ndarray:
    """Cells of about as many steps each, (…, n) int64, of mid-ranks (…, n), -1/2 .. 1/2."""
    cells: np.ndarray = np.clip(CELLS * (ranks + 0.5), 0, CELLS - 1).astype(np.int64)
    return cells


def value_cells(values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The cell of each value of a hypothesis, (n,) int64: a cell for each value, where they are few."""
    found, place = np.unique(values, return_inverse=True)
    return place if len(found) <= CELLS else cells_of(ranks)


def mutual_information(signals: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bits that the cells of each signal (b, n) tell of the cells of the values (n,): (b,), 0 or more.

    The plug-in estimate less its bias (Miller 1955), by occupied cells: (of both - of one - of the other + 1) /
    (2 n ln 2).
    """
    steps, kinds = len(values), int(values.max(initial=0)) + 1
    neurons = len(signals)
    place = (np.arange(neurons)[:, None] * CELLS + signals) * kinds + values
    joint = np.bincount(place.ravel(), minlength=neurons * CELLS * kinds).reshape(neurons, CELLS, kinds)
    by_signal, by_value = joint.sum(2, keepdims=True), joint.sum(1, keepdims=True)
    independent = by_signal * by_value
    there = joint > 0
    ratio = np.where(there, joint * steps / np.where(there, independent, 1), 1)
    bits = (joint * np.log2(ratio)).sum((1, 2)) / steps
    occupied = there.sum((1, 2)) - (by_signal > 0).sum((1, 2)) - (by_value > 0).sum((1, 2)) + 1
    information: np.ndarray = np.maximum(bits - occupied / (2 * steps * np.log(2)), 0)
    return information
