"""A text: surveyed by the driver before anything else, read again piece by piece wherever the pieces are made."""

import sys
import time
from collections.abc import Iterator

from jobs.progress import short
from pipeline.corpus.cleaning import UNKNOWN, cleaned
from pipeline.corpus.pieces import Shard, TextPiece, plan_pieces, text_shards
from pipeline.corpus.survey import Division, Survey, Surveyor
from pipeline.storage.sources import find_sources, read_documents
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS, Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings

TOLD_SECONDS = 10.0  # between two lines about a long reading


def survey_text(settings: TextSettings) -> Survey:
    """Read every document once and take note of it; a line on stderr every ten seconds.

    Raises UsageError when nothing matches, or for a document that cannot be read as text.
    """
    surveyor, told = Surveyor(), time.monotonic()
    for source, found in _read(settings, 0, None):
        if isinstance(found, Document) and 0 < settings.maximum_characters < surveyor.characters + len(found.text):
            if not surveyor.documents:
                raise UsageError(f"{found.name} has {len(found.text)} characters: raise task.maximum_characters")
            break
        surveyor.add(source, found)
        if time.monotonic() - told > TOLD_SECONDS:
            told = time.monotonic()
            so_far = f"{surveyor.documents:,} documents, {short(surveyor.characters)} characters"
            print(f"reading the corpus: {so_far}", file=sys.stderr)
    return surveyor.survey()


def text_vocabulary(settings: TextSettings, characters: str) -> Vocabulary:
    """The vocabulary of a text, which reads rare characters as the unknown one."""
    unknown = UNKNOWN if settings.rare and UNKNOWN in characters else None
    return Vocabulary(characters, unknown=unknown)


def read_text(settings: TextSettings, piece: TextPiece, vocabulary: Vocabulary) -> Iterator[Shard]:
    """The shards of a piece, from its sources. Raises UsageError when they have changed."""
    documents = (found for _, found in _read(settings, *piece.sources) if isinstance(found, Document))
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
            yield place, cleaned(document, settings)
