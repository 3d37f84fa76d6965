"""Rows of `scores`: every neuron's signal against hypotheses."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.scoring.measures import auc, pearson, ranks_of, spearman
from schemas.scores import SCORES

MEASURES = ("pearson", "spearman", "auc")


@dataclass(frozen=True)
class Asked:
    """A hypothesis' values, (steps,) float64, NaN where it says nothing."""

    values: np.ndarray
    yes_no: bool  # whether it answers yes (1) or no (0), and AUC has a meaning


def score_rows(
    layer: int, signal: str, signals: np.ndarray, hypotheses: Mapping[str, Asked]
) -> dict[str, pa.Table]:
    """For each hypothesis a row for each neuron and measure, over the steps where it has a value.

    Hypotheses that have a value at the same steps share the signals' ranks, which take most of the time.

    Args:
        layer: the layer that the signals are of.
        signal: their name.
        signals: (steps, neurons) float32.
        hypotheses: what to score them against, by name.
    """
    alike: dict[bytes, list[str]] = {}
    for name, hypothesis in hypotheses.items():
        alike.setdefault(np.packbits(np.isnan(hypothesis.values)).tobytes(), []).append(name)

    tables = {}
    for names in alike.values():
        has_value = ~np.isnan(hypotheses[names[0]].values)
        kept = signals[has_value]
        ranks = ranks_of(kept)
        for name in names:
            measured = _measured(kept, ranks, hypotheses[name].values[has_value], yes_no=hypotheses[name].yes_no)
            tables[name] = _rows(layer, signal, measured, len(kept))
    return tables


def _measured(
    signals: np.ndarray, ranks: np.ndarray, values: np.ndarray, *, yes_no: bool
) -> dict[str, np.ndarray]:
    """Each measure of each neuron, (neurons,) float64."""
    if not len(values):
        return dict.fromkeys(MEASURES[: 2 + yes_no], np.full(signals.shape[1], np.nan))
    measured = {"pearson": pearson(signals.astype(np.float64), values), "spearman": spearman(ranks, values)}
    if yes_no:
        measured["auc"] = auc(ranks, values)
    return measured


def _rows(layer: int, signal: str, measured: Mapping[str, np.ndarray], steps: int) -> pa.Table:
    tables = []
    for measure, values in measured.items():
        neurons = len(values)
        columns = {
            "layer": pa.array([layer] * neurons, pa.int64()),
            "neuron": np.arange(neurons, dtype=np.int32),
            "signal": [signal] * neurons,
            "measure": [measure] * neurons,
            "split": ["probe"] * neurons,
            "value": pa.array(values, mask=np.isnan(values)),
            "n": np.full(neurons, steps),
        }
        nulls = dict.fromkeys(("null_value", "p_value", "q_value"), pa.nulls(neurons, pa.float64()))
        tables.append(pa.table(columns | nulls).select(SCORES.schema.names).cast(SCORES.schema))
    return pa.concat_tables(tables)
