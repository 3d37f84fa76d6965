"""Pairs of neurons: each has one partner in the other network at most, and together the pairs agree best."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment


class Pairs(NamedTuple):
    """Pairs of neurons, in the order of the first network's; as many as the smaller of the two has."""

    neurons: np.ndarray  # int64 (pairs,)
    others: np.ndarray  # int64 (pairs,): the partners in the other network
    r: np.ndarray  # float64 (pairs,), -1..1, with its sign; NaN where one of the two never changes


def pairs_of(r: np.ndarray) -> Pairs:
    """The pairs whose |r| add up to most: an optimal assignment, one to one.

    As in Li, Yosinski, Clune, Lipson & Hopcroft, "Convergent Learning: Do different neural networks learn the same
    representations?" (2016). The sign is free: where tanh makes the state, a neuron with all its weights negated
    does the same.

    Args:
        r: correlations, float64 (neurons, others); NaN counts as 0.
    """
    neurons, others = linear_sum_assignment(np.nan_to_num(np.abs(r), nan=0.0), maximize=True)
    return Pairs(neurons, others, r[neurons, others])
