"""A text as the source of a run's sequences.

The driver surveys it before anything else; it is read again, piece by piece, wherever the pieces are made.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from jobs.process.progress import short
from jobs.run.source import SourcePieces
from pipeline.annotation.lexing import language_of
from pipeline.corpus.cleaning import UNKNOWN, cleaned
from pipeline.corpus.pieces import CHANGED, Shard, TextPiece, plan_pieces, steps_of, text_shards
from pipeline.corpus.rows import split_range
from pipeline.corpus.survey import Division, Survey, Surveyor, alphabet, divide, fitted
from pipeline.storage.sources import find_sources, read_documents
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS, Document
from schemas.errors import UsageError
from schemas.experiment import CorpusSettings
from schemas.languages import UNREAD
from schemas.task_settings import TextSettings

LINE_SECONDS = 10.0  # between two lines about a long reading


@dataclass(frozen=True)
class TextSource:
    """Sequences that are windows of documents."""

    settings: TextSettings
    corpus: CorpusSettings
    last_split: str  # the split that takes what the others leave
    inputs: str | None  # digest of the text that the run began with
    surveyed: Survey | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> dict[str, object]:
        """What travels to workers: the survey stays with the driver."""
        return {**self.__dict__, "surveyed": None}

    def survey(self) -> Survey:
        """The survey. Raises UsageError when the files are not those that the run began with."""
        survey = survey_text(self.settings) if self.surveyed is None else self.surveyed
        if survey.digest != self.inputs:
            raise UsageError(CHANGED)
        return survey

    def division(self) -> Division:
        """Which split has which documents. Raises UsageError when there are too few, or others."""
        return divide(self.survey(), self.settings, self.corpus, self.last_split)

    def vocabulary(self) -> Vocabulary:
        """The characters of its train documents and what stands for the rare ones."""
        return text_vocabulary(self.settings, alphabet(self.survey(), self.settings))

    def stored_vocabulary(self, characters: str) -> Vocabulary:
        """Those characters, one of which may stand for the rare ones."""
        return text_vocabulary(self.settings, characters)

    def checked_sizes(self, vocabulary: Vocabulary | None) -> CorpusSettings:
        """The splits' sizes as the documents fill them."""
        survey = self.survey()
        if vocabulary is None and len(survey):
            alphabet(survey, self.settings)
        corpus, division = fitted(survey, self.settings, self.corpus, self.last_split)
        if vocabulary:
            check_readable(self.settings, survey, division, vocabulary)
        return corpus.model_copy(update={split: division.size(split) for split in SPLITS})

    def sized(self, corpus: CorpusSettings) -> "TextSource":
        """The same text with those sizes."""
        return replace(self, corpus=corpus)

    def pieces(self) -> SourcePieces:
        """A piece for some million characters."""
        pieces, bounds = plan_pieces(self.survey(), self.division(), self.settings.window)
        return SourcePieces(pieces, [piece.sequences for piece in pieces], bounds)

    def shards(self, arguments: BaseModel, vocabulary: Vocabulary) -> Iterator[Shard]:
        """The piece's shards, of every split. Raises UsageError when the sources have changed."""
        assert isinstance(arguments, TextPiece)
        return read_text(self.settings, arguments, vocabulary)

    def first_rows(self, split: str, most: int, vocabulary: Vocabulary) -> pa.Table:
        """Read from the files, no further than needed."""
        stop = split_range(self.corpus, split)[:most].stop
        pieces, _ = plan_pieces(self.survey(), self.division(), self.settings.window)
        read = (read_text(self.settings, piece, vocabulary) for piece in pieces if split in piece.parts)
        tables = []
        for shard in chain.from_iterable(read):
            if shard.split == split:
                tables.append(shard.steps)
                if shard.steps["sequence"][-1].as_py() >= stop - 1:
                    break
        rows = pa.concat_tables(tables)
        return rows.filter(pc.less(rows["sequence"], stop))

    def mean_steps(self, split: str, vocabulary: Vocabulary) -> float:  # noqa: ARG002  # a step is a character
        """As the survey has counted them."""
        division, size = self.division(), len(split_range(self.corpus, split))
        steps = steps_of(self.survey(), division, self.settings.window)
        return float(steps[division.of(split)].sum()) / size if size else 0.0

    def knows_its_language(self) -> bool:
        """Whether the name of any document tells it."""
        return any(language_of(f"a{suffix}") != "plain" for suffix in self.survey().suffixes)

    def unread_languages(self) -> list[str]:
        """By the suffixes of its documents."""
        return [f"{UNREAD[suffix]} ({suffix})" for suffix in sorted(self.survey().suffixes) if suffix in UNREAD]

    def description(self) -> list[str]:
        """Its sizes, and what was left out."""
        return text_lines(self.survey(), self.division())


