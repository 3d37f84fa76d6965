"""Hypotheses as columns of numbers. Those that speak at the same steps stand side by side: they share ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.scoring.information import STEPS, value_cells
from pipeline.scoring.nulls import Permuted
from pipeline.scoring.ranks import value_ranks
from pipeline.scoring.sums import Weighted
from pipeline.scoring.texts import Texts
from schemas.score_settings import Kind

CATEGORIES = 32  # the most frequent have a column of their own; the others share one


@dataclass(frozen=True, eq=False)
class Asked:
    """A hypothesis at the N rows of some texts."""

    values: np.ndarray  # (N,) float64, NaN where it says nothing; of a category, its place among them
    kind: Kind
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """A hypothesis' share of the columns."""

    kind: Kind
    columns: slice
    categories: tuple[str | None, ...]  # of each column; None for those that share one, and of numbers
    cells: np.ndarray  # (at most STEPS,) int64, for mutual information


def asked_of(value: pa.ChunkedArray, category: pa.ChunkedArray, place: np.ndarray, kind: Kind | None) -> Asked:
    """A hypothesis from its annotations.

    Args:
        value: (S,) float64, with NULLs.
        category: (S,) string, with NULLs.
        place: (S,) int64, the row of each; -1 for texts that were read before.
        kind: what it gives; None if only its annotations tell.
    """
    is_kept = place >= 0
    names: tuple[str, ...] = ()
    if category.null_count < len(category):
        kind = "category"
        coded = category.combine_chunks().dictionary_encode()
        names = tuple(coded.dictionary.to_pylist())
        value = coded.indices.cast(pa.float64())
    values = np.full(int(place.max(initial=-1)) + 1, np.nan)
    values[place[is_kept]] = value.to_numpy(zero_copy_only=False)[is_kept]
    return Asked(values, kind or "number", names)


class Columns:
    """The columns of hypotheses that have a value at the same n steps."""

    def __init__(self, texts: Texts, rows: np.ndarray, asked: Mapping[str, Asked]) -> None:
        """Make them.

        Args:
            texts: what was read.
            rows: (n,) int64, ascending: where the hypotheses have a value.
            asked: the hypotheses, by name.
        """
        self.rows = rows
        self.text, self.position = texts.text[rows], texts.position[rows]
        self.weight = texts.readings[self.text]
        self.split = int(np.searchsorted(self.text, texts.choosing))  # the first step of the half that confirms
        self.texts = len(np.unique(self.text))
        self.sampled = np.unique(np.linspace(0, max(len(rows) - 1, 0), min(STEPS, len(rows))).astype(int))

        self.parts: dict[str, Part] = {}
        values: list[np.ndarray] = []
        for name, hypothesis in asked.items():
            own = hypothesis.values[rows]
            columns, categories = (
                _indicators(own, hypothesis) if hypothesis.kind == "category" else ([own], (None,))
            )
            place = slice(len(values), len(values) + len(columns))
            ranks = value_ranks(own, self.weight)
            self.parts[name] = Part(hypothesis.kind, place, categories, value_cells(own, ranks)[self.sampled])
            values += columns
        self._is_number = [part.kind == "number" for part in self.parts.values() for _ in part.categories]
        self._values = values
        self._ranks = self._ranked(slice(None))
        halves = slice(self.split), slice(self.split, None)
        shifted = [_centred(own) if n else own for own, n in zip(values, self._is_number, strict=True)]

        self.values = tuple(Weighted.of([own[half] for own in shifted], self.weight[half]) for half in halves)
        self.ranks = Weighted.of(self._ranks, self.weight)
        self.half_ranks = tuple(Weighted.of(self._ranked(half), self.weight[half]) for half in halves)

    @cached_property
    def permuted(self) -> Permuted:
        """The null of the values."""
        return Permuted(self.text, self.position, self.weight, self._values)

    @cached_property
    def permuted_ranks(self) -> Permuted:
        """The null of their ranks."""
        return Permuted(self.text, self.position, self.weight, self._ranks)

    def _ranked(self, steps: slice) -> list[np.ndarray]:
        """Ranks of numbers among some steps; yes and no are as good as their ranks."""
        weight, columns = self.weight[steps], zip(self._values, self._is_number, strict=True)
        return [value_ranks(own[steps], weight) if is_number else own[steps] for own, is_number in columns]


def columns_of(texts: Texts, asked: Mapping[str, Asked]) -> list[Columns]:
    """Hypotheses side by side: those that have a value at the same steps."""
    alike: dict[bytes, list[str]] = {}
    for name, hypothesis in asked.items():
        alike.setdefault(np.packbits(np.isnan(hypothesis.values)).tobytes(), []).append(name)
    return [
        Columns(texts, np.flatnonzero(~np.isnan(asked[names[0]].values)), {name: asked[name] for name in names})
        for names in alike.values()
    ]


def _centred(values: np.ndarray) -> np.ndarray:
    """Less the first, and then less the mean: a constant is 0, and not what rounding leaves of it."""
    shifted = values - values[:1]
    centred: np.ndarray = shifted - shifted.mean() if len(shifted) else shifted
    return centred


def _indicators(values: np.ndarray, hypothesis: Asked) -> tuple[list[np.ndarray], tuple[str | None, ...]]:
    """A yes/no column for each category, the most frequent first, and one for the rest of them, if any."""
    counts = np.bincount(values.astype(int), minlength=len(hypothesis.categories))
    order = [int(place) for place in np.argsort(-counts, kind="stable") if counts[place]]
    own, rest = order[:CATEGORIES], order[CATEGORIES:]
    columns = [(values == place).astype(float) for place in own]
    names: list[str | None] = [hypothesis.categories[place] for place in own]
    if rest or not own:
        columns.append(np.isin(values, rest).astype(float))
        names.append(None)
    return columns, tuple(names)
