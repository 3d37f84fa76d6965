"""Rows of `activations` and `predictions`, in the order in which they are stored.

A row group is a tile: some sequences x a few neurons, neuron-major. One neuron's trace then touches one group in
every `hidden_size / TILE_NEURONS`, and one sequence touches only the groups of its tile (docs/decisions/0001).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.dumping.precision import round_mantissa
from pipeline.dumping.unroll import Unrolled
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import ACTIVATIONS, PREDICTIONS
from schemas.signals import SIGNALS

TILE_STEPS = 6_400
TILE_NEURONS = 8


def activation_tiles(unrolled: Unrolled, layer: int, sequences: Sequences, precision: str) -> Iterator[pa.Table]:
    """The row groups of one layer's shard."""
    signals = unrolled.signals[layer]
    neurons = next(iter(signals.values())).shape[0]
    number = np.repeat(sequences.ids, sequences.lengths)
    step = np.concatenate([np.arange(length, dtype=np.int32) for length in sequences.lengths])
    for here in _sequence_tiles(sequences.offsets):
        for first in range(0, neurons, TILE_NEURONS):
            some = np.arange(first, min(first + TILE_NEURONS, neurons), dtype=np.int32)
            keys = {
                "neuron": np.repeat(some, here.stop - here.start),
                "sequence": np.tile(number[here], len(some)),
                "step": np.tile(step[here], len(some)),
                "token": np.tile(sequences.tokens[here], len(some)),
            }
            values = {
                name: round_mantissa(signals[name][some[0] : some[-1] + 1, here], precision).ravel()
                if name in signals
                else pa.nulls(len(keys["neuron"]), pa.float32())
                for name in SIGNALS
            }
            yield pa.table(keys | values, schema=ACTIVATIONS.schema)


def prediction_rows(unrolled: Unrolled, sequences: Sequences, vocabulary: Vocabulary) -> pa.Table:
    """A row for each step."""
    lengths = sequences.lengths
    last = np.zeros(len(unrolled.loss), bool)
    last[sequences.offsets[1:] - 1] = True
    characters = pa.array(list(vocabulary.characters), pa.string())
    columns = {
        "sequence": np.repeat(sequences.ids, lengths),
        "step": np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        "loss": pa.array(unrolled.loss, mask=last),
        "probability": pa.array(np.exp(-unrolled.loss), mask=last),
        "predicted": characters.take(pa.array(unrolled.predicted)),
        "entropy": unrolled.entropy,
    }
    return pa.table(columns, schema=PREDICTIONS.schema)


def _sequence_tiles(offsets: np.ndarray) -> Iterator[slice]:
    """Ranges of steps of whole sequences, each of at least one sequence and else at most TILE_STEPS."""
    start = 0
    while start < len(offsets) - 1:
        stop = int(np.searchsorted(offsets, offsets[start] + TILE_STEPS, side="right")) - 1
        stop = max(stop, start + 1)
        yield slice(int(offsets[start]), int(offsets[stop]))
        start = stop
