"""Texts and hypotheses that are made up for a test."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.scoring.columns import Asked
from pipeline.scoring.rows import Scorer
from pipeline.scoring.texts import Texts, distinct_texts
from schemas.score_settings import Kind

Row = dict[str, object]


def texts_of(lengths: Sequence[int], seed: int = 0) -> Texts:
    """Distinct texts of those lengths, each read once."""
    random = np.random.default_rng(seed)
    sequence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return distinct_texts(sequence, random.integers(0, 1000, len(sequence)).astype(np.int32))


def number(values: np.ndarray) -> Asked:
    return asked(values, "number")


def asked(values: np.ndarray, kind: Kind) -> Asked:
    return Asked(np.asarray(values, float), kind)


def scored(texts: Texts, signals: np.ndarray, hypotheses: Mapping[str, Asked]) -> dict[str, list[Row]]:
    """Rows of one signal, (neurons, N), by hypothesis."""
    tables = Scorer(texts, hypotheses).rows(0, {"cell_state": signals.astype(np.float32)})
    return {name: table.to_pylist() for name, table in tables.items()}


def one(rows: Sequence[Row], neuron: int, measure: str, category: str | None = None) -> dict[str, float]:
    """The figures of one neuron's measure."""
    wanted = (neuron, measure, category)
    (row,) = (row for row in rows if (row["neuron"], row["measure"], row["category"]) == wanted)
    return row  # type: ignore[return-value]
