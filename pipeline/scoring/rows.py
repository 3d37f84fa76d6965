"""Rows of `scores`: neurons' signals against hypotheses, beside what chance does and what a held-out half says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.scoring.columns import Asked, Columns, Part, columns_of
from pipeline.scoring.information import cells_of, mutual_information
from pipeline.scoring.nulls import Chance
from pipeline.scoring.ranks import binned, ranks_of
from pipeline.scoring.sums import CHANCE, Sums
from pipeline.scoring.texts import Texts
from schemas.scores import SCORES

DIGITS = 6  # that float32 leaves right, of what lies between -1 and 1
AT_ONCE = 4_000_000  # values of a signal that are ranked and multiplied at once: a few copies of 16 MB each


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure of b neurons, each (b,) float64, NaN where it is undefined."""

    measure: str
    category: str | None
    value: np.ndarray
    chosen: np.ndarray
    held_out: np.ndarray
    null_value: np.ndarray
    p_value: np.ndarray


FIGURES = ("value", "chosen", "held_out", "null_value", "p_value")


class Scorer:
    """Hypotheses over some texts, ready to meet the signals of one layer after another."""

    def __init__(self, texts: Texts, asked: Mapping[str, Asked]) -> None:
        """Arrange the hypotheses; `asked` have a value for each row of the texts."""
        self._columns = columns_of(texts, asked)
        self._names = list(asked)

    def rows(self, layer: int, signals: Mapping[str, np.ndarray]) -> dict[str, pa.Table]:
        """For each hypothesis a row for each neuron, signal and measure.

        Args:
            layer: the layer that the signals are of.
            signals: by name, (neurons, N) float32, over the rows of the texts.
        """
        tables: dict[str, list[pa.Table]] = {name: [] for name in self._names}
        for signal, values in signals.items():
            for columns in self._columns:
                for name, measured in _in_blocks(values, columns).items():
                    tables[name].append(_table(layer, signal, measured, columns))
        order = [(column, "ascending") for column in SCORES.sort_by]
        return {name: pa.concat_tables(some).sort_by(order) for name, some in tables.items()}


