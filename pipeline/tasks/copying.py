r"""Copying: "bacXbac\n". The letters before the X come again after it.

Determined: everything after the X.
"""

from pipeline.tasks.task import Sequence, generator
from schemas.task_settings import CopyingSettings


class Copying:
    """`length` letters drawn from a, b, c, then X, then the same letters."""

    def __init__(self, settings: CopyingSettings) -> None:
        self.sizes = range(settings.length, settings.length + 1)
        self.available: int | None = None

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """The same whatever was drawn."""
        return "\nXabc"

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Sequence `index`; `size` is the number of letters."""
        length = size or self.sizes[0]
        letters = "".join(generator(seed, index).choice(list("abc"), size=length))
        return Sequence(f"{letters}X{letters}\n", determined_from=length + 1)
