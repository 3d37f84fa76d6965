"""Which targets an update takes: a function of (seed, update number) alone, whoever computes it."""

from typing import NamedTuple

import numpy as np

from pipeline.tasks.sequences import Sequences


class Spans(NamedTuple):
    """What the B lanes of an update read."""

    starts: np.ndarray  # (B,) int64: the places of the first tokens
    targets: np.ndarray  # (B,) int64: how many tokens are to be predicted, each by the one before it
    continues: np.ndarray  # (B,) bool: whether the lane goes on where it ended in the update before


class WholeSequences:
    """Sequences in shuffled order, each once an epoch."""

    def __init__(self, sequences: Sequences, batch_size: int, seed: int) -> None:
        self.lanes = min(batch_size, len(sequences))
        self._offsets, self._lengths = sequences.offsets, sequences.lengths
        self._shuffle = _Shuffle(seed, len(sequences))
        self._none = np.zeros(self.lanes, bool)

    def spans(self, train_step: int) -> Spans:
        """Those of one update."""
        updates = len(self._lengths) // self.lanes  # an epoch's remainder waits for another order
        epoch, place = divmod(train_step, updates)
        rows = self._shuffle.of(epoch)[place * self.lanes : (place + 1) * self.lanes]
        return Spans(self._offsets[rows], self._lengths[rows] - 1, self._none)


class Chunks:
    """Chunks of long sequences: every lane reads its share of an epoch's shuffled sequences, chunk after chunk.

    char-rnn (Karpathy, 2015) reads so, but for the borders of documents, which it does not know. A lane that
    begins within a sequence begins there with a zero state.
    """

    def __init__(self, sequences: Sequences, batch_size: int, seed: int, steps: int) -> None:
        self._offsets, self._targets, self._steps = sequences.offsets, sequences.lengths - 1, steps
        self._chunks = -(-self._targets // steps)  # of each sequence
        self.lanes = min(batch_size, int(self._chunks.sum()))
        self._shuffle = _Shuffle(seed, len(sequences))
        self._epoch, self._ends = -1, np.empty(0, np.int64)

    def spans(self, train_step: int) -> Spans:
        """Those of one update."""
        updates = int(self._chunks.sum()) // self.lanes
        epoch, place = divmod(train_step, updates)
        order = self._shuffle.of(epoch)
        if epoch != self._epoch:
            self._epoch, self._ends = epoch, np.cumsum(self._chunks[order])

        chunks = np.arange(self.lanes) * updates + place
        positions = np.searchsorted(self._ends, chunks, "right")
        rows = order[positions]

        begin = (chunks - (self._ends[positions] - self._chunks[rows])) * self._steps  # within the sequence
        targets = np.minimum(self._steps, self._targets[rows] - begin)
        return Spans(self._offsets[rows] + begin, targets, (begin > 0) & (place > 0))


class _Shuffle:
    """An epoch's order of so many things; the last one is kept."""

    def __init__(self, seed: int, count: int) -> None:
        self._seed, self._count = seed, count
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def of(self, epoch: int) -> np.ndarray:
        """The order."""
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
            self._epoch = epoch
        return self._order
