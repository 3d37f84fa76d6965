"""A checkpoint's weights as rows for SQL, one for each neuron and signal made from them. No torch."""

import json
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from schemas.experiment import Architecture
from schemas.signals import STACKED

PEEPHOLES = ("input_gate", "forget_gate", "output_gate")
_NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_peephole)_l(\d+)")
_LISTS = ("of_input", "sizes_of_input", "of_hidden", "sizes_of_hidden")
SCHEMA = pa.schema(
    [
        ("layer", pa.int64()),
        ("neuron", pa.int32()),
        ("signal", pa.string()),
        *((name, pa.list_(pa.float64())) for name in _LISTS),
        ("bias_given", pa.float64()),  # added to W x
        ("bias_recalled", pa.float64()),  # added to U h'
        ("peephole", pa.float64()),
    ]
)
INPUTS = pa.schema([("token", pa.int64()), ("given", pa.list_(pa.float32())), ("error", pa.float64())])


def architecture_of(config: bytes) -> Architecture | None:
    """The architecture that a config.json tells; None when it is not one of ours."""
    try:
        return Architecture.model_validate_json(config)
    except ValidationError:
        return None


def nonlinearity_of(config: bytes) -> str:
    """What a simple network applies, tanh or relu, also of a network that is not ours."""
    try:
        settings = json.loads(config)
    except ValueError:
        return "tanh"
    return str(settings.get("nonlinearity", "tanh")) if isinstance(settings, dict) else "tanh"


def weight_rows(tensors: Mapping[str, np.ndarray], cell: str, path: str = "") -> pa.Table:
    """Rows of `weights` from named tensors, of the recurrent module at a path; other tensors are passed over.

    A neuron's row holds its rows of W and U, their absolute values, and its share of the biases and peepholes.
    """
    layers: dict[int, dict[str, np.ndarray]] = {}
    prefix = f"{path}." if path else ""
    for name, values in tensors.items():
        if match := _NAME.fullmatch(name.removeprefix(prefix) if name.startswith(prefix) else ""):
            layers.setdefault(int(match[2]), {})[match[1]] = values.astype(np.float64)
    tables = [_layer_rows(layer, parts, cell) for layer, parts in sorted(layers.items())]
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def input_rows(inputs: np.ndarray, error: float) -> pa.Table:
    """Rows of `inputs`: what layer 0 is given at each token, and how far each of its values may be off."""
    width = inputs.shape[1]
    values = pa.FixedSizeListArray.from_arrays(pa.array(inputs.ravel()), width).cast(INPUTS.field("given").type)
    columns = {"token": np.arange(len(inputs)), "given": values, "error": np.full(len(inputs), error)}
    return pa.table(columns, schema=INPUTS)


def _layer_rows(layer: int, tensors: dict[str, np.ndarray], cell: str) -> pa.Table:
    signals = STACKED[cell]
    of_input = tensors["weight_ih"]
    rows = len(of_input)
    neurons = rows // len(signals)

    nothing = np.zeros(rows)
    of_hidden = tensors.get("weight_hh", np.zeros((rows, neurons)))

    peephole = np.zeros((len(signals), neurons))
    for place, signal in enumerate(PEEPHOLES if "weight_peephole" in tensors else ()):
        peephole[signals.index(signal)] = tensors["weight_peephole"][place]

    columns = {
        "layer": np.full(rows, layer),
        "neuron": np.tile(np.arange(neurons), len(signals)),
        "signal": np.repeat(np.array(signals), neurons).tolist(),
        "of_input": list(of_input),
        "sizes_of_input": list(np.abs(of_input)),
        "of_hidden": list(of_hidden),
        "sizes_of_hidden": list(np.abs(of_hidden)),
        "bias_given": tensors.get("bias_ih", nothing),
        "bias_recalled": tensors.get("bias_hh", nothing),
        "peephole": peephole.ravel(),
    }
    return pa.table(columns, schema=SCHEMA)
