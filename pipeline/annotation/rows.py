"""Rows of `annotations`: a hypothesis over some texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.annotation.hypotheses import Hypothesis
from pipeline.annotation.lexing import language_of
from pipeline.annotation.values import Values
from schemas.score_settings import Definition
from schemas.scores import ANNOTATIONS, DEFINITIONS


class Passage(NamedTuple):
    """Sequences that follow one another in one document, or one that stands alone."""

    sequences: Sequence[int]
    language: str  # one of `schemas.languages.LANGUAGES`


def annotation_rows(
    hypothesis: Hypothesis, texts: Mapping[int, Sequence[str]], passages: Iterable[Passage] | None = None
) -> pa.Table:
    """A row for each step of each text, in the order of the texts.

    Args:
        hypothesis: a function of the text.
        texts: the text of each sequence number, step by step: a character each, or what a token stands for. A
            step has the value at its last character.
        passages: which texts are read as one, in the order of the texts; None: each stands alone, as plain text.
    """
    values: Values = []
    for passage in passages if passages is not None else alone(texts, "plain"):
        steps = list(chain.from_iterable(texts[number] for number in passage.sequences))
        by_character = hypothesis.of("".join(steps), passage.language)
        ends = accumulate(map(len, steps))
        values += [by_character[end - 1] if text else None for text, end in zip(steps, ends, strict=True)]

    lengths = [len(text) for text in texts.values()]
    columns = {
        "sequence": np.repeat(np.fromiter(texts, np.int32, len(texts)), lengths),
        "step": np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        "value": pa.array(values, pa.float64()),
        "category": pa.nulls(len(values), pa.string()),
    }
    return pa.table(columns, schema=ANNOTATIONS.schema)


def definition_row(*, yes_no: bool, definition: Definition | None, digest: object) -> pa.Table:
    """The row of `definitions` of a hypothesis; without a definition it is a shipped one."""
    own = definition.model_dump() if definition else {"python": "", "sql": "", "source": ""}
    row = {
        "origin": "python" if own["python"] else "sql" if own["sql"] else "shipped",
        "yes_no": yes_no,
        "definition": own["python"] or own["sql"] or None,
        "source": own["source"] or None,
        "digest": digest,
        "note": None,
    }
    return pa.Table.from_pylist([row], DEFINITIONS.schema)


def definition_of(row: Mapping[str, Any]) -> Definition:
    """The definition that a row of `definitions` tells, of a hypothesis that is not a shipped one."""
    given = {"name": row["hypothesis"], "yes_no": row["yes_no"], row["origin"]: row["definition"]}
    return Definition(**given, source=row["source"] or "")


def alone(texts: Iterable[int], language: str) -> Iterator[Passage]:
    """A passage for each sequence."""
    return (Passage([number], language) for number in texts)


def passages_of(documents: pa.Table, language: str) -> Iterator[Passage]:
    """A passage for each row of `documents`; the language "auto" goes by the suffix of its name."""
    columns = (documents[name].to_pylist() for name in ("name", "sequence", "sequences"))
    for name, first, count in zip(*columns, strict=True):
        yield Passage(range(first, first + count), language_of(name) if language == "auto" else language)
