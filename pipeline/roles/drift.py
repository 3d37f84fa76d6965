"""How a count goes wrong as it grows: its slope at the largest counts, and the size at which it would fail."""

import math

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


def predicted_failing(state: np.ndarray, texts: Texts, slopes: np.ndarray) -> int | None:
    """The first size at which a state (N,) that counts one character up and another down would end wrongly.

    After n up and n down the state is near a level; before the last down it is one step away. Both are lines in
    n, fitted over the texts. The network has to tell them apart by one threshold, the middle of both over these
    texts, and fails where a line crosses it. None: no such pair of characters, fewer than 4 sizes, or no crossing
    below 1,000.
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
    level, earlier = (np.polyfit(size, state[place], 1) for place in (last, last - 1))
    threshold = (state[last] + state[last - 1]).mean() / 2
    return _first_crossing([level, earlier], threshold, int(size.max()))


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
