"""A task as the source of a run's sequences."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from jobs.run.source import SourcePieces
from pipeline.corpus.pieces import SEQUENCES_PER_SHARD, Shard
from pipeline.corpus.rows import encoded_sequence, split_range, step_rows
from pipeline.tasks import make_task
from pipeline.tasks.task import Task
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS
from schemas.experiment import CorpusSettings
from schemas.task_settings import TaskSettings

SAMPLE = 200  # sequences that are made to learn their length, or whether a network can read them


class TaskPiece(BaseModel):
    """Some sequences of a split, which make one shard."""

    model_config = ConfigDict(frozen=True)

    split: str
    shard: int
    start: int  # the number of the first sequence, counted over all splits
    stop: int  # behind the last


@dataclass(frozen=True)
class TaskSource:
    """Sequences that a task makes, each from the seed and its number."""

    settings: TaskSettings
    corpus: CorpusSettings
    takes_all: bool = False  # without a probe size: all that the task holds is probed, as for an imported network
    given: Task | None = None  # a task that is at hand, so none is made from the settings

    @property
    def task(self) -> Task:
        """What makes the sequences."""
        return self.given or make_task(self.settings)

    def vocabulary(self) -> Vocabulary:
        """The characters that its sequences can hold."""
        return Vocabulary(self.task.alphabet(self.corpus.seed, self.corpus.train))

    def stored_vocabulary(self, characters: str) -> Vocabulary:
        """Those characters."""
        return Vocabulary(characters)

    def checked_sizes(self, vocabulary: Vocabulary | None) -> CorpusSettings:
        """The splits' sizes as the settings give them, or the probe split as the rest of what the task holds."""
        task, corpus = self.task, self.corpus
        if self.takes_all and not corpus.probe and task.available is not None:
            rest = max(1, task.available - corpus.train - corpus.valid)
            corpus = corpus.model_copy(update={"probe": rest})
        if vocabulary is not None:
            wanted = corpus.train + corpus.valid + corpus.probe
            tried = wanted if task.available is not None else min(wanted, SAMPLE)
            for number in range(tried):
                encoded_sequence(task.sequence(corpus.seed, number), vocabulary, number)
        return corpus

    def sized(self, corpus: CorpusSettings) -> "TaskSource":
        """The same task with those sizes."""
        return replace(self, corpus=corpus)

    def pieces(self) -> SourcePieces:
        """A piece for each shard."""
        pieces: list[TaskPiece] = []
        bounds = {}
        for split in SPLITS:
            numbers = split_range(self.corpus, split)
            bounds[split] = [*numbers[::SEQUENCES_PER_SHARD], numbers.stop]
            for shard, (start, stop) in enumerate(pairwise(bounds[split])):
                pieces.append(TaskPiece(split=split, shard=shard, start=start, stop=stop))
        return SourcePieces(pieces, [piece.stop - piece.start for piece in pieces], bounds)

    def shards(self, arguments: BaseModel, vocabulary: Vocabulary) -> Iterator[Shard]:
        """The piece's only shard."""
        assert isinstance(arguments, TaskPiece)
        rows = step_rows(self.task, vocabulary, self.corpus.seed, range(arguments.start, arguments.stop))
        yield Shard(arguments.split, arguments.shard, rows)

    def first_rows(self, split: str, most: int, vocabulary: Vocabulary) -> pa.Table:
        """Made from their numbers."""
        return step_rows(self.task, vocabulary, self.corpus.seed, split_range(self.corpus, split)[:most])

    def mean_steps(self, split: str, vocabulary: Vocabulary) -> float:
        """The mean of a sample."""
        size = len(split_range(self.corpus, split))
        return len(self.first_rows(split, SAMPLE, vocabulary)) / min(size, SAMPLE) if size else 0.0

    def knows_its_language(self) -> bool:
        """It is no code, and is read as plain text."""
        return True

    def unread_languages(self) -> list[str]:
        """None, for it is no code."""
        return []

    def description(self) -> list[str]:
        """Nothing beyond its settings."""
        return []
