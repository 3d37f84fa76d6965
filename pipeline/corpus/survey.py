"""A survey of a text: what each document holds, without its text; the vocabulary; which split gets what.

A document is 20 bytes here, so 10 million tweets are 200 MB, and the size of a file's text does not matter.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.corpus.cleaning import UNKNOWN
from schemas.corpus import SPLITS, Document, suffix_of
from schemas.errors import UsageError
from schemas.experiment import CorpusSettings
from schemas.fingerprint import sha256
from schemas.task_settings import TextSettings

NOWHERE = -1  # the split of a document that none has
_COUNTED_AT_ONCE = 4_000_000  # characters; the count itself walks over all of Unicode


@dataclass(frozen=True)
class Survey:
    """D documents in the order of reading, cleaned."""

    sources: np.ndarray  # (D,) int32: the place of the source that each lies in
    characters: np.ndarray  # (D,) int64
    digests: np.ndarray  # (D,) uint64: the first 8 bytes of the text's SHA-256
    counts: Mapping[str, int]  # of each character
    left_out: Mapping[str, int]  # documents by the reason
    suffixes: Mapping[str, int]  # of their names, as .java

    def __len__(self) -> int:
        """Its number of documents."""
        return len(self.sources)

    @property
    def digest(self) -> str:
        """Of the texts, their order, and which of them share a source, wherever that lay."""
        return sha256(digest_of(self.digests).encode() + self.sources.astype("<i4").tobytes())


class Surveyor:
    """Makes a survey of documents that come one by one."""

    def __init__(self) -> None:
        self.documents = self.characters = 0
        self._rows: list[np.ndarray] = []
        self._open: list[tuple[int, int, int]] = []
        self._counts = np.zeros(0x110000, np.int64)
        self._uncounted: list[str] = []
        self._waiting = 0  # characters of these
        self._left_out: Counter[str] = Counter()
        self._suffixes: Counter[str] = Counter()

    def add(self, source: int, document: Document | str) -> None:
        """Take note of a document, or of the reason why there is none."""
        if isinstance(document, str):
            self._left_out[document] += 1
            return

        self._open.append((source, len(document.text), text_digest(document.text)))
        self._uncounted.append(document.text)
        self._suffixes[suffix_of(document.name)] += 1
        self._waiting += len(document.text)
        self.documents += 1
        self.characters += len(document.text)

        if self._waiting > _COUNTED_AT_ONCE:
            self._count()

    def survey(self) -> Survey:
        """What was seen."""
        self._count()
        rows = np.concatenate([np.empty((0, 3), np.uint64), *self._rows])
        counts = {chr(code): int(self._counts[code]) for code in np.flatnonzero(self._counts)}
        sources, characters = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int64)
        return Survey(sources, characters, rows[:, 2].copy(), counts, self._left_out, self._suffixes)

    def _count(self) -> None:
        if self._open:
            self._rows.append(np.array(self._open, np.uint64))
            codes = code_points("".join(self._uncounted))
            self._counts += np.bincount(codes, minlength=len(self._counts))
        self._open, self._uncounted, self._waiting = [], [], 0


def code_points(text: str) -> np.ndarray:
    """The Unicode code points of a text, (characters,) uint32."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def text_digest(text: str) -> int:
    """The first 8 bytes of a text's SHA-256, as a number."""
    return int(sha256(text.encode())[:16], 16)


def digest_of(digests: np.ndarray) -> str:
    """A digest of the digests of some documents, in their order."""
    return sha256(digests.astype("<u8").tobytes())


def alphabet(survey: Survey, settings: TextSettings) -> str:
    """The characters of a text, rare ones as the unknown one, in Unicode's order.

    Raises UsageError when they are more than the settings allow.
    """
    kept = {character for character, count in survey.counts.items() if count >= settings.rare}
    if len(kept) < len(survey.counts):
        kept.add(UNKNOWN)
    if len(kept) > settings.maximum_vocabulary:
        raise UsageError(
            f"the corpus has {len(kept)} different characters, more than task.maximum_vocabulary = "
            f'{settings.maximum_vocabulary}: set task.not_ascii = "replace" or task.rare = 100, or raise it'
        )
    return "".join(sorted(kept))


def windows_of(characters: np.ndarray, window: int) -> np.ndarray:
    """How many sequences documents of some lengths make, (D,) int64: a remainder of one character makes none."""
    if not window:
        return (characters > 1).astype(np.int64)
    whole, rest = np.divmod(characters, window)
    return whole + (rest > 1)


