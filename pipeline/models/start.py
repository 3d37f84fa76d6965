"""The first weights of a character model, drawn by what each of them reads.

A weight is normal, with a standard deviation of its gain divided by the square root of how many of its row's
inputs are not 0: one of a one-hot character, every neuron of a layer. What a row adds up to is then about as large
as its gain, whatever the number of neurons and characters. torch's modules draw all weights within 1 /
sqrt(neurons), as if a character were as many numbers as there are neurons, and a large layer hardly hears it.
The gains were measured: docs/training.md has the table.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from schemas.signals import KEEPING_GATE, STACKED
from schemas.start_settings import StartSettings


class Gains(NamedTuple):
    """The start of a cell; the fields are those of `StartSettings`."""

    characters: float
    below: float
    recurrent: float
    readout: float
    keep: float = 0.0


GAINS: Mapping[str, Gains] = {
    "feedforward": Gains(characters=1.0, below=3.0, recurrent=0.6, readout=2.0),
    "rnn": Gains(characters=1.0, below=3.0, recurrent=0.6, readout=2.0),
    "lstm": Gains(characters=1.0, below=3.0, recurrent=0.6, readout=2.0),
    "gru": Gains(characters=1.0, below=3.0, recurrent=0.6, readout=2.0),
    "peephole_lstm": Gains(characters=1.0, below=3.0, recurrent=0.6, readout=2.0),
}


def gains_of(cell: str, start: StartSettings) -> Gains:
    """What is settled in an experiment, and the cell's own gains for the rest."""
    return GAINS[cell]._replace(**start.model_dump(exclude_none=True))


@torch.no_grad()
def draw(recurrent: nn.Module, readout: nn.Linear, cell: str, gains: Gains) -> None:
    """Draw a model's weights with torch's own random numbers; biases and peepholes stay as torch has drawn them.

    Args:
        recurrent: its parameters have torch's names (weight_ih_l0, …) and stacking.
        readout: reads the last layer.
        cell: as `schemas.signals.STACKED` knows it.
        gains: of each kind of weights. Without a gate that keeps the state, `keep` must be 0.
    """
    neurons = readout.in_features
    for name, values in recurrent.named_parameters():
        kind, layer = name.rsplit("_l", 1)
        if kind == "weight_ih" and layer == "0":
            values.normal_(0, gains.characters)
        elif kind == "weight_ih":
            values.normal_(0, gains.below * neurons**-0.5)
        elif kind == "weight_hh":
            values.normal_(0, gains.recurrent * neurons**-0.5)
        elif kind == "bias_ih" and gains.keep:
            _keeping_rows(values, cell).add_(gains.keep)
    readout.weight.normal_(0, gains.readout * neurons**-0.5)


def _keeping_rows(bias: Tensor, cell: str) -> Tensor:
    """The part of a layer's bias that belongs to the gate which keeps the state."""
    return bias.chunk(len(STACKED[cell]))[STACKED[cell].index(KEEPING_GATE[cell])]
