"""Where a run's sequences come from, and its network when it was trained elsewhere: what each must offer.

The sources are `TaskSource` (tasks.py) and `TextSource` (texts.py); the networks are `ImportedNetwork` and
`LiveNetwork` (network.py). All of them travel with every piece, so they hold settings, not data.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa
from pydantic import BaseModel

from pipeline.corpus.pieces import Shard
from pipeline.tasks.vocabulary import Vocabulary
from schemas.experiment import CorpusSettings

if TYPE_CHECKING:  # so that who only asks which run it is need not wait for torch
    from torch import nn

    from jobs.run.network import Network


class SourcePieces(NamedTuple):
    """How the sequences of a run are made."""

    arguments: Sequence[BaseModel]  # of each piece, which only the source understands
    sequences: Sequence[int]  # that each of them makes
    bounds: Mapping[str, Sequence[int]]  # of each split: the first sequence of each shard, and the last one's end


class Source(Protocol):
    """Sequences in three splits, which any process can make again."""

    def vocabulary(self) -> Vocabulary:
        """What its tokens stand for. Raises UsageError when what it reads is not what the run began with."""

    def stored_vocabulary(self, characters: str) -> Vocabulary:
        """The same, from the characters that the lake holds; nothing else is read."""

    def checked_sizes(self, vocabulary: Vocabulary | None) -> CorpusSettings:
        """The corpus' settings with the sizes of its splits, once all that can be checked has been.

        Args:
            vocabulary: an imported network's, which must be able to read the sequences; None for the source's own.

        Raises UsageError when there are too few sequences, or when they cannot be encoded.
        """

    def sized(self, corpus: CorpusSettings) -> "Source":
        """The same source with those sizes."""

    def pieces(self) -> SourcePieces:
        """What has to be made."""

    def shards(self, arguments: BaseModel, vocabulary: Vocabulary) -> Iterator[Shard]:
        """What one piece makes."""

    def first_rows(self, split: str, most: int, vocabulary: Vocabulary) -> pa.Table:
        """The rows of `steps` of a split's first sequences, made anew, whether or not the lake has them."""

    def mean_steps(self, split: str, vocabulary: Vocabulary) -> float:
        """How many steps a sequence of a split has, exactly or from a sample; 0 for an empty split."""

    def knows_its_language(self) -> bool:
        """Whether a hypothesis about code can tell what language it reads."""

    def unread_languages(self) -> list[str]:
        """The languages, with suffixes, of those of its documents that are code which no reader here reads."""

    def description(self) -> list[str]:
        """Lines that a person should see before anything is made of it."""


class NetworkSource(Protocol):
    """A network that was trained elsewhere."""

    @property
    def told(self) -> tuple[str, ...]:
        """What a person should know of how its weights were read."""

    def vocabulary(self) -> Vocabulary:
        """What its tokens stand for. Raises UsageError when it is not what the run began with."""

    def module(self) -> "nn.Module":
        """Its module, with whatever weights that is made with."""

    def open(self) -> "Network":
        """The module with its weights, and its vocabulary. Raises UsageError as `vocabulary` does."""
