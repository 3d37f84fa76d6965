"""Rows of `annotations`: a hypothesis over some texts."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa

from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.annotation.values import Values
from schemas.scores import ANNOTATIONS


def annotation_rows(hypothesis: str, texts: Mapping[int, Sequence[str]], language: str = "plain") -> pa.Table:
    """A row for each step of each text, in the order of the texts.

    Args:
        hypothesis: its name.
        texts: the text of each sequence number, step by step: a character each, or what a token stands for. A
            step has the value at its last character.
        language: of the texts, one of `lexing.LANGUAGES`.
    """
    found = find_hypothesis(hypothesis)
    values: Values = []
    for steps in texts.values():
        by_character = found.of("".join(steps), language)
        ends = accumulate(map(len, steps))
        values += [by_character[end - 1] if text else None for text, end in zip(steps, ends, strict=True)]
    lengths = [len(text) for text in texts.values()]
    columns = {
        "sequence": np.repeat(np.fromiter(texts, np.int32, len(texts)), lengths),
        "step": np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        "value": pa.array(values, pa.float64()),
    }
    return pa.table(columns, schema=ANNOTATIONS.schema)
