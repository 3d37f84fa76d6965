"""An n-gram model: Witten and Bell's interpolation (1991), as Chen and Goodman (1999) write it.

    p_n(c | h) = (count(h c) + T(h) p_{n-1}(c | h')) / (count(h) + T(h))

h is the n - 1 characters before c, h' all but the first of them, T(h) how many different characters follow h.
p_0 is 1 / vocabulary. A sequence's first characters have only what came before them in it, as a network has.
"""

import numpy as np

from pipeline.tasks.sequences import Sequences


def ngram_bits(train: Sequences, valid: Sequences, vocabulary: int, orders: range) -> dict[int, float]:
    """Bits per character over the targets of `valid`, by order.

    Args:
        train: what is counted.
        valid: what is predicted: every token but each sequence's first.
        vocabulary: its size V; V ** order must fit in 63 bits.
        orders: the greatest numbers of characters, the predicted one included, that are looked at.
    """
    known, asked = _within(train), _within(valid)
    targets = asked > 0
    p = np.full(len(valid.tokens), 1 / vocabulary)
    found = {}
    for order in range(1, orders.stop):
        contexts, follow = _keys(train, order - 1, vocabulary, 1), _keys(train, order, vocabulary, 0)
        # A context counts where something of the same sequence follows it.
        before, grams = contexts[known >= order - 1], follow[known >= order - 1]
        asked_contexts, asked_grams = _keys(valid, order - 1, vocabulary, 1), _keys(valid, order, vocabulary, 0)
        seen = _counts(before, asked_contexts)
        kinds = _counts(np.unique(grams) // vocabulary, asked_contexts)
        with np.errstate(invalid="ignore"):
            better = (_counts(grams, asked_grams) + kinds * p) / (seen + kinds)
        p = np.where((asked >= order - 1) & (seen > 0), better, p)
        if order in orders:
            found[order] = float(-np.log2(p[targets]).mean())
    return found


def _within(sequences: Sequences) -> np.ndarray:
    """How many characters of its sequence lie before each, (N,)."""
    before: np.ndarray = np.arange(len(sequences.tokens)) - np.repeat(sequences.offsets[:-1], sequences.lengths)
    return before


def _keys(sequences: Sequences, length: int, vocabulary: int, lag: int) -> np.ndarray:
    """The `length` characters that end `lag` before each, as one number in base `vocabulary`, (N,) int64."""
    key = np.zeros(len(sequences.tokens), np.int64)
    for back in range(length - 1, -1, -1):
        shifted = np.zeros_like(key)
        ago = back + lag
        shifted[ago:] = sequences.tokens[: len(key) - ago]
        key = key * vocabulary + shifted
    return key


def _counts(keys: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How often each asked key is among some keys."""
    known, counts = np.unique(keys, return_counts=True)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: np.ndarray = np.where(known[places] == asked, counts[places], 0)
    return found
