"""How a count goes wrong as it grows: its slope at the largest counts, and the size at which it would fail."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.role import rounded
from pipeline.roles.texts import Texts
from pipeline.roles.variance import TINY


def drift_of(state: np.ndarray, texts: Texts, slopes: np.ndarray) -> float | None:
    """How much steeper a state (N,) is at the largest counts of the first character counted: 0.1 is a tenth more.

    The mean change where more than 3/4 of the largest count has been read, against that up to its half; the first
    is left out, because there the network has not read the character before. None: too few counts.
    """
    counted = np.flatnonzero(np.abs(slopes) > np.abs(slopes).max() / 2)
    first = texts.codes[np.isin(texts.codes, counted).argmax()]
    is_read = texts.codes == first
    total = np.cumsum(is_read)
    already = np.concatenate(([0], total))[texts.offsets[:-1]]
    count = (total - already[texts.text])[is_read]
    change = (state - texts.before(state[None])[0])[is_read]
    largest = int(count.max())
    low = (count > 1) & (count <= at.SMALLER_COUNTS * largest)
    high = count > max(at.LARGEST_COUNTS * largest, 1)
    if not low.any() or not high.any() or abs(change[low].mean()) ** 2 < TINY:
        return None
    return rounded(change[high].mean() / change[low].mean() - 1)


@dataclass(frozen=True)
class Ending:
    """How a state that counts one character up and another down comes back."""

    is_told: bool  # whether one threshold tells the last down from the one before it in all texts
    predicted_failing: int | None  # the first size at which it would not; None: none below 1,000, or not told now


def ending_of(state: np.ndarray, texts: Texts, slopes: np.ndarray) -> Ending | None:
    """How a state (N,) that counts up and down ends.

    After n up and n down the state is near a level; before the last down it is one step away. Both are lines in n,
    fitted over the upper half of the sizes, as drift is seldom even. The network has to tell them apart by one
    threshold, the middle of both over all sizes, and fails where a line crosses it. None: no such pair of
    characters, or fewer than 4 sizes.
    """
    up, down = int(slopes.argmax()), int(slopes.argmin())
    size = texts.counts[:, up]
    is_pair = slopes[up] > 0 > slopes[down] and (size == texts.counts[:, down]).all() and size.all()
    if not is_pair or len(set(size)) < at.LEAST_TEXTS:
        return None
    if _comes_first(texts, down, up):
        up, down = down, up

    steps = np.where(texts.codes == down, np.arange(len(texts.codes)), -1)
    last = np.maximum.reduceat(steps, texts.offsets[:-1])
    level, earlier = state[last].astype(np.float64), state[last - 1].astype(np.float64)
    if level.max() >= earlier.min() and earlier.max() >= level.min():
        return Ending(is_told=False, predicted_failing=None)
    upper = size > size.max() / 2
    lines = (
        [np.polyfit(size[upper], values[upper], 1) for values in (level, earlier)] if np.ptp(size[upper]) else []
    )
    threshold = float((level + earlier).mean() / 2)
    return Ending(is_told=True, predicted_failing=_first_crossing(lines, threshold, int(size.max())))


def _comes_first(texts: Texts, one: int, other: int) -> bool:
    """Whether the first text reads one character before another."""
    codes = texts.codes[: texts.offsets[1]]
    return bool(np.flatnonzero(codes == one)[0] < np.flatnonzero(codes == other)[0])


def _first_crossing(lines: list[np.ndarray], threshold: float, largest: int) -> int | None:
    """The first whole number beyond a size at which one of some lines (slope, intercept) is past a threshold."""
    found = []
    for slope, intercept in lines:
        if slope == 0:
            continue
        crossing = (threshold - intercept) / slope
        if largest < crossing:
            found.append(math.floor(crossing) + 1)
    near = [size for size in found if size <= at.FARTHEST_PREDICTION]
    return min(near) if near else None
