"""Encoded sequences, laid end to end: what training and dumping read."""

from dataclasses import dataclass

import numpy as np

IGNORED = -100  # torch's mark for a target that does not count


@dataclass(frozen=True)
class Sequences:
    """S sequences of N steps in all."""

    ids: np.ndarray  # (S,) int32: their numbers in the run
    offsets: np.ndarray  # (S + 1,) int64: sequence s is tokens[offsets[s]:offsets[s + 1]]
    tokens: np.ndarray  # (N,) of whole numbers
    determined: np.ndarray  # (N,) bool: whether the step's target is determined

    def __len__(self) -> int:
        """Their number."""
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence, (S,) int64."""
        return np.diff(self.offsets)

    def take(self, start: int, stop: int) -> "Sequences":
        """Sequences start to stop, as a view."""
        first, last = self.offsets[start], self.offsets[stop]
        return Sequences(
            self.ids[start:stop],
            self.offsets[start : stop + 1] - first,
            self.tokens[first:last],
            self.determined[first:last],
        )

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of some sequences, padded at their ends, and which steps are real, as `spans`.

        Args:
            rows: places of B sequences, (B,).
        """
        starts = self.offsets[rows]
        return self.spans(starts, self.offsets[rows + 1] - starts)

    def spans(self, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens from some places on, padded at their ends, and which steps are real.

        Padding is whatever follows in memory: no step sees the steps after it, so its value changes nothing.

        Args:
            starts: B places in `tokens`, (B,).
            lengths: how many tokens there, (B,).

        Returns:
            Tokens (B, T) int64 and real (B, T) bool, T being the longest length.
        """
        steps = np.arange(lengths.max())
        tokens = self.tokens.take(starts[:, None] + steps, mode="clip")
        return tokens.astype(np.int64), steps < lengths[:, None]

    def batches(self, steps: int) -> list[tuple[int, int]]:
        """Runs of sequences, as (start, stop), whose padded size is at most `steps` or which are one sequence."""
        batches, start, longest = [], 0, 0
        for place, length in enumerate(self.lengths.tolist()):
            longest = max(longest, length)
            if place > start and longest * (place + 1 - start) > steps:
                batches.append((start, place))
                start, longest = place, length
        return [*batches, (start, len(self))]


def next_tokens(tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Targets of padded tokens, (B, T) int64: the next token, IGNORED after a sequence's last step."""
    targets = np.full_like(tokens, IGNORED)
    targets[:, :-1] = np.where(real[:, 1:], tokens[:, 1:], IGNORED)
    return targets
