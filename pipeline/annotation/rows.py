"""Rows of `annotations`: a hypothesis over some texts."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipeline.annotation.hypotheses import find_hypothesis
from schemas.scores import ANNOTATIONS


def annotation_rows(hypothesis: str, texts: Mapping[int, str]) -> pa.Table:
    """A row for each step of each text, in the order of the texts.

    Args:
        hypothesis: its name.
        texts: the text of each sequence number.
    """
    values_of = find_hypothesis(hypothesis).values
    values = [value for text in texts.values() for value in values_of(text)]
    lengths = [len(text) for text in texts.values()]
    columns = {
        "sequence": np.repeat(np.fromiter(texts, np.int32, len(texts)), lengths),
        "step": np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        "value": pa.array(values, pa.float64()),
    }
    return pa.table(columns, schema=ANNOTATIONS.schema)