def _in_blocks(signals: np.ndarray, columns: Columns) -> dict[str, list[Measured]]:
    """For each hypothesis its measures of all neurons, taken some at once."""
    size = max(1, AT_ONCE // max(1, len(columns.rows)))
    is_whole = len(columns.rows) == signals.shape[1]
    blocks = [signals[first : first + size] for first in range(0, len(signals), size)]
    found = [_measured(some if is_whole else some[:, columns.rows], columns) for some in blocks]
    return {
        name: [_joined(parts) for parts in zip(*(block[name] for block in found), strict=True)]
        for name in columns.parts
    }


def _joined(parts: Sequence[Measured]) -> Measured:
    """The same measure of one neuron after another."""
    figures = [np.concatenate([getattr(part, name) for part in parts]) for name in FIGURES]
    return Measured(parts[0].measure, parts[0].category, *figures)


def _measured(signals: np.ndarray, columns: Columns) -> dict[str, list[Measured]]:
    """Every measure of some neurons' signals (b, n) float32 against each hypothesis."""
    if not len(columns.rows):
        return {name: _undefined(part, len(signals)) for name, part in columns.parts.items()}
    first, second = slice(columns.split), slice(columns.split, None)
    is_finite = np.isfinite(signals).all(1, keepdims=True)
    if not is_finite.all():  # a signal with a NaN or an infinity has no measure, as a constant has none
        signals = np.where(is_finite, signals, 0)
    shifted = signals - signals[:, :1]
    varies = shifted.any(1)
    shifted -= shifted.mean(1, dtype=np.float64, keepdims=True).astype(np.float32)
    one, other = (
        Sums.of(shifted[:, half], own) for half, own in zip((first, second), columns.values, strict=True)
    )
    values = _Compared(one + other, one, other, columns.permuted.chance(shifted))

    among_all, among_half = ranks_of(binned(signals), columns.weight, columns.split)
    one, other = (
        Sums.of(among_half[:, half], own) for half, own in zip((first, second), columns.half_ranks, strict=True)
    )
    every = Sums.of(among_all, columns.ranks)
    ranks = _Compared(every, one, other, columns.permuted_ranks.chance(among_all))

    cells = cells_of(among_all[:, columns.sampled])
    return {
        name: [*_follows(part, values, ranks), _informed(cells, part, varies)]
        for name, part in columns.parts.items()
    }


class _Compared:
    """Signals, or their ranks, beside columns: over all texts, over each half, and by chance."""

    def __init__(self, every: Sums, choosing: Sums, confirming: Sums, chance: Chance) -> None:
        self._every, self._halves, self._chance = every, (choosing, confirming), chance
        self._reached = chance.reached(every.products)
        self._figures: dict[str, np.ndarray] = {}

    def measure(self, name: str, place: int, category: str | None = None) -> Measured:
        """A measure that is in proportion to the sums of products, of one column."""
        if name not in self._figures:  # of all columns at once
            self._figures[name] = self._all(name)
        return Measured(name, category, *self._figures[name][:, :, place])

    def _all(self, name: str) -> np.ndarray:
        """The five figures of a measure, (5, b, C)."""
        value, chosen, held_out = (sums.measure(name) for sums in (self._every, *self._halves))
        middle = CHANCE.get(name, 0.0)
        reached = self._reached / self._every.scale(name)
        if name != "slope":
            reached = np.minimum(reached, 1 - middle)
        null_value = middle + np.where(value < middle, -reached, reached)
        return np.stack(
            [value, chosen, held_out, null_value, np.where(np.isnan(value), np.nan, self._chance.p_value)]
        )

    def eta_squared(self, places: slice) -> Measured:
        """The share of variance between categories; p is their least one times their number (Bonferroni)."""
        value, chosen, held_out = (sums.of_columns(places).eta_squared() for sums in (self._every, *self._halves))
        steps = self._every.y[places]
        reached = self._reached[:, places]
        with np.errstate(divide="ignore", invalid="ignore"):
            null_value = (np.square(reached) / steps).sum(1) / self._every.x_spread
        p_value = np.minimum(1, self._chance.p_value[:, places].min(1) * len(steps))
        undefined = np.isnan(value)
        null_value, p_value = (np.where(undefined, np.nan, some) for some in (np.minimum(null_value, 1), p_value))
        return Measured("eta_squared", None, value, chosen, held_out, null_value, p_value)


def _follows(part: Part, values: _Compared, ranks: _Compared) -> list[Measured]:
    """The measures of a hypothesis' kind."""
    place = part.columns.start
    if part.kind == "category":
        named = [(place + k, name) for k, name in enumerate(part.categories) if name is not None]
        return [values.eta_squared(part.columns), *(ranks.measure("auc", column, name) for column, name in named)]
    line = values.measure("pearson", place)
    found = [line, ranks.measure("spearman", place), values.measure("slope", place), _squared(line)]
    return [*found, ranks.measure("auc", place)] if part.kind == "yes_no" else found


def _squared(line: Measured) -> Measured:
    """R squared of the line that fits best."""
    value, chosen, held_out, null_value = map(np.square, (line.value, line.chosen, line.held_out, line.null_value))
    return Measured("r_squared", None, value, chosen, held_out, null_value, line.p_value)


def _informed(cells: np.ndarray, part: Part, varies: np.ndarray) -> Measured:
    """Mutual information; no null is worked out for it."""
    value = np.where(varies, mutual_information(cells, part.cells), np.nan)
    return Measured("mutual_information", None, value, *np.full((4, len(value)), np.nan))


def _undefined(part: Part, neurons: int) -> list[Measured]:
    """A hypothesis that says nothing anywhere."""
    names = ["eta_squared"] if part.kind == "category" else ["pearson", "spearman", "slope", "r_squared"]
    names += ["auc"] if part.kind == "yes_no" else []
    return [Measured(name, None, *np.full((5, neurons), np.nan)) for name in [*names, "mutual_information"]]


def _table(layer: int, signal: str, measured: Sequence[Measured], columns: Columns) -> pa.Table:
    """Rows of all neurons, one measure after another."""
    neurons = len(measured[0].value)
    count = neurons * len(measured)
    figures = {name: np.concatenate([_rounded(each, name) for each in measured]) for name in FIGURES}
    same = {"layer": layer, "signal": signal, "split": "probe", "null": "permuted"}
    return (
        pa.table(
            {
                **{name: pa.repeat(value, count) for name, value in same.items()},
                "neuron": np.tile(np.arange(neurons, dtype=np.int32), len(measured)),
                "measure": _repeated([each.measure for each in measured], neurons),
                "category": _repeated([each.category for each in measured], neurons),
                **{name: pa.array(values, mask=np.isnan(values)) for name, values in figures.items()},
                "n": np.full(count, int(columns.weight.sum())),
                "texts": np.full(count, columns.texts),
            }
        )
        .select(SCORES.schema.names)
        .cast(SCORES.schema)
    )


def _rounded(measured: Measured, figure: str) -> np.ndarray:
    values: np.ndarray = getattr(measured, figure)
    return values if figure == "p_value" or measured.measure == "slope" else values.round(DIGITS)


def _repeated(names: Sequence[str | None], times: int) -> pa.Array:
    return pa.array(names, pa.string()).take(np.repeat(np.arange(len(names)), times))
