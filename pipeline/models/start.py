"""The first weights of a character model, drawn by what each of them reads.

torch's modules draw all weights within 1 / sqrt(neurons), as if a character were as many numbers as there are
neurons: a large layer hardly hears a one-hot character, and each further layer hears the one below still less.

A gain is the standard deviation of what a row of weights adds up to, whatever the size of the network. A weight
is normal, and its standard deviation is its gain divided by the square root of how many of its row's inputs are
not 0: one of a character, every neuron of a layer. What torch draws has a gain of 0.58 where a layer is read, and
of 0.58 / sqrt(neurons) where characters are.
"""

import torch
from torch import Tensor, nn

from schemas.signals import KEEPING_GATE, STACKED
from schemas.start_settings import AS_TORCH, Gain, StartSettings


@torch.no_grad()
def draw(recurrent: nn.Module, readout: nn.Linear, cell: str, start: StartSettings) -> None:
    """Draw the weights that a start has a gain for; all others stay as torch has drawn them.

    Args:
        recurrent: its parameters have torch's names (weight_ih_l0, …) and stacking.
        readout: reads the last layer.
        cell: as `schemas.signals.STACKED` knows it; of one without a gate that keeps the state nothing is kept.
        start: the gains, and the bias of the gate that keeps the state.
    """
    per_layer = readout.in_features**-0.5
    for name, values in recurrent.named_parameters():
        kind, layer = name.rsplit("_l", 1)
        if kind == "weight_ih" and layer == "0":
            _draw_normal(values, start.characters)
        elif kind == "weight_ih":
            _draw_normal(values, start.below, per_layer)
        elif kind == "weight_hh":
            _draw_normal(values, start.recurrent, per_layer)
        elif kind == "bias_ih" and start.keep:
            _keeping_rows(values, cell).add_(start.keep)
    _draw_normal(readout.weight, start.readout, per_layer)


def _draw_normal(weights: Tensor, gain: Gain, per_gain: float = 1.0) -> None:
    if gain != AS_TORCH:
        weights.normal_(0, gain * per_gain)


def _keeping_rows(bias: Tensor, cell: str) -> Tensor:
    """The part of a layer's bias that belongs to the gate which keeps the state."""
    return bias.chunk(len(STACKED[cell]))[STACKED[cell].index(KEEPING_GATE[cell])]
