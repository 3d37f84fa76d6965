"""What the lanes of a batch remember from one update to the next, where long sequences are learnt in chunks.

A network's state is (layers, lanes, neurons), one tensor for each of `STATE`; feedforward has none.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.models.recurrent_lm import CarriedState
from pipeline.training.share import Share, joined


class Lanes:
    """The states of a process' lanes, by part of the batch; zero before the first update."""

    def __init__(self, lanes: int, bounds: Sequence[int], share: Share) -> None:
        self._lanes, self._bounds, self._share = lanes, bounds, share
        self._parts: list[tuple[Tensor, ...]] = [()] * (len(bounds) - 1)

    def before(self, part: int, continues: Tensor) -> CarriedState:
        """The state that a part's lanes begin an update with: zero where they do not go on."""
        kept = tuple(torch.where(continues[:, None], state, 0.0) for state in self._parts[part])
        return kept[0] if len(kept) == 1 else kept or None

    def keep(self, part: int, state: CarriedState) -> None:
        """Remember what an update left; gradients end here."""
        states = (state,) if isinstance(state, Tensor) else state or ()
        self._parts[part] = tuple(tensor.detach() for tensor in states)

    def state(self) -> dict[str, Tensor]:
        """Every process' lanes, as named tensors; all of them must ask."""
        own = [torch.cat(parts, 1) for parts in zip(*self._parts, strict=True)]
        whole = (joined(self._share, lanes, self._lanes, self._bounds[0]) for lanes in own)
        return {f"lanes.{index}": lanes for index, lanes in enumerate(whole)}

    def restore(self, state: dict[str, Tensor], device: torch.device) -> None:
        """Go on from what `state` gave, here or with other processes."""
        whole = [state[f"lanes.{index}"] for index in range(sum(name.startswith("lanes.") for name in state))]
        self._parts = [tuple(lanes[:, a:b].to(device) for lanes in whole) for a, b in pairwise(self._bounds)]
