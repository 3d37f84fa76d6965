"""A tile of `activations`: some neurons x some steps of whole sequences, a row group of a shard."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Steps:
    """M steps of whole sequences: the keys that every neuron shares."""

    sequence: np.ndarray  # (M,) int32
    step: np.ndarray  # (M,) int32
    token: np.ndarray  # (M,) int32

    def are(self, other: "Steps") -> bool:
        """Whether they are the same steps."""
        return all(np.array_equal(mine, getattr(other, key)) for key, mine in vars(self).items())


@dataclass(frozen=True, eq=False)
class Tile:
    """K neurons, one after another, at the same M steps."""

    first_neuron: int
    steps: Steps
    signals: Mapping[str, np.ndarray]  # (K, M) float32, by name; those left out are NULL

    @property
    def neurons(self) -> np.ndarray:
        """Their numbers, (K,) int32."""
        count = len(next(iter(self.signals.values())))
        return np.arange(self.first_neuron, self.first_neuron + count, dtype=np.int32)
