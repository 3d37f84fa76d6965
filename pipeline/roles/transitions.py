"""What each character does to a state: c = keep * c' + add, fitted by least squares for each character and neuron.

A counter keeps all and adds the same each time it reads what it counts; a latch keeps all and adds nothing but at
the characters that set it, where it keeps nothing; a switch never keeps anything.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.texts import Texts
from pipeline.roles.variance import TINY, grouped, without

_FEWEST = 3  # steps of a character that a line with two coefficients is fitted to
_SAME = 1e-3  # of the state's variance: states before a character that vary less tell nothing of what is kept


@dataclass(frozen=True, eq=False)
class Transitions:
    """Of each neuron and character; C characters."""

    keep: np.ndarray  # (neurons, C) float64; NaN where the state before the character is always the same
    add: np.ndarray  # (neurons, C) float64, beside `keep`; the state after the character where that is NaN
    change: np.ndarray  # (neurons, C) float64: the mean of c - c'
    alike: np.ndarray  # (neurons, C) float64, 0..1: square of that mean / mean square of c - c'
    begin: np.ndarray  # (neurons, C) float64: the mean state after a text's first character
    repeated: np.ndarray  # (C,) bool: whether some text holds it often enough to be counted


def transitions(states: np.ndarray, texts: Texts) -> Transitions:
    """Fit them to states (neurons, N); a text's first step, which nothing precedes, stands by itself."""
    neurons, characters = len(states), len(texts.alphabet)
    before = texts.before(states)
    later = texts.position > 0
    keep, add = np.full((neurons, characters), np.nan), np.zeros((neurons, characters))
    change, alike = np.zeros_like(add), np.zeros_like(add)

    groups = grouped(texts.codes[later])
    codes = groups.first(texts.codes[later])
    now, past = states[:, later], before[:, later]
    mean_now, mean_past = groups.means(now), groups.means(past)
    off = without(past, groups)
    together, alone = groups.means(now * off), groups.means(past * off)
    told = (groups.sizes >= _FEWEST) & (alone > np.maximum(_SAME * states.var(1), TINY)[:, None])

    kept = np.full(told.shape, np.nan)
    np.divide(together, alone, out=kept, where=told)
    keep[:, codes] = kept
    add[:, codes] = np.where(told, mean_now - np.nan_to_num(kept) * mean_past, mean_now)
    square = groups.means((now - past) ** 2)
    change[:, codes] = mean_now - mean_past
    alike[:, codes] = np.where(square > TINY, change[:, codes] ** 2 / np.maximum(square, TINY), 0)
    return Transitions(keep, add, change, alike, _begin(states, texts), texts.counts.max(0) >= at.REPEATED)


def _begin(states: np.ndarray, texts: Texts) -> np.ndarray:
    first = texts.offsets[:-1]
    groups = grouped(texts.codes[first])
    begin = np.zeros((len(states), len(texts.alphabet)))
    begin[:, groups.first(texts.codes[first])] = groups.means(states[:, first])
    return begin


def follow(keep: np.ndarray, add: np.ndarray, begin: np.ndarray, texts: Texts) -> np.ndarray:
    """The states that transitions (neurons, C) come to by themselves, (neurons, N) float64, from `begin` on.

    Nothing of the network's own states enters, so an error in one step stays in all that follow.
    """
    found = np.empty((len(keep), len(texts.codes)))
    longest = np.argsort(-texts.lengths, kind="stable")
    starts, lengths = texts.offsets[:-1][longest], texts.lengths[longest]
    state = begin[:, texts.codes[starts]]
    found[:, starts] = state
    for step in range(1, int(lengths[0])):
        going = int(np.searchsorted(-lengths, -step))  # the texts that are longer than this
        here = starts[:going] + step
        codes = texts.codes[here]
        state = keep[:, codes] * state[:, :going] + add[:, codes]
        found[:, here] = state
    return found
