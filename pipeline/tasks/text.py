r"""Text: "def main():\n    return 0\n". Files as they are, cut into windows of equal length.

Documents are put in an order that the seed decides and cut one after another, so that the splits, which take
sequences from the front, hold different documents (but for one cut at each border). Nothing is determined.
"""

from bisect import bisect_right
from collections.abc import Sequence as Items
from functools import cached_property
from itertools import accumulate

import numpy as np

from pipeline.tasks.task import Sequence
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings


class Text:
    """Windows of `window` characters; a file's remainder that is shorter is left out. 0 is the whole file."""

    def __init__(self, settings: TextSettings, documents: Items[Document]) -> None:
        self.sizes = None
        self._window = settings.window
        self._documents = [document for document in documents if self._windows(document)]
        if not self._documents:
            longer = f" of at least {self._window} characters" if documents else ""
            raise UsageError(f"the corpus is empty: no file{longer} matches task.files = {settings.files}")
        self._orders: dict[int, tuple[list[int], list[int]]] = {}

    def _windows(self, document: Document) -> int:
        return len(document.text) // self._window if self._window else int(len(document.text) > 1)

    @cached_property
    def available(self) -> int | None:
        """How many windows the documents hold."""
        return sum(map(self._windows, self._documents))

    def alphabet(self, seed: int, sequences: int) -> str:
        """The characters of the first `sequences` windows."""
        texts = (self.sequence(seed, index).text for index in range(sequences))
        return "".join(sorted(set().union(*texts)))

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:
        """Window `index` in the order that the seed decides."""
        if size is not None:
            raise UsageError("the task text has no sizes")
        order, ends = self._order(seed)
        place = bisect_right(ends, index)
        if index < 0 or place == len(order):
            raise UsageError(
                f"the corpus holds {self.available} sequences, and sequence {index} was asked for: "
                "lower corpus.train, corpus.valid or corpus.probe, or give more files"
            )
        document = self._documents[order[place]]
        if not self._window:
            return Sequence(document.text, determined_from=len(document.text))
        start = (index - (ends[place - 1] if place else 0)) * self._window
        return Sequence(document.text[start : start + self._window], determined_from=self._window)

    def _order(self, seed: int) -> tuple[list[int], list[int]]:
        """The documents' order, and where each one's windows end."""
        if seed not in self._orders:
            order = np.random.default_rng(seed).permutation(len(self._documents)).tolist()
            ends = list(accumulate(self._windows(self._documents[index]) for index in order))
            self._orders[seed] = order, ends
        return self._orders[seed]
