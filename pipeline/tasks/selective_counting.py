r"""Selective counting: "aXaXXaYbbb\n". The X's are noise: only the a's count.

Determined: everything after the Y.
"""

from pipeline.tasks.task import Sequence, generator
from schemas.task_settings import SelectiveCountingSettings


class SelectiveCounting:
    """n a's with X's mixed in at random, Y, n b's; n drawn evenly from 1..maximum."""

    def __init__(self, settings: SelectiveCountingSettings) -> None:
        self.sizes = range(1, settings.maximum + 1)
        self.available: int | None = None
        self._maximum_noise = settings.maximum_noise

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """The same whatever was drawn."""
        return "\nXYab"

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Sequence `index`; `size` is n."""
        random = generator(seed, index)
        n = size or int(random.choice(self.sizes))
        letters = list("a" * n + "X" * int(random.integers(self._maximum_noise + 1)))
        random.shuffle(letters)
        mixed = "".join(letters)
        return Sequence(f"{mixed}Y{'b' * n}\n", determined_from=len(mixed) + 1)