@dataclass(frozen=True)
class Division:
    """Which split has each document, and how many of its sequences."""

    splits: np.ndarray  # (D,) int8: the place in SPLITS, or NOWHERE
    sequences: np.ndarray  # (D,) int64: 0 where the split is NOWHERE

    def size(self, split: str) -> int:
        """A split's sequences."""
        return int(self.sequences[self.splits == SPLITS.index(split)].sum())

    def of(self, split: str) -> np.ndarray:
        """The places of a split's documents, in the order of reading."""
        return np.flatnonzero(self.splits == SPLITS.index(split))


def divide(survey: Survey, settings: TextSettings, corpus: CorpusSettings, last: str = "train") -> Division:
    """Give each document to one split, by a number that its text and the corpus' seed decide.

    Probe takes as many documents as it needs, then valid, then train, but for `last`, which waits for the others;
    of the last document that a split needs, the rest is left out. A split of 0 sequences gets none, but `last`
    gets all that the others leave.
    Equal texts come to the same split; with task.duplicates = "drop", to none but the first.

    Raises UsageError when there are too few.
    """
    windows = windows_of(survey.characters, settings.window)
    order = np.lexsort((np.arange(len(survey)), _mixed(survey.digests ^ _mixed(np.uint64(corpus.seed)))))
    is_twin = np.zeros(len(order), bool)
    is_twin[1:] = survey.digests[order[1:]] == survey.digests[order[:-1]]
    if settings.duplicates == "drop":
        order, is_twin = order[~is_twin], np.zeros(int((~is_twin).sum()), bool)

    splits, taken = np.full(len(survey), NOWHERE, np.int8), np.zeros(len(survey), np.int64)
    start = 0

    for split in sorted(("probe", "valid", "train"), key=lambda split: split == last):
        wanted = getattr(corpus, split)
        if not wanted and split != last:
            continue
        ends = np.cumsum(windows[order[start:]])
        available = int(ends[-1]) if len(ends) else 0
        if available < max(1, wanted):
            raise UsageError(_too_few(survey, settings, int(windows[order].sum()), corpus, (split, last)))

        stop = start + (int(np.searchsorted(ends, wanted)) + 1 if wanted else len(ends))
        chosen = order[start:stop]
        splits[chosen], taken[chosen] = SPLITS.index(split), windows[chosen]

        if wanted:
            taken[chosen[-1]] -= int(ends[stop - start - 1]) - wanted

        while stop < len(order) and is_twin[stop]:  # a twin of the last one is left out
            stop += 1
        start = stop

    splits[taken == 0] = NOWHERE
    return Division(splits, taken)


def fitted(
    survey: Survey, settings: TextSettings, corpus: CorpusSettings, last: str = "train"
) -> tuple[CorpusSettings, Division]:
    """The sizes of a text's splits, and its division; those that are only defaults shrink where it is short.

    Valid and probe then take a tenth at most, half of it where the documents cannot be divided so, and so on;
    train takes what they leave. Raises UsageError as `divide` does.
    """
    free = set(SPLITS) - corpus.model_fields_set
    share = int(windows_of(survey.characters, settings.window).sum()) // 10
    trains = (corpus.train, 0) if "train" in free else (corpus.train,)

    while True:
        small = {split: max(1, min(getattr(corpus, split), share)) for split in free - {"train"}}
        for train in trains:
            sizes = corpus.model_copy(update={**small, "train": train})
            try:
                return sizes, divide(survey, settings, sizes, last)
            except UsageError:
                if train == trains[-1] and (share < 2 or not small):
                    raise
        share //= 2


def _too_few(
    survey: Survey, settings: TextSettings, windows: int, corpus: CorpusSettings, where: tuple[str, str]
) -> str:
    """What to say; `where` is the split that has too few, and the last one, which takes what the others leave."""
    split, last = where
    if not windows:
        left = "".join(f", {count} {reason}" for reason, count in survey.left_out.items())
        return f"the corpus is empty: no document with enough characters in {settings.choice}{left}"
    needed = sum(1 for name in SPLITS if getattr(corpus, name) or name == last)
    if len(survey) < needed:
        documents = f"{len(survey)} document{'s' if len(survey) > 1 else ''}"
        return (
            f"the corpus holds {windows} sequences in {documents}, and {needed} splits need {needed}, for no "
            'document lies in two: give more files, or read lines with task.documents = "line"'
        )
    wanted = corpus.train + corpus.valid + corpus.probe
    return (
        f"the corpus holds {windows} sequences in {len(survey)} documents, and train + valid + probe ask for "
        f"{wanted or 'some'}: {split} has too few, for no document lies in two splits. Lower corpus.train (0: all "
        'that is left), corpus.valid or corpus.probe, give more files, or read lines with task.documents = "line"'
    )


def _mixed(numbers: np.ndarray | np.uint64) -> np.ndarray:
    """64 bits that look drawn at random, of 64 bits: the finalizer of SplitMix64 (Steele, Lea, Flood, 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.asarray(numbers) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
