"""Correlations of all neurons of one network with all of another, from moments that can be added up.

Two networks read the same text; `a` is what the neurons of one did, (steps, neurons), and `b` what those of the
other did over the same steps, (steps, others). Blocks of steps, shards or texts are measured by themselves, and
their moments added: `moments_of(a1, b1).add(moments_of(a2, b2))` is `moments_of` of all steps, up to rounding.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Neurons:
    """What is known of each neuron of one network; all arrays are float64 (neurons,)."""

    mean: np.ndarray
    spread: np.ndarray  # sum of squared distances from the mean
    low: np.ndarray  # the least and the greatest value: a constant has a spread of rounding errors
    high: np.ndarray


@dataclass(frozen=True)
class Moments:
    """What correlations are made of: means, and sums of products of distances from them."""

    steps: int
    a: Neurons
    b: Neurons
    product: np.ndarray  # float64 (neurons, others): sum over steps of a's distance times b's

    def add(self, more: Self) -> "Moments":
        """The moments of both, for steps that are in one of them alone.

        The pairwise update of Chan, Golub & LeVeque, "Algorithms for Computing the Sample Variance" (1983): no sum
        of raw squares, so nothing is lost where a mean is far from 0. Associative and commutative up to rounding.
        """
        steps = self.steps + more.steps
        weight = self.steps * more.steps / steps if steps else 0.0
        across = np.outer(more.a.mean - self.a.mean, more.b.mean - self.b.mean)
        share = more.steps / steps if steps else 0.0
        return Moments(
            steps,
            _joined(self.a, more.a, weight, share),
            _joined(self.b, more.b, weight, share),
            self.product + more.product + weight * across,
        )


def moments_of(a: np.ndarray, b: np.ndarray) -> Moments:
    """The moments of some steps.

    Args:
        a: what the neurons of one network did, (steps, neurons), any floating type.
        b: what those of the other did over the same steps, (steps, others).

    Raises ValueError for different numbers of steps, or for none.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"the two sides have {len(a)} and {len(b)} steps: give as many, and at least one")
    side, centred = _side(a)
    other, other_centred = _side(b)
    return Moments(len(a), side, other, centred.T @ other_centred)


def correlations(moments: Moments) -> np.ndarray:
    """Pearson's r of each neuron with each of the other network, float64 (neurons, others), -1..1.

    NaN where one of the two never changes.
    """
    varies = np.outer(moments.a.low < moments.a.high, moments.b.low < moments.b.high)
    scale = np.sqrt(np.outer(moments.a.spread, moments.b.spread))
    r: np.ndarray = np.full(moments.product.shape, np.nan)
    np.divide(moments.product, scale, out=r, where=varies & (scale > 0))
    np.clip(r, -1.0, 1.0, out=r)  # rounding goes beyond by 1e-16
    return r


def _side(values: np.ndarray) -> tuple[Neurons, np.ndarray]:
    """What is known of each neuron, and its distances from its mean."""
    mean = values.mean(0, dtype=np.float64)
    centred = values - mean
    return Neurons(
        mean, np.einsum("sn,sn->n", centred, centred), _f64(values.min(0)), _f64(values.max(0))
    ), centred


def _f64(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


def _joined(one: Neurons, more: Neurons, weight: float, share: float) -> Neurons:
    apart = more.mean - one.mean
    return Neurons(
        one.mean + share * apart,
        one.spread + more.spread + weight * apart**2,
        np.minimum(one.low, more.low),
        np.maximum(one.high, more.high),
    )
