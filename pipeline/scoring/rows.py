"""Rows of `scores`: every neuron's signal against one hypothesis."""

import numpy as np
import pyarrow as pa

from pipeline.scoring.measures import auc, pearson, ranks_of, spearman
from schemas.scores import SCORES

MEASURES = ("pearson", "spearman", "auc")


def score_rows(layer: int, signal: str, signals: np.ndarray, values: np.ndarray, *, yes_no: bool) -> pa.Table:
    """A row for each neuron and measure, over the steps where the hypothesis has a value.

    Args:
        layer: the layer that the signals are of.
        signal: their name.
        signals: (steps, neurons) float32.
        values: the hypothesis, (steps,) float64, NaN where it says nothing.
        yes_no: whether it answers yes (1) or no (0), and AUC has a meaning.
    """
    said = ~np.isnan(values)
    signals, values = signals[said], values[said]
    neurons = signals.shape[1]
    tables = []
    for name, found in _measured(signals, values, yes_no=yes_no).items():
        columns = {
            "layer": pa.array([layer] * neurons, pa.int64()),
            "neuron": np.arange(neurons, dtype=np.int32),
            "signal": [signal] * neurons,
            "measure": [name] * neurons,
            "split": ["probe"] * neurons,
            "value": pa.array(found, mask=np.isnan(found)),
            "n": np.full(neurons, len(values)),
        }
        nulls = dict.fromkeys(("null_value", "p_value", "q_value"), pa.nulls(neurons, pa.float64()))
        tables.append(pa.table(columns | nulls).select(SCORES.schema.names).cast(SCORES.schema))
    return pa.concat_tables(tables)


def _measured(signals: np.ndarray, values: np.ndarray, *, yes_no: bool) -> dict[str, np.ndarray]:
    """Each measure of each neuron, (neurons,) float64."""
    if not len(values):
        return dict.fromkeys(MEASURES[: 2 + yes_no], np.full(signals.shape[1], np.nan))
    ranks = ranks_of(signals)
    found = {"pearson": pearson(signals.astype(np.float64), values), "spearman": spearman(ranks, values)}
    return found | ({"auc": auc(ranks, values)} if yes_no else {})
