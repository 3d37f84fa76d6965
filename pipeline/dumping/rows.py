"""Rows of `activations` and `predictions`, in the order in which they are stored.

A row group is a tile: the steps of a block x a few neurons, neuron-major. One neuron's trace then touches one
group in every `hidden_size / TILE_NEURONS`, one sequence only the groups of its block (docs/decisions/0009).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipeline.dumping.precision import round_mantissa
from pipeline.dumping.unroll import Block
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import PREDICTIONS
from schemas.tile import Tile

TILE_NEURONS = 8
TURNED = 64  # neurons that are transposed together: lines of a cache are read once, and what is made fits one


def activation_tiles(block: Block, layer: int, names: Sequence[str], precision: str) -> Iterator[Tile]:
    """A block's tiles of one layer, with the signals of some names."""
    neurons = block.layers[layer].signals[names[0]].shape[-1]
    for start in range(0, neurons, TURNED):
        signals = {name: block.signal(layer, name, slice(start, start + TURNED)) for name in names}
        for first in range(0, min(TURNED, neurons - start), TILE_NEURONS):
            some = slice(first, first + TILE_NEURONS)
            values = {name: round_mantissa(signal[some], precision) for name, signal in signals.items()}
            yield Tile(start + first, block.steps, values)


def prediction_rows(block: Block, vocabulary: Vocabulary) -> pa.Table:
    """A row for each step of a block."""
    last = np.isnan(block.loss)
    characters = pa.array(list(vocabulary.characters), pa.string())
    columns = {
        "sequence": block.steps.sequence,
        "step": block.steps.step,
        "loss": pa.array(block.loss, mask=last),
        "probability": pa.array(np.exp(-block.loss), mask=last),
        "predicted": characters.take(pa.array(block.predicted)),
        "entropy": block.entropy,
    }
    return pa.table(columns, schema=PREDICTIONS.schema)
