"""What chance gives: how well neurons pair when one network's texts are handed out anew.

Two networks that read the same text agree on some of it without a common mechanism: both count its steps, and the
best of many partners is always good for something. So the texts of the other network are permuted, whole, and its
neurons paired again. What is left of |r| is owed to the step's position and to the choice among partners; what has
gone was owed to the text. The unit is the text and never the step, for steps of one text lean on one another.
Texts are to be distinct: two copies of one that change places leave everything as it was.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, permutations
from math import factorial

import numpy as np

from pipeline.matching.moments import correlations, moments_of
from pipeline.matching.pairing import pairs_of

LEAST_TEXTS = 4  # of which there are 23 other orders; of three there are 5, which no agreement can stand out from


def orders_of(texts: int, most: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Orders of some texts other than their own: every one if there are no more, else drawn at random.

    Args:
        texts: how many.
        most: orders to give.
        seed: for what is drawn.
    """
    if texts < 9 and factorial(texts) - 1 <= most:  # of thousands the factorial alone takes a while
        yield from map(np.array, islice(permutations(range(texts)), 1, None))
        return
    draw, own = np.random.default_rng(seed), np.arange(texts)
    given = 0
    while given < most:
        order = draw.permutation(texts)
        if (order != own).any():
            given += 1
            yield order


def chance_pairs(a: Sequence[np.ndarray], b: Sequence[np.ndarray], most: int = 99, seed: int = 0) -> np.ndarray:
    """The |r| of each neuron with its partner, in each of many permuted pairings.

    Two texts are laid side by side from their first step, as far as both go.

    Args:
        a: for each text, what the neurons of one network did, (steps, neurons).
        b: for each text, what those of the other did, (steps, others).
        most: permuted pairings.
        seed: for what is drawn.

    Returns:
        float64 (pairings, neurons); 0 where a neuron has no partner, or one of the two never changes.

    Raises ValueError for fewer than LEAST_TEXTS texts, or for different numbers of them.
    """
    if len(a) != len(b) or len(a) < LEAST_TEXTS:
        raise ValueError(f"{len(a)} and {len(b)} texts: give as many, and at least {LEAST_TEXTS}")
    orders = list(orders_of(len(a), most, seed))
    found = np.zeros((len(orders), a[0].shape[1]))
    for row, order in zip(found, orders, strict=True):
        sides = [(one[: len(b[at])], b[at][: len(one)]) for one, at in zip(a, order, strict=True)]
        together = moments_of(np.concatenate([one for one, _ in sides]), np.concatenate([two for _, two in sides]))
        pairs = pairs_of(correlations(together))
        row[pairs.neurons] = np.nan_to_num(np.abs(pairs.r), nan=0.0)
    return found
