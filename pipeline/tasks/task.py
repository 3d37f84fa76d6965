"""What a task is: a source of sequences, each made from (seed, index) alone."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Sequence:
    """A text, and where a perfect model must be right."""

    text: str
    determined_from: int  # characters from this index on follow from those before; len(text): none does
    tokens: tuple[int, ...] | None = None  # where the sequence was given as tokens rather than as text


class Task(Protocol):
    """A source of sequences."""

    @property
    def sizes(self) -> range | None:
        """The sizes to train on, or None when sequences have no size."""

    @property
    def available(self) -> int | None:
        """How many sequences there are, or None when there is no end of them."""

    def alphabet(self, seed: int, sequences: int) -> str:
        """Every character that the first `sequences` sequences can hold."""

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Sequence `index`; of a given size, which may lie beyond training, or of one drawn from `sizes`."""


def generator(seed: int, index: int) -> np.random.Generator:
    """The random numbers of one sequence: independent of every other, in whatever order they are made."""
    return np.random.default_rng([seed, index])
