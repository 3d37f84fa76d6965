"""Which pairs are shared, and how stable a neuron is: whether other networks have it too."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.matching.pairing import Pairs, pairs_of

SHARED_R = 0.7  # the least |r| of a shared pair: r squared 0.49, so half of one's variance is told by the other

ROUNDING = 1e-6  # of r, for signals are stored as float32: of two clocks r is 1, and so is chance


class Match(NamedTuple):
    """Two networks' neurons side by side."""

    pairs: Pairs
    chance: np.ndarray  # float64 (pairs,): the best |r| of the neuron in any permuted pairing
    pairings: int  # how many permuted pairings there were

    @property
    def shared(self) -> np.ndarray:
        """Which pairs are shared, bool (pairs,): |r| is at least SHARED_R, and above all that chance gave.

        A neuron that the other network lacks gets above `pairings` permuted ones once in `pairings` + 1 times: a
        permutation test at that level, the choice of the partner included. No step is taken to be independent.
        """
        r = np.abs(self.pairs.r)
        shared: np.ndarray = (r >= SHARED_R) & (r > self.chance + ROUNDING)
        return shared

    @property
    def shared_by_chance(self) -> float:
        """How many of two unrelated networks' pairs would be called shared, on average.

        The true pairing is then like the permuted ones, and is a neuron's best once in pairings + 1 times; that
        counts if such a best reaches SHARED_R.
        """
        return float((self.chance >= SHARED_R).sum() / (self.pairings + 1))

    @property
    def mean_r(self) -> float:
        """The mean |r| of all pairs; a neuron that never changes counts as 0."""
        return float(np.nan_to_num(np.abs(self.pairs.r), nan=0.0).mean())


class Stability(NamedTuple):
    """How stable each neuron of a network is, over other networks."""

    mean_r: np.ndarray  # float64 (neurons,): mean |r| with its partner; 0 for a network where it has none
    shared: np.ndarray  # int64 (neurons,): how many of the networks share it


def match_of(r: np.ndarray, chance: np.ndarray) -> Match:
    """The match of two networks.

    Args:
        r: correlations, float64 (neurons, others).
        chance: what `chance_pairs` gives for them, float64 (pairings, neurons).
    """
    pairs = pairs_of(r)
    return Match(pairs, chance.max(0)[pairs.neurons], len(chance))


def stability_of(matches: Sequence[Match], neurons: int) -> Stability:
    """How stable each neuron of a network is, by its matches with others.

    Args:
        matches: of this network, first, with each of the others; at least one.
        neurons: how many the network has.
    """
    r, shared = np.zeros((len(matches), neurons)), np.zeros((len(matches), neurons), np.int64)
    for row, found, match in zip(r, shared, matches, strict=True):
        row[match.pairs.neurons] = np.nan_to_num(np.abs(match.pairs.r), nan=0.0)
        found[match.pairs.neurons] = match.shared
    return Stability(r.mean(0), shared.sum(0))
