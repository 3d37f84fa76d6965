"""Tokens: sequences that were given as tokens, in Python, in their order. Nothing is determined."""

from collections.abc import Sequence as Items

from pipeline.tasks.task import Sequence
from pipeline.tasks.vocabulary import Vocabulary


class Tokens:
    """Sequences as they were given; the seed plays no part."""

    def __init__(self, sequences: Items[tuple[int, ...]], vocabulary: Vocabulary) -> None:
        self.sizes: range | None = None
        self.available: int | None = len(sequences)
        self._sequences, self._vocabulary = sequences, vocabulary

    def alphabet(self, seed: int, sequences: int) -> str:  # noqa: ARG002
        """Every character of the vocabulary."""
        return "".join(self._vocabulary.characters)

    def sequence(self, seed: int, index: int, size: int | None = None) -> Sequence:  # noqa: ARG002
        """Sequence `index`, counted as they were given."""
        tokens = self._sequences[index]
        text = "".join(self._vocabulary.characters[token] for token in tokens)
        return Sequence(text, determined_from=len(text), tokens=tokens)
