"""Sums over steps from which every linear measure follows; those of two sets of steps add up to those of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHANCE = {"auc": 0.5}  # where a measure stands when there is no relation; the others at 0
_ROUNDING = 1e-9  # of a sum of squares: what float32 leaves of a constant's, after its mean is taken out
_PANEL = 8  # columns that are multiplied at once: as many as a vector register holds
_STEPS = 16_384  # whose products are added as float32; the sums of so many are added as float64


class Panels:
    """Columns to multiply signals with, in panels of one width.

    BLAS takes other ways with other shapes, and a hypothesis shall have the same score to the last bit whichever
    others are scored beside it.
    """

    def __init__(self, columns: Sequence[np.ndarray]) -> None:
        """Arrange C columns (n,)."""
        self._count = len(columns)
        self._panels = [_panel(columns[first : first + _PANEL]) for first in range(0, len(columns), _PANEL)]

    def product(self, signals: np.ndarray) -> np.ndarray:
        """Signals (b, n) float32 times the columns, (b, C) float64."""
        total = np.zeros((len(signals), _PANEL * len(self._panels)))
        for start in range(0, signals.shape[1], _STEPS):
            steps = slice(start, start + _STEPS)
            for place, panel in enumerate(self._panels):
                total[:, place * _PANEL : (place + 1) * _PANEL] += signals[:, steps] @ panel[steps]
        return total[:, : self._count]


def _panel(columns: Sequence[np.ndarray]) -> np.ndarray:
    panel = np.zeros((len(columns[0]), _PANEL), np.float32)
    for place, column in enumerate(columns):
        panel[:, place] = column
    return panel


@dataclass(frozen=True, eq=False)
class Weighted:
    """C columns y over n steps, each as often as its text is read: the part of the sums that no signal changes."""

    weight: float
    y: np.ndarray  # (C,) float64
    yy: np.ndarray  # (C,) float64
    factors: Panels  # the columns times the weights, and the weights
    often: Panels  # the weights

    @classmethod
    def of(cls, columns: Sequence[np.ndarray], weight: np.ndarray) -> "Weighted":
        """C columns (n,) float64, each summed by itself, and how often each step counts, (n,)."""
        weighted = [own * weight for own in columns]
        y, yy = ([some.sum() for some in sums] for sums in (weighted, map(np.multiply, weighted, columns)))
        return cls(float(weight.sum()), np.array(y), np.array(yy), Panels([*weighted, weight]), Panels([weight]))


@dataclass(frozen=True, eq=False)
class Sums:
    """Weighted sums over steps, float64, of b signals x and C columns y."""

    weight: float
    x: np.ndarray  # (b,)
    y: np.ndarray  # (C,)
    xx: np.ndarray  # (b,)
    yy: np.ndarray  # (C,)
    xy: np.ndarray  # (b, C)

    @classmethod
    def of(cls, x: np.ndarray, columns: Weighted) -> "Sums":
        """The sums of signals (b, n) float32 and columns, right to about 1e-6 of their size.

        What is close to 0 keeps its digits: shift both before, by the same for all steps.
        """
        xy = columns.factors.product(x)
        xx = columns.often.product(np.square(x))[:, 0]
        return cls(columns.weight, xy[:, -1], columns.y, xx, columns.yy, xy[:, :-1])

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over the steps of both."""
        return Sums(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def of_columns(self, places: slice) -> "Sums":
        """Those of some columns."""
        return Sums(self.weight, self.x, self.y[places], self.xx, self.yy[places], self.xy[:, places])

    @property
    def x_spread(self) -> np.ndarray:
        """Each signal's sum of squares about its mean, (b,); 0 for a constant."""
        return _spread(self.x, self.xx, self.weight)

    @property
    def y_spread(self) -> np.ndarray:
        """Each column's sum of squares about its mean, (C,); 0 for a constant."""
        return _spread(self.y, self.yy, self.weight)

    @property
    def products(self) -> np.ndarray:
        """Sums of products of deviations from the means, (b, C)."""
        if not self.weight:
            return self.xy
        products: np.ndarray = self.xy - np.outer(self.x, self.y) / self.weight
        return products

    def scale(self, measure: str) -> np.ndarray:
        """What a measure divides the products by, (b, C); NaN where a signal or a column is constant.

        Pearson's r, and of ranks Spearman's rho: by both spreads. The slope of the best line: by the column's. The
        area under the ROC curve, where x are ranks as shares of all and y yes (1) or no (0): by the pairs of a yes
        and a no (Mann and Whitney 1947) as a share of all steps, which is the column's spread.
        """
        both = np.sqrt(np.outer(self.x_spread, self.y_spread))
        scale = both
        if measure in ("slope", "auc"):
            scale = np.broadcast_to(self.y_spread, both.shape)
        return np.where(both > 0, scale, np.nan)

    def measure(self, name: str) -> np.ndarray:
        """A measure, (b, C): pearson and spearman -1..1, auc 0..1, slope a signal's change for a column's unit."""
        value = CHANCE.get(name, 0.0) + self.products / self.scale(name)
        least = {"auc": 0, "slope": -np.inf}.get(name, -1)
        measure: np.ndarray = np.clip(value, least, np.inf if name == "slope" else 1)
        return measure

    def eta_squared(self) -> np.ndarray:
        """The share of a signal's variance that lies between categories, (b,), 0..1; y are their indicators.

        Fisher's correlation ratio: sum over categories of n_c (mean_c - mean)^2, of the sum of squares.
        """
        present = self.y > 0
        between = (np.square(self.products[:, present]) / self.y[present]).sum(1)
        spread = self.x_spread
        return np.where(spread > 0, np.minimum(between / np.where(spread > 0, spread, 1), 1), np.nan)


def _spread(total: np.ndarray, squares: np.ndarray, weight: float) -> np.ndarray:
    if not weight:
        return squares
    spread = squares - np.square(total) / weight
    return np.where(spread > _ROUNDING * squares, spread, 0)
