"""Which sequences an update takes: a function of (seed, update number) alone, whoever computes it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.tasks.sequences import IGNORED, Sequences
from pipeline.training.share import ALONE, Share
from schemas.errors import UsageError
from schemas.experiment import TrainingSettings

# Batches are made some at a time: one by one, between updates, the caches hold the model instead of the corpus,
# and making them takes 9 % of a small model's time instead of 2-5 %. Long sequences are made fewer at a time.
BATCHES_AHEAD = 32
TOKENS_AHEAD = 1_000_000


class Batch(NamedTuple):
    """One update's work for one process."""

    parts: list[tuple[Tensor, Tensor]]  # tokens and targets, both (sequences, steps), one after another
    targets: int  # that count, of the whole batch
    characters: int  # of them, in these parts


class Batches:
    """The batches of a training, in shuffled order, each sequence once an epoch."""

    def __init__(self, sequences: Sequences, settings: TrainingSettings, seed: int, share: Share = ALONE) -> None:
        """Prepare; raises UsageError when a batch has fewer sequences than there are parts."""
        self._sequences, self._seed, self._share = sequences, seed, share
        self._parts = settings.accumulate
        self._size = min(settings.batch_size, len(sequences))
        if self._size < share.of * self._parts:
            raise UsageError(
                f"a batch of {self._size} sequences is too small for {share.of} workers in {self._parts} parts: "
                "raise training.batch_size, or lower training.accumulate or --data-parallel"
            )
        self._lengths = sequences.lengths
        longest = self._size * int(self._lengths.max())
        self._ahead = max(1, min(BATCHES_AHEAD, TOKENS_AHEAD // longest))
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of updates start to stop."""
        for first in range(start, stop, self._ahead):
            yield from self._made(range(first, min(first + self._ahead, stop)))

    def _made(self, train_steps: range) -> Iterator[Batch]:
        rows = np.stack([self._rows(train_step) for train_step in train_steps])
        counts = (self._lengths[rows] - 1).sum(1).tolist()
        bounds = part_bounds(self._size, self._share, self._parts)
        own = rows[:, bounds[0] : bounds[-1]]
        tokens, real = self._sequences.padded(own.ravel())
        targets = np.where(real[:, 1:], tokens[:, 1:], IGNORED)
        lengths = self._lengths[own] - 1
        for batch, counted in enumerate(counts):
            parts = []
            for begin, end in pairwise(bounds):
                here = slice(begin - bounds[0], end - bounds[0])
                steps = slice(0, int(lengths[batch, here].max()))
                lines = slice(batch * own.shape[1] + here.start, batch * own.shape[1] + here.stop)
                parts.append((torch.from_numpy(tokens[lines, steps]), torch.from_numpy(targets[lines, steps])))
            yield Batch(parts, counted, int(lengths[batch].sum()))

    def _rows(self, train_step: int) -> np.ndarray:
        """The places of an update's sequences, (batch,)."""
        batches = len(self._sequences) // self._size  # an epoch's remainder waits for another order
        epoch, place = divmod(train_step, batches)
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._sequences))
            self._epoch = epoch
        return self._order[place * self._size : (place + 1) * self._size]


def part_bounds(size: int, share: Share, parts: int) -> list[int]:
    """Where a process' parts of a batch begin and end: of 10, the second of two has 5, 7 and 10."""
    bounds = [size * part // (share.of * parts) for part in range(share.of * parts + 1)]
    return bounds[share.rank * parts : (share.rank + 1) * parts + 1]
