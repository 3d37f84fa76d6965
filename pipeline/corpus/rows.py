"""Rows of `steps` from a task, and encoded sequences from rows of `steps`."""

from collections.abc import Iterable
from collections.abc import Sequence as Items

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.gathering import Gathering
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.task import Sequence, Task
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import STEPS
from schemas.experiment import CorpusSettings


def split_range(corpus: CorpusSettings, split: str) -> range:
    """The sequence numbers of a split: train from 0, then valid, then probe."""
    valid = corpus.train
    probe = valid + corpus.valid
    bounds = {"train": (0, valid), "valid": (valid, probe), "probe": (probe, probe + corpus.probe)}
    return range(*bounds[split])


def step_rows(task: Task, vocabulary: Vocabulary, seed: int, numbers: Iterable[int]) -> pa.Table:
    """A row for each step of the sequences of some numbers.

    Raises UsageError for a character that the vocabulary lacks.
    """
    widths = np.array([len(text) for text in vocabulary.characters])  # characters of a token's text
    ids: list[int] = []
    tokens: list[np.ndarray] = []
    determined: list[np.ndarray] = []

    for number in numbers:
        sequence = task.sequence(seed, number)
        encoded = encoded_sequence(sequence, vocabulary, number)
        ids.append(number)
        tokens.append(encoded)

        # Step t's target is token t + 1, which begins where token t ends; the last step has none.
        ends = np.cumsum(widths[encoded])
        determined.append((ends >= sequence.determined_from) & (np.arange(len(encoded)) + 1 < len(encoded)))

    return rows_of_tokens(ids, tokens, vocabulary, np.concatenate(determined))


def rows_of_tokens(
    ids: Items[int], tokens: Items[np.ndarray], vocabulary: Vocabulary, determined: np.ndarray | None = None
) -> pa.Table:
    """A row for each step of S sequences, N in all.

    Args:
        ids: their numbers, (S,).
        tokens: S arrays (steps,), int32.
        vocabulary: what the tokens stand for.
        determined: whether the step's target is determined, (N,); None: nowhere.
    """
    lengths = np.array([len(sequence) for sequence in tokens])
    starts = np.cumsum(lengths) - lengths
    flat = np.concatenate(tokens)

    chars = pa.array(vocabulary.characters, pa.string()).take(pa.array(flat))
    is_last = np.zeros(len(flat), bool)
    is_last[np.cumsum(lengths) - 1] = True
    following = pa.concat_arrays([chars[1:], pa.nulls(1, pa.string())])

    columns = {
        "sequence": np.repeat(np.array(ids, np.int32), lengths),
        "step": (np.arange(len(flat)) - np.repeat(starts, lengths)).astype(np.int32),
        "token": flat,
        "char": chars,
        "target": pc.if_else(pa.array(is_last), None, following),
        "determined": np.zeros(len(flat), bool) if determined is None else determined,
    }
    return pa.table(columns, schema=STEPS.schema)


def encoded_sequence(sequence: Sequence, vocabulary: Vocabulary, number: int) -> np.ndarray:
    """The tokens of a sequence, int32 (steps,). Raises UsageError for what the vocabulary lacks."""
    if sequence.tokens is not None:
        return vocabulary.checked(sequence.tokens, f"sequence {number}")
    return vocabulary.encode(sequence.text, f"sequence {number}")


def sequences_of(rows: pa.Table) -> Sequences:
    """The encoded sequences of rows of `steps`, which lie in the order of (sequence, step)."""
    gathered = Gathering(len(rows))
    gathered.add(rows)
    return gathered.sequences()


def texts_of(rows: pa.Table) -> dict[int, list[str]]:
    """The text of each sequence, step by step, from the same rows."""
    chars = rows["char"].to_pylist()
    sequences = sequences_of(rows)
    bounds = zip(sequences.offsets[:-1].tolist(), sequences.offsets[1:].tolist(), strict=True)
    texts = (chars[start:stop] for start, stop in bounds)
    return dict(zip(sequences.ids.tolist(), texts, strict=True))
