r"""Counting: "aaaXbbb\n". As many b's as there were a's, so the network must count.

Determined: everything after the X.
"""

from pipeline.tasks.task import Sequence, generator
from schemas.task_settings import CountingSettings


class Counting:
    """a^n X b^n, n drawn evenly from 1..maximum."""

    def __init__(self, settings: CountingSettings) -> None:
        self.sizes = range(1, settings.maximum + 1)
        self.available: int | None = None

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """The same whatever was drawn."""
        return "\nXab"

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Sequence `index`; `size` is n."""
        n = size or int(generator(seed, index).choice(self.sizes))
        return Sequence("a" * n + "X" + "b" * n + "\n", determined_from=n + 1)
