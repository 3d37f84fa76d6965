"""Processes that train one model together: which part is whose, and what they tell one another.

Each holds the whole model and takes its part of every batch (data parallelism); torch's process group must have
been started. A process that is alone needs none.
"""

from typing import NamedTuple

import torch
from torch import distributed


class Share(NamedTuple):
    """Which of the processes this one is."""

    rank: int = 0
    of: int = 1


ALONE = Share()


def summed(share: Share, values: list[float]) -> list[float]:
    """The sums of every process' values, in float64."""
    if share.of == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=_device())
    distributed.all_reduce(tensor)
    sums: list[float] = tensor.tolist()
    return sums


def told_by_first(share: Share, data: bytes | None) -> bytes | None:
    """The first process' data, in all of them."""
    if share.of == 1:
        return data
    told = [data]
    distributed.broadcast_object_list(told, src=0)
    return told[0]


def _device() -> str:
    """Where the process group wants its tensors."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
