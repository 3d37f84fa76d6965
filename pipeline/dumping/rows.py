"""Rows of `activations` and `predictions`, in the order in which they are stored.

A row group is a tile: some sequences x a few neurons, neuron-major. One neuron's trace then touches one group in
every `hidden_size / 8`, and one sequence touches only the groups of its tile (docs/decisions/0009).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.dumping.precision import round_mantissa
from pipeline.dumping.unroll import Unrolled
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import PREDICTIONS
from schemas.tile import Steps, Tile


class TileShape(NamedTuple):
    """The most that a tile holds, save that a sequence is never cut."""

    steps: int
    neurons: int


TILE = TileShape(12_800, 8)


def activation_tiles(
    unrolled: Unrolled, layer: int, sequences: Sequences, precision: str, shape: TileShape = TILE
) -> Iterator[Tile]:
    """The row groups of one layer's shard."""
    signals = unrolled.signals[layer]
    neurons = next(iter(signals.values())).shape[0]
    number = np.repeat(sequences.ids, sequences.lengths)
    step = _step_numbers(sequences)
    for here in _sequence_tiles(sequences.offsets, shape.steps):
        steps = Steps(number[here], step[here], sequences.tokens[here])
        for first in range(0, neurons, shape.neurons):
            yield Tile(
                first,
                steps,
                {
                    name: round_mantissa(values[first : first + shape.neurons, here], precision)
                    for name, values in signals.items()
                },
            )


def prediction_rows(unrolled: Unrolled, sequences: Sequences, vocabulary: Vocabulary) -> pa.Table:
    """A row for each step."""
    lengths = sequences.lengths
    last = np.zeros(len(unrolled.loss), bool)
    last[sequences.offsets[1:] - 1] = True
    characters = pa.array(list(vocabulary.characters), pa.string())
    columns = {
        "sequence": np.repeat(sequences.ids, lengths),
        "step": _step_numbers(sequences),
        "loss": pa.array(unrolled.loss, mask=last),
        "probability": pa.array(np.exp(-unrolled.loss), mask=last),
        "predicted": characters.take(pa.array(unrolled.predicted)),
        "entropy": unrolled.entropy,
    }
    return pa.table(columns, schema=PREDICTIONS.schema)


def _step_numbers(sequences: Sequences) -> np.ndarray:
    """0, 1, 2 … in each sequence, (N,) int32."""
    starts = np.repeat(sequences.offsets[:-1], sequences.lengths)
    step: np.ndarray = (np.arange(len(starts)) - starts).astype(np.int32)
    return step


def _sequence_tiles(offsets: np.ndarray, steps: int) -> Iterator[slice]:
    """Ranges of steps of whole sequences, each of at least one sequence and else at most `steps`."""
    start = 0
    while start < len(offsets) - 1:
        stop = int(np.searchsorted(offsets, offsets[start] + steps, side="right")) - 1
        stop = max(stop, start + 1)
        yield slice(int(offsets[start]), int(offsets[stop]))
        start = stop
