"""How much of a state's variance groups of steps explain.

Epsilon squared (Kelley, 1935) throughout: eta squared, less what as many groups would explain by chance. Steps of
a text lean on one another, so these are descriptions; a p-value takes whole texts, as scores do.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Grouped:
    """Steps in groups, in whatever order they come."""

    order: np.ndarray  # (N,) int64: the steps, group by group
    starts: np.ndarray  # (G,) int64: where each group begins in that order
    sizes: np.ndarray  # (G,) int64

    def means(self, states: np.ndarray) -> np.ndarray:
        """The mean of each group, (neurons, G) float64, of states (neurons, N)."""
        sums: np.ndarray = np.add.reduceat(states[:, self.order], self.starts, axis=1, dtype=np.float64)
        means: np.ndarray = sums / self.sizes
        return means

    def spread(self, states: np.ndarray) -> np.ndarray:
        """The sum of squares about the mean of each group, (neurons, G) float64, of states (neurons, N)."""
        off = states[:, self.order] - np.repeat(self.means(states), self.sizes, axis=1)
        spread: np.ndarray = np.add.reduceat(off * off, self.starts, axis=1)
        return spread

    def first(self, keys: np.ndarray) -> np.ndarray:
        """The key of each group's first step, (G,), of keys (N,)."""
        first: np.ndarray = keys[self.order[self.starts]]
        return first


def grouped(*keys: np.ndarray) -> Grouped:
    """Steps that are alike in all of some whole numbers, (N,) each, from -1 on. There must be a step."""
    key = np.zeros(len(keys[0]), np.int64)
    for own in keys:
        _, place = np.unique(key * (int(own.max()) + 2) + own + 1, return_inverse=True)
        key = place.astype(np.int64)
    order = key.argsort(kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(key[order]) != 0))
    return Grouped(order, starts, np.diff(starts, append=len(key)))


def explained(states: np.ndarray, groups: Grouped, within: Grouped | None = None) -> np.ndarray:
    """Epsilon squared of groups: 1 - mean square within them / mean square without them.

    Args:
        states: (neurons, N).
        groups: of the N steps.
        within: coarser groups, which come first: what is explained is what varies within these. None: all steps.

    Returns:
        (neurons,) float64, at most 1 and not below 0; 0 where nothing varies or there are no steps to spare.
    """
    left = groups.spread(states).sum(1)
    steps, coarser = states.shape[1], 1 if within is None else len(within.sizes)
    whole = _total(states) if within is None else within.spread(states).sum(1)
    return share(left, whole, steps - len(groups.sizes), steps - coarser)


def share(left: np.ndarray, whole: np.ndarray, left_free: int, whole_free: int) -> np.ndarray:
    """Epsilon squared of sums of squares (neurons,) and their degrees of freedom."""
    out = np.zeros(len(left))
    if left_free <= 0 or whole_free <= 0:
        return out
    # What rounding leaves of a constant's variance explains nothing, and is explained by nothing.
    np.divide(left * whole_free, whole * left_free, out=out, where=whole > TINY * whole_free)
    return np.where(whole > TINY * whole_free, np.clip(1 - out, 0, 1), 0.0)


TINY = 1e-12  # variance of float32 rounding about values near 1 (6e-8 squared is 4e-15), with room


def correlated(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """R squared of a straight line, (neurons,) float64, of (neurons, N) against the same; 0 where undefined."""
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    own, other, both = (np.einsum("ns,ns->n", *pair) for pair in ((x, x), (y, y), (x, y)))
    out = np.zeros(len(x))
    np.divide(both**2, own * other, out=out, where=(own > TINY * x.shape[1]) & (other > TINY * x.shape[1]))
    return out


def without(states: np.ndarray, groups: Grouped) -> np.ndarray:
    """States (neurons, N) less the mean of each step's group."""
    out = np.empty(states.shape)
    out[:, groups.order] = states[:, groups.order] - np.repeat(groups.means(states), groups.sizes, axis=1)
    return out


def _total(states: np.ndarray) -> np.ndarray:
    off = states - states.mean(1, keepdims=True, dtype=np.float64)
    total: np.ndarray = np.einsum("ns,ns->n", off, off)
    return total
