"""What is said of a neuron: a role, and the evidence for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[
    str, Any
]  # by name: numbers, characters with a number each, lists of characters; None: not known


@dataclass(frozen=True)
class Role:
    """One role of a neuron."""

    name: str | None  # None: it has none
    evidence: str  # one short sentence with figures
    figures: Figures = field(default_factory=dict)  # the same and more, by name


VISIBLE = {"\n": "⏎", "\t": "→", " ": "␣"}


def shown(character: str) -> str:
    """A character as it can be read in a sentence."""
    return VISIBLE.get(character, character)


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def rounded(value: float) -> float:
    """A figure with four digits behind the point, which is more than it is known to."""
    return round(float(value), 4) + 0.0  # no -0.0
