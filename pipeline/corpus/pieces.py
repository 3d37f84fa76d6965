"""A text in pieces that are made anywhere, in any order: each reads some sources and writes shards of every split.

A large source, as an archive or a table of rows, is read by several pieces, which pass over the documents before
their own: reading takes a tenth of what encoding and writing take. A piece is told which split has each of its
documents, and how many documents go into each shard, so that it needs neither the survey nor another piece.
A shard ends where a document does.
"""

import base64
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipeline.corpus.rows import rows_of_tokens
from pipeline.corpus.survey import Division, Survey, digest_of, text_digest, windows_of
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import DOCUMENTS, SPLITS, Document
from schemas.errors import UsageError

# Reading and encoding take a second or two then, and a shard of `steps` 100 MB of memory at most.
CHARACTERS_PER_PIECE = 4_000_000
SEQUENCES_PER_SHARD = 4096
STEPS_PER_SHARD = 1_000_000
PIECES_PER_SOURCE = 16  # at most: together they read it eight times, and a piece of 1 GB takes half a minute
CHANGED = "the files of the corpus have changed since the run began: run it again"


class Part(BaseModel):
    """A piece's part of one split."""

    model_config = ConfigDict(frozen=True)

    shard: int  # the first one's number
    sequence: int  # the first one's number
    documents: list[int]  # of each shard
    digests: list[str]  # of each shard's documents


class TextPiece(BaseModel):
    """What a piece is told."""

    model_config = ConfigDict(frozen=True)

    sources: tuple[int, int]  # from the first to before the last, by their places
    skip: int  # documents at the start of the first source, which another piece has
    document: int  # the number of the first
    documents: int
    splits: str  # of each: a byte, packed by zlib, in base 85
    cut: dict[int, int]  # sequences of the documents, by number, of which not all are taken
    sequences: int  # in all
    parts: dict[str, Part]  # by split


def plan_pieces(survey: Survey, division: Division, window: int) -> tuple[list[TextPiece], dict[str, list[int]]]:
    """The pieces of a text, and the first sequence of each split's shards, with the end of the last one."""
    starts = {"train": 0, "valid": division.size("train")}
    starts["probe"] = starts["valid"] + division.size("valid")
    bounds = {split: [starts[split]] for split in SPLITS}
    steps = steps_of(survey, division, window)
    is_whole = steps == survey.characters

    pieces = []
    for first, last in _groups(survey):
        here = slice(first, last)
        parts = {}
        for code, split in enumerate(SPLITS):
            places = first + np.flatnonzero(division.splits[here] == code)
            if len(places):
                parts[split], ends = _part(survey, division, steps, places, bounds[split])
                bounds[split] += ends

        cut = first + np.flatnonzero((division.splits[here] >= 0) & ~is_whole[here])
        pieces.append(
            TextPiece(
                sources=(int(survey.sources[first]), int(survey.sources[last - 1]) + 1),
                skip=first - int(np.searchsorted(survey.sources, survey.sources[first])),
                document=first,
                documents=last - first,
                splits=_packed(division.splits[here]),
                cut={int(place): int(division.sequences[place]) for place in cut},
                sequences=int(division.sequences[here].sum()),
                parts=parts,
            )
        )
    return pieces, bounds


class Shard(NamedTuple):
    """A shard's rows of `steps`, and of a text its rows of `documents`."""

    split: str
    number: int
    steps: pa.Table
    documents: pa.Table | None = None


def steps_of(survey: Survey, division: Division, window: int) -> np.ndarray:
    """The characters of each document that its sequences cover, (D,) int64."""
    return np.minimum(survey.characters, division.sequences * window) if window else survey.characters


@dataclass
class _Filling:
    """What goes into the shards of one split."""

    part: Part
    shard: int
    sequence: int
    taken: list[tuple[int, Document, str]]  # number, document, and what is taken of its text

    def is_full(self) -> bool:
        """Whether all documents of the shard are there."""
        return len(self.taken) == self.part.documents[self.shard - self.part.shard]

    def is_planned(self) -> bool:
        """Whether they are those that the plan was made for."""
        digests = [text_digest(document.text) for _, document, _ in self.taken]
        return digest_of(np.array(digests, np.uint64)) == self.part.digests[self.shard - self.part.shard]


