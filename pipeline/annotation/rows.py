"""Rows of `annotations`: a hypothesis over some texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.annotation.hypotheses import Hypothesis
from pipeline.annotation.lexing import language_of
from pipeline.annotation.values import Values, names_categories
from schemas.score_settings import Definition
from schemas.scores import ANNOTATIONS, DEFINITIONS


class Passage(NamedTuple):
    """Sequences that follow one another in one document, or one that stands alone."""

    sequences: Sequence[int]
    language: str  # one of `schemas.languages.LANGUAGES`


def annotation_rows(
    hypothesis: Hypothesis,
    texts: Mapping[int, Sequence[str]],
    passages: Iterable[Passage] | None = None,
    name: str = "the hypothesis",
) -> pa.Table:
    """A row for each step of each text, in the order of the texts.

    Args:
        hypothesis: a function of the text.
        texts: the text of each sequence number, step by step: a character each, or what a token stands for. A
            step has the value at its last character.
        passages: which texts are read as one, in the order of the texts; None: each stands alone, as plain text.
        name: of the hypothesis, for an error.

    Raises UsageError for one that gives both text and numbers, and what its function raises.
    """
    values: Values = []
    for passage in passages if passages is not None else alone(texts, "plain"):
        steps = list(chain.from_iterable(texts[number] for number in passage.sequences))
        by_character = hypothesis.of("".join(steps), passage.language)
        ends = accumulate(map(len, steps))
        values += [by_character[end - 1] if text else None for text, end in zip(steps, ends, strict=True)]

    lengths = [len(text) for text in texts.values()]
    numbers = np.repeat(np.fromiter(texts, np.int32, len(texts)), lengths)
    places = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
    column = "category" if names_categories(values, name) else "value"
    return _rows(numbers, places, {column: pa.array(values, ANNOTATIONS.schema.field(column).type)})


def silent_rows(steps: pa.Table) -> pa.Table:
    """Rows of `annotations` of a hypothesis that says nothing at some rows of `steps`, in the order of these."""
    return _rows(steps["sequence"], steps["step"], {})


def _rows(
    sequences: np.ndarray | pa.ChunkedArray, steps: np.ndarray | pa.ChunkedArray, given: Mapping[str, pa.Array]
) -> pa.Table:
    """Rows of `annotations` whose values are one of value and category, or neither."""
    rows = {"sequence": sequences, "step": steps}
    nulls = {name: pa.nulls(len(steps), ANNOTATIONS.schema.field(name).type) for name in ("value", "category")}
    return pa.table({**rows, **nulls, **given}, schema=ANNOTATIONS.schema)


def definition_row(
    *, yes_no: bool, definition: Definition | None, digest: object, note: str | None = None
) -> pa.Table:
    """The row of `definitions` of a hypothesis; without a definition it is a shipped one."""
    own = definition.model_dump() if definition else {"python": "", "sql": "", "source": ""}
    row = {
        "origin": "python" if own["python"] else "sql" if own["sql"] else "shipped",
        "yes_no": yes_no,
        "definition": own["python"] or own["sql"] or None,
        "source": own["source"] or None,
        "digest": digest,
        "note": note,
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