def survey_text(settings: TextSettings) -> Survey:
    """Read every document once and take note of it; a line on stderr every ten seconds.

    Raises UsageError when nothing matches, or for a document that cannot be read as text.
    """
    surveyor, last_line = Surveyor(), time.monotonic()

    for source, document in _read(settings, 0, None):
        if isinstance(document, Document):
            length = len(document.text)
            if 0 < settings.maximum_characters < surveyor.characters + length:
                if not surveyor.documents:
                    raise UsageError(f"{document.name} has {length} characters: raise task.maximum_characters")
                break

        surveyor.add(source, document)
        if time.monotonic() - last_line > LINE_SECONDS:
            last_line = time.monotonic()
            so_far = f"{surveyor.documents:,} documents, {short(surveyor.characters)} characters"
            print(f"reading the corpus: {so_far}", file=sys.stderr)
    return surveyor.survey()


def text_vocabulary(settings: TextSettings, characters: str) -> Vocabulary:
    """The vocabulary of a text, which reads rare characters as the unknown one."""
    unknown = UNKNOWN if settings.rare and UNKNOWN in characters else None
    return Vocabulary(characters, unknown=unknown)


def read_text(settings: TextSettings, piece: TextPiece, vocabulary: Vocabulary) -> Iterator[Shard]:
    """The shards of a piece, from its sources. Raises UsageError when they have changed."""
    documents = (document for _, document in _read(settings, *piece.sources) if isinstance(document, Document))
    return text_shards(documents, piece, settings.window, vocabulary)


def check_readable(settings: TextSettings, survey: Survey, division: Division, vocabulary: Vocabulary) -> None:
    """Raise UsageError for a text that an imported network's vocabulary or tokenizer cannot read."""
    if vocabulary.tokenizer is None and set(survey.counts) <= set(vocabulary.characters):
        return
    for piece in plan_pieces(survey, division, settings.window)[0]:
        for _ in read_text(settings, piece, vocabulary):
            pass


def text_lines(survey: Survey, division: Division) -> list[str]:
    """What a person should see of a text before it is used: its sizes, and what was left out."""
    nowhere = int((division.splits < 0).sum())
    left = [f"{count:,} {reason}" for reason, count in survey.left_out.items()]
    splits = [
        f"{split} {division.size(split):,} sequences of {len(division.of(split)):,} documents"
        for split in SPLITS
        if division.size(split)
    ]
    unused = f", {nowhere:,} equal to others or not needed" if nowhere else ""
    return [
        f"text: {len(survey):,} documents, {short(int(survey.characters.sum()))} characters{unused}"
        + (f"; left out: {', '.join(left)}" if left else ""),
        "; ".join(splits),
    ]


def _read(settings: TextSettings, start: int, stop: int | None) -> Iterator[tuple[int, Document | str]]:
    """Cleaned documents with their sources' places, or why they are left out."""
    sources = find_sources(settings)
    if not sources:
        raise UsageError(f"the corpus is empty: no file matches {settings.choice}")
    for place, source in enumerate(sources[start:stop], start):
        for document in read_documents(source, settings):
            yield place, document if isinstance(document, str) else cleaned(document, settings)
