"""Rows of `scores`: every neuron's signal against one hypothesis."""

import numpy as np
import pyarrow as pa

from pipeline.scoring.measures import auc, pearson, spearman
from schemas.scores import SCORES


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
    signals, values = signals[said].astype(np.float64), values[said]
    measures = {"pearson": pearson, "spearman": spearman} | ({"auc": auc} if yes_no else {})
    neurons = signals.shape[1]
    tables = []
    for name, measure in measures.items():
        found = measure(signals, values) if len(values) else np.full(neurons, np.nan)
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
