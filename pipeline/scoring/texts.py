"""The distinct texts of a split. What two sequences read alike is one observation, however often it is read.

A probe of 1,000 sequences of a^n X b^n holds ten texts: halves, nulls and p-values count texts, not sequences.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np


@dataclass(frozen=True, eq=False)
class Texts:
    """G texts, those of the half that chooses before those that confirm. Their steps, in order, are N rows."""

    first: np.ndarray  # (G,) int32, the sequence that reads each first
    readings: np.ndarray  # (G,) float64, how many sequences read it
    lengths: np.ndarray  # (G,) int64, in steps

    @property
    def choosing(self) -> int:
        """Texts in the half that chooses; the others confirm, if there are any."""
        return (len(self.first) + 1) // 2

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of each text, and behind the last one's the number of rows: (G + 1,) int64."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @cached_property
    def text(self) -> np.ndarray:
        """Which text a row is of, (N,) int64."""
        return np.repeat(np.arange(len(self.first)), self.lengths)

    @cached_property
    def position(self) -> np.ndarray:
        """A row's step within its text, (N,) int64."""
        rows: np.ndarray = np.arange(self.starts[-1]) - self.starts[self.text]
        return rows

    def rows_of(self, sequence: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The row of each step of some sequences, (M,) int64; -1 for sequences that read a text again."""
        order = np.argsort(self.first)
        place = np.minimum(np.searchsorted(self.first[order], sequence), len(order) - 1)
        text = order[place]
        rows: np.ndarray = np.where(self.first[text] == sequence, self.starts[text] + step, -1)
        return rows


def distinct_texts(sequence: np.ndarray, token: np.ndarray) -> Texts:
    """The texts of some sequences, in an order that only the texts themselves decide.

    Args:
        sequence: (S,) int32, ascending.
        token: (S,) int32, what each reads, step by step.
    """
    numbers, starts, counts = np.unique(sequence, return_index=True, return_counts=True)
    found: dict[bytes, list[int]] = {}
    for place, (start, count) in enumerate(zip(starts, counts, strict=True)):
        found.setdefault(token[start : start + count].tobytes(), []).append(place)

    readers = [found[text] for text in sorted(found, key=lambda text: blake2b(text).digest())]
    first = np.array([places[0] for places in readers], np.int64)
    return Texts(
        numbers[first].astype(np.int32), np.array([len(places) for places in readers], float), counts[first]
    )
