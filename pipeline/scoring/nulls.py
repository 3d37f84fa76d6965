"""What a measure is by chance: the annotations of whole texts are permuted, and what remains is nobody's doing.

The statistic is the sum of products of a signal and a hypothesis, after both have lost their means at each
position of a text. So a hypothesis that only says where in a text one is has nothing left, and p = 1: it is
confounded with position, and a counter cannot be told from a clock.

Under all G! permutations of the hypothesis among the texts, the statistic T = sum over i of <x_i, y_pi(i)> has
mean zero, and the variance sum over i, j of <x_i, y_j>^2 / (G - 1) (Hoeffding 1951, "A combinatorial central
limit theorem"; the y_j less their mean over texts). It is computed and not drawn: from the principal axes of the
y_j, over at most so many texts x_i. p-values are Student's t with as many degrees of freedom as there are texts
that count. Steps of a text lean on one another, so no formula for independent steps is used anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtr, stdtrit

from pipeline.scoring.sums import Panels

# Axes of a hypothesis' variation over positions that are kept; the rest is taken to be alike in all directions.
AXES = 16
STEPS = 16_384  # of texts that the variance is estimated from; all where there are no more
LEAST = 16  # texts that it is estimated from, however long
_ROUNDING = 1e-12  # of sums of squares: what is no more is nothing
QUANTILE = 0.95  # of the null: `null_value`


@dataclass(frozen=True, eq=False)
class Chance:
    """What permuting does to sums of products with b signals, for C columns."""

    within: np.ndarray  # (b, C), the observed statistic: what position leaves
    deviation: np.ndarray  # (b, C), its standard deviation over permutations
    freedom: np.ndarray  # (C,), degrees of freedom

    @cached_property
    def p_value(self) -> np.ndarray:
        """How often chance does as much, (b, C): 1 where position leaves nothing, or too few texts count."""
        varies = (self.deviation > 0) & (self.freedom >= 1)
        ratio = np.abs(self.within) / np.where(varies, self.deviation, 1)
        p_value: np.ndarray = np.where(varies, 2 * stdtr(np.maximum(self.freedom, 1), -ratio), 1.0)
        return p_value

    def reached(self, products: np.ndarray) -> np.ndarray:
        """The size of `products` (b, C) that chance reaches or passes one time in twenty, position being kept."""
        by_position = np.abs(products - self.within)
        one, two = (stdtrit(np.maximum(self.freedom, 1), share) for share in (QUANTILE, (1 + QUANTILE) / 2))
        reached: np.ndarray = np.maximum(by_position + one * self.deviation, two * self.deviation)
        return reached


class Permuted:
    """Columns that are ready to be permuted; the signals that meet them come later."""

    def __init__(
        self, text: np.ndarray, position: np.ndarray, weight: np.ndarray, columns: Sequence[np.ndarray]
    ) -> None:
        """Work out what does not depend on the signals.

        Args:
            text: (n,) int64, which text a step is of, ascending.
            position: (n,) int64, where in its text it is.
            weight: (n,) float64, how often the text is read.
            columns: C of (n,) float64.
        """
        numbers, text = np.unique(text, return_inverse=True)
        texts, positions = len(numbers), int(position.max(initial=-1)) + 1
        self._weight, self._text, self._position = weight, text, position
        left = [_left(column, position, weight, positions) for column in columns]
        self._left = Panels([own * weight for own in left])
        self._freedom = np.array([_freedom(own, text, texts) for own in left])

        # A text meets its own annotation at all of its steps, another's only where both say something.
        shared = np.square(np.bincount(position, minlength=positions)).sum()
        self._overlap = texts * len(position) / shared if shared else 1.0
        axes = [_axes(text, position, own, texts, positions) for own in left]
        self._positions = positions
        self._axes = Panels([along for axis, _, _ in axes for along in axis.T])
        self._sizes = np.stack([sizes for _, sizes, _ in axes])  # (C, AXES)
        self._rest = np.array([rest for _, _, rest in axes])  # (C,)

        count = max(LEAST, STEPS // max(positions, 1))
        self._sampled = np.unique(np.linspace(0, texts - 1, min(texts, count)).astype(int)) if texts else numbers
        self._rows = np.flatnonzero(np.isin(text, self._sampled))

    def chance(self, signals: np.ndarray) -> Chance:
        """What chance does with signals (b, n) float32."""
        within = self._left.product(signals)
        if len(self._sampled) < 2:
            return Chance(within, np.zeros_like(within), self._freedom)
        text = np.searchsorted(self._sampled, self._text[self._rows])
        position, positions = self._position[self._rows], self._positions

        weight = np.zeros((len(self._sampled), positions), np.float32)
        weight[text, position] = self._weight[self._rows]
        grid = np.zeros((len(self._sampled), len(signals), positions), np.float32)
        grid[text, :, position] = signals[:, self._rows].T
        count = weight.sum(0)
        mean = np.einsum("mt,mbt->bt", weight, grid) / np.where(count > 0, count, 1)
        whole = np.einsum("mbt,mt->b", np.square(grid), np.square(weight))[:, None]
        grid = (grid - mean) * weight[:, None]

        along = self._axes.product(grid.reshape(-1, positions))
        squares = np.square(along).reshape(len(self._sampled), len(signals), *self._sizes.shape).sum(0)
        energy = np.einsum("mbt,mbt->b", grid, grid)[:, None]
        variance = (squares * self._sizes).sum(2) + np.maximum(energy - squares.sum(2), 0) * self._rest
        # A signal that follows position alone, and two that never meet: float32 leaves so much of nothing.
        variance[variance <= 1e-9 * np.maximum(energy, 1e-3 * whole) * self._sizes[:, 0]] = 0
        variance *= self._overlap / (len(self._sampled) - 1)
        return Chance(within, np.sqrt(variance), self._freedom)


def _left(column: np.ndarray, position: np.ndarray, weight: np.ndarray, positions: int) -> np.ndarray:
    """A column (n,) less its weighted mean at each position; all 0 where position says it all."""
    count = np.bincount(position, weight, positions)
    means = np.bincount(position, weight * column, positions) / np.where(count > 0, count, 1)
    left: np.ndarray = column - means[position]
    total = np.square(column - column.mean()).sum() if len(column) else 0
    return left if np.square(left).sum() > _ROUNDING * total else np.zeros_like(left)


def _freedom(left: np.ndarray, text: np.ndarray, texts: int) -> float:
    """Degrees of freedom: texts that count (Kish's effective number, by their sums of squares), less one."""
    energy = np.bincount(text, np.square(left), texts)
    squares = np.square(energy).sum()
    return float(np.square(energy.sum()) / squares - 1) if squares else -1.0


def _axes(
    text: np.ndarray, position: np.ndarray, column: np.ndarray, texts: int, positions: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """The principal axes of a column's texts: (positions, AXES), their sizes (AXES,), and that of any other."""
    grid = np.zeros((texts, positions))
    grid[text, position] = column
    grid -= grid.mean(0)
    _, singular, axes = np.linalg.svd(grid, full_matrices=False)
    kept = min(AXES, len(singular))
    found, sizes = np.zeros((positions, AXES)), np.zeros(AXES)
    found[:, :kept], sizes[:kept] = axes[:kept].T, np.square(singular[:kept])
    left = positions - kept
    return found, sizes, float(np.square(singular[kept:]).sum() / left) if left else 0.0
