"""A split's sequences, gathered from its shards one by one; what is large lies in a file that nobody names."""

import os
import tempfile

import numpy as np
import pyarrow as pa

from pipeline.tasks.sequences import Sequences
from schemas.errors import StorageError

# Steps above which tokens are kept in a file that is mapped into memory, so that the system may drop them.
STEPS_IN_MEMORY = 16_000_000


class Gathering:
    """Room for N steps, filled shard by shard: 4 bytes a step, and 12 a sequence."""

    def __init__(self, steps: int) -> None:
        self._tokens = _room(steps)
        self._steps = 0
        self._ids: list[np.ndarray] = []
        self._starts: list[np.ndarray] = []
        self._determined: list[tuple[int, np.ndarray]] = []  # of shards where any is, with their first steps

    def add(self, rows: pa.Table) -> None:
        """Take the next shard's rows of `steps`, in the order of (sequence, step)."""
        numbers = rows["sequence"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        self._tokens[self._steps : self._steps + len(rows)] = rows["token"].to_numpy()
        determined = rows["determined"].to_numpy()
        if determined.any():
            self._determined.append((self._steps, determined))
        self._ids.append(numbers[starts])
        self._starts.append(starts + self._steps)
        self._steps += len(rows)

    def sequences(self) -> Sequences:
        """All that was added."""
        none: np.ndarray = np.broadcast_to(np.False_, self._steps)  # takes no memory
        determined = none.copy() if self._determined else none
        for start, values in self._determined:
            determined[start : start + len(values)] = values
        return Sequences(
            ids=np.concatenate(self._ids),
            offsets=np.append(np.concatenate(self._starts), self._steps),
            tokens=self._tokens[: self._steps],
            determined=determined,
        )


def _room(steps: int) -> np.ndarray:
    if steps <= STEPS_IN_MEMORY:
        return np.empty(steps, np.int32)
    with tempfile.TemporaryFile() as file:
        try:  # a disk that is too full says so now, not when a page is written
            os.posix_fallocate(file.fileno(), 0, steps * 4)
        except OSError as error:
            where = tempfile.gettempdir()
            raise StorageError(
                f"no room for {steps * 4:,} bytes in {where} ({error.strerror}): set TMPDIR"
            ) from None
        return np.memmap(file, np.int32, "r+", shape=(steps,))