def text_shards(
    documents: Iterable[Document], piece: TextPiece, window: int, vocabulary: Vocabulary
) -> Iterator[Shard]:
    """The shards of a piece, each as soon as it is full.

    Raises UsageError when the documents are not those that the piece was planned for, or hold a character that the
    vocabulary lacks.
    """
    splits = _unpacked(piece.splits)
    filling = {split: _Filling(p, p.shard, p.sequence, []) for split, p in piece.parts.items()}
    left = sum(len(part.documents) for part in piece.parts.values())

    own = islice(documents, piece.skip, piece.skip + piece.documents)
    for number, document in enumerate(own, piece.document):
        code = splits[number - piece.document]
        if code < 0:
            continue
        split = SPLITS[code]
        fill = filling[split]
        text = document.text[: piece.cut[number] * window] if number in piece.cut else document.text
        fill.taken.append((number, document, text))

        if fill.is_full():
            if not fill.is_planned():
                raise UsageError(CHANGED)
            yield _shard(split, fill, window, vocabulary)
            fill.shard, fill.taken, left = fill.shard + 1, [], left - 1

    if left:
        raise UsageError(CHANGED)


def _groups(survey: Survey) -> Iterator[tuple[int, int]]:
    """Documents as (start, stop), with at least so many characters but for the last."""
    read, sizes = np.cumsum(survey.characters), np.bincount(survey.sources, survey.characters)
    start = 0
    while start < len(survey):
        least = max(CHARACTERS_PER_PIECE, sizes[survey.sources[start]] / PIECES_PER_SOURCE)
        before = read[start - 1] if start else 0
        stop = min(int(np.searchsorted(read, before + least)) + 1, len(survey))
        yield start, stop
        start = stop


def _part(
    survey: Survey, division: Division, steps: np.ndarray, places: np.ndarray, bounds: Sequence[int]
) -> tuple[Part, list[int]]:
    """A piece's part of a split, of the documents at some places, and the end of each of its shards' sequences.

    `bounds` are the first sequence of each of the split's shards before these, with the end of the last one.
    """
    stops = _shard_stops(division.sequences[places], steps[places])
    shards = [places[start:stop] for start, stop in pairwise([0, *stops])]
    part = Part(
        shard=len(bounds) - 1,
        sequence=bounds[-1],
        documents=list(map(len, shards)),
        digests=[digest_of(survey.digests[own]) for own in shards],
    )

    ends = bounds[-1] + np.cumsum(division.sequences[places])
    return part, [int(ends[stop - 1]) for stop in stops]


def _shard_stops(sequences: np.ndarray, steps: np.ndarray) -> list[int]:
    """After which documents the shards end."""
    all_sequences, all_steps = np.cumsum(sequences), np.cumsum(steps)
    stops = [0]
    while stops[-1] < len(sequences):
        start = stops[-1]
        sequences_before = int(all_sequences[start - 1]) if start else 0
        steps_before = int(all_steps[start - 1]) if start else 0
        full = min(
            int(np.searchsorted(all_sequences, sequences_before + SEQUENCES_PER_SHARD)),
            int(np.searchsorted(all_steps, steps_before + STEPS_PER_SHARD)),
        )
        stops.append(min(full + 1, len(sequences)))
    return stops[1:]


def _shard(split: str, fill: _Filling, window: int, vocabulary: Vocabulary) -> Shard:
    tokens = []
    counts = windows_of(np.array([len(text) for *_, text in fill.taken], np.int64), window)
    for (_, document, text), count in zip(fill.taken, counts.tolist(), strict=True):
        width = window or len(text)
        if vocabulary.tokenizer is None:
            encoded = vocabulary.encode(text, document.name)
            tokens += [encoded[place * width : (place + 1) * width] for place in range(count)]
        else:
            windows = (text[place * width : (place + 1) * width] for place in range(count))
            tokens += [vocabulary.encode(part, document.name) for part in windows]

    firsts = fill.sequence + np.append(0, np.cumsum(counts))
    rows: dict[str, object] = {
        "document": pa.array([number for number, *_ in fill.taken], pa.int32()),
        "name": [document.name for _, document, _ in fill.taken],
        "characters": pa.array([len(document.text) for _, document, _ in fill.taken], pa.int64()),
        "sequence": pa.array(firsts[:-1], pa.int32()),
        "sequences": pa.array(counts, pa.int32()),
    }

    steps = rows_of_tokens(range(fill.sequence, int(firsts[-1])), tokens, vocabulary)
    fill.sequence = int(firsts[-1])
    return Shard(split, fill.shard, steps, pa.table(rows, schema=DOCUMENTS.schema))


def _packed(splits: np.ndarray) -> str:
    return base64.b85encode(zlib.compress(splits.astype(np.int8).tobytes(), 9)).decode()


def _unpacked(splits: str) -> list[int]:
    codes: list[int] = np.frombuffer(zlib.decompress(base64.b85decode(splits)), np.int8).tolist()
    return codes
