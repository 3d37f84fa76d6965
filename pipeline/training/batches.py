"""The tensors of an update, for one of the processes that train together."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.tasks.sequences import IGNORED, Sequences
from pipeline.training.order import Chunks, WholeSequences
from pipeline.training.share import ALONE, Share
from schemas.errors import UsageError
from schemas.training_settings import TrainingSettings

# Batches are made some at a time: one by one, between updates, the caches hold the model instead of the corpus,
# and making them takes 9 % of a small model's time instead of 2-5 %. Long sequences are made fewer at a time.
BATCHES_AHEAD = 32
TOKENS_AHEAD = 1_000_000


class Part(NamedTuple):
    """Some lanes of a batch."""

    tokens: Tensor  # (lanes, steps) int64
    targets: Tensor  # (lanes, steps) int64, IGNORED where there is none
    continues: Tensor  # (lanes,) bool: goes on from the state that the update before left in the lane


class Batch(NamedTuple):
    """One update's work for one process."""

    parts: list[Part]  # one after another
    targets: int  # that count, of the whole batch
    characters: int  # of them, in these parts


class Batches:
    """The batches of a training: whole sequences, or chunks of long ones."""

    def __init__(self, sequences: Sequences, settings: TrainingSettings, seed: int, share: Share = ALONE) -> None:
        """Prepare; raises UsageError when a batch has fewer sequences than there are parts."""
        self._sequences, self._share = sequences, share

        self._order: WholeSequences | Chunks
        longest = int(sequences.lengths.max())
        if settings.truncate:
            self._order = Chunks(sequences, settings.batch_size, seed, settings.truncate)
            longest = min(longest, settings.truncate)
        else:
            self._order = WholeSequences(sequences, settings.batch_size, seed)

        self.lanes = self._order.lanes
        if self.lanes < share.of * settings.accumulate:
            raise UsageError(
                f"a batch of {self.lanes} sequences is too small for {share.of} workers in {settings.accumulate} "
                "parts: raise training.batch_size, or lower training.accumulate or --data-parallel"
            )

        self.bounds = part_bounds(self.lanes, share, settings.accumulate)
        self._ahead = max(1, min(BATCHES_AHEAD, TOKENS_AHEAD // (self.lanes * longest)))

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of updates start to stop."""
        for first in range(start, stop, self._ahead):
            yield from self._made(range(first, min(first + self._ahead, stop)))

    def _made(self, train_steps: range) -> Iterator[Batch]:
        spans = [self._order.spans(train_step) for train_step in train_steps]
        here = slice(self.bounds[0], self.bounds[-1])

        starts, lengths = (np.stack([span[field][here] for span in spans]) for field in (0, 1))
        tokens, real = self._sequences.spans(starts.ravel(), lengths.ravel() + 1)
        targets = np.where(real[:, 1:], tokens[:, 1:], IGNORED)

        for batch, span in enumerate(spans):
            parts = []
            for begin, end in pairwise(bound - self.bounds[0] for bound in self.bounds):
                steps = slice(0, int(lengths[batch, begin:end].max()))
                lines = slice(batch * starts.shape[1] + begin, batch * starts.shape[1] + end)
                continues = span.continues[self.bounds[0] + begin : self.bounds[0] + end]
                parts.append(
                    Part(*map(torch.from_numpy, (tokens[lines, steps], targets[lines, steps], continues)))
                )
            yield Batch(parts, int(span.targets.sum()), int(lengths[batch].sum()))


def part_bounds(size: int, share: Share, parts: int) -> list[int]:
    """Where a process' parts of a batch begin and end: of 10, the second of two has 5, 7 and 10."""
    bounds = [size * part // (share.of * parts) for part in range(share.of * parts + 1)]
    return bounds[share.rank * parts : (share.rank + 1) * parts + 1]
