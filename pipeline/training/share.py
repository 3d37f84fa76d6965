"""Processes that train one model together: which part is whose, and what they tell one another.

Each holds the whole model and takes its part of every batch (data parallelism); torch's process group must have
been started. A process that is alone needs none.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, distributed

Data = TypeVar("Data")


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


def joined(share: Share, part: Tensor, size: int, start: int) -> Tensor:
    """The processes' parts of a tensor (layers, size, neurons) put together, this one's from `start` on."""
    if share.of == 1:
        return part
    whole = torch.zeros(part.shape[0], size, part.shape[2], device=_device())
    whole[:, start : start + part.shape[1]] = part
    distributed.all_reduce(whole)
    return whole


def told_by_first(share: Share, data: Data) -> Data:
    """The first process' data, in all of them."""
    if share.of == 1:
        return data
    message = [data]
    distributed.broadcast_object_list(message, src=0)
    return message[0]


def _device() -> str:
    """Where the process group wants its tensors."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
