r"""State memory: "AxxxYa\n", "BxYb\n". One letter must be remembered over a stretch of x's.

Determined: everything after the Y.
"""

from pipeline.tasks.task import Sequence, generator
from schemas.task_settings import StateMemorySettings


class StateMemory:
    """A or B, x's, Y, then a or b; the number of x's is drawn evenly from 1..maximum."""

    def __init__(self, settings: StateMemorySettings) -> None:
        self.sizes = range(1, settings.maximum + 1)
        self.available: int | None = None

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """The same whatever was drawn."""
        return "\nABYabx"

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Sequence `index`; `size` is the number of x's."""
        random = generator(seed, index)
        state = "AB"[random.integers(2)]
        fillers = size or int(random.choice(self.sizes))
        return Sequence(f"{state}{'x' * fillers}Y{state.lower()}\n", determined_from=fillers + 2)
