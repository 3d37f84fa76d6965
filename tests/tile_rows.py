"""A tile as the rows that a reader of its row group gets: the plain way, to compare with."""

import numpy as np
import pyarrow as pa

from schemas.activations import ACTIVATIONS
from schemas.signals import SIGNALS
from schemas.tile import Tile


def tile_rows(tile: Tile) -> pa.Table:
    neurons, steps = tile.neurons, tile.steps
    rows = len(neurons) * len(steps.step)
    keys = {
        "neuron": np.repeat(neurons, len(steps.step)),
        "sequence": np.tile(steps.sequence, len(neurons)),
        "step": np.tile(steps.step, len(neurons)),
        "token": np.tile(steps.token, len(neurons)),
    }
    values = {
        name: tile.signals[name].ravel() if name in tile.signals else pa.nulls(rows, pa.float32())
        for name in SIGNALS
    }
    return pa.table(keys | values, schema=ACTIVATIONS.schema)
