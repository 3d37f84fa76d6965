"""A character model: one-hot characters, 1-4 layers of one cell, and a linear read-out of the next character.

torch's fused modules train it where torch has one. Its signals are seen through `pipeline.capture`.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pipeline.models import cells
from pipeline.models.cells import Signals, Weights
from pipeline.models.start import draw
from schemas.experiment import Architecture
from schemas.signals import STACKED, STATE
from schemas.start_settings import StartSettings

# A state between two calls as torch's modules have it, (layers, batch, neurons) each: the hidden state, or hidden
# and cell state; None is zero, and all that a memoryless cell has.
CarriedState = Tensor | tuple[Tensor, ...] | None
DEFAULT_START = StartSettings()
FUSED: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLM(nn.Module):
    """Predicts the next character from all that came before."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.recurrent = _recurrent(architecture)
        self.readout = nn.Linear(architecture.hidden_size, architecture.vocabulary_size)

    def forward(self, tokens: Tensor, state: CarriedState = None) -> tuple[Tensor, CarriedState]:
        """Logits of the next character, (batch, steps, vocabulary), of tokens (batch, steps).

        Args:
            tokens: what is read.
            state: before the first step, as an earlier call gave it; None is zero.

        Returns:
            The logits, and the state after the last step.
        """
        hidden, last = self.recurrent(self._inputs(tokens), state)
        return self.readout(hidden), last

    def _inputs(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens, self.architecture.vocabulary_size).to(self.readout.weight.dtype)


class Layers(nn.Module):
    """Layers of a cell that torch has no fused module for; parameters are named as torch names them."""

    batch_first = True

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.dropout = 0.0  # between the layers, in training, as torch's modules have it
        neurons = architecture.hidden_size
        rows = len(STACKED[architecture.cell]) * neurons
        bound = neurons**-0.5  # as torch's recurrent modules begin

        for layer in range(architecture.layers):
            features = architecture.vocabulary_size if layer == 0 else neurons
            shapes = {"weight_ih": (rows, features), "bias_ih": (rows,)}
            if architecture.cell != "feedforward":
                shapes |= {"weight_hh": (rows, neurons), "bias_hh": (rows,)}
            if architecture.cell == "peephole_lstm":
                shapes["weight_peephole"] = (3, neurons)

            for name, shape in shapes.items():
                values = torch.empty(shape).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(values))

    def forward(self, inputs: Tensor, state: CarriedState = None) -> tuple[Tensor, CarriedState]:
        """The last layer's hidden state, (batch, steps, neurons), of inputs (batch, steps, features).

        The state before the first step is taken, and the one after the last given, as torch's modules do.
        """
        dropout = self.dropout if self.training else 0.0
        layers = unroll_layers(inputs, self.architecture, dict(self.named_parameters()), state, dropout)
        parts = tuple(
            torch.stack([signals[name][:, -1] for signals in layers]) for name in STATE[self.architecture.cell]
        )
        return layers[-1]["hidden_state"], (parts[0] if len(parts) == 1 else parts or None)


def unroll_layers(
    inputs: Tensor,
    architecture: Architecture,
    parameters: dict[str, nn.Parameter],
    state: CarriedState = None,
    dropout: float = 0.0,
) -> list[Signals]:
    """Every signal of every layer; `parameters` under torch's names (weight_ih_l0, …), dropout between them."""
    parts = (state,) if isinstance(state, Tensor) else state
    layers = []

    for layer in range(architecture.layers):
        signals = cells.run_layer(
            architecture.cell,
            inputs,
            layer_weights(parameters, f"_l{layer}"),
            architecture.nonlinearity,
            tuple(part[layer] for part in parts) if parts else None,
        )
        layers.append(signals)
        inputs = nn.functional.dropout(signals["hidden_state"], dropout) if dropout else signals["hidden_state"]
    return layers


def layer_weights(parameters: Mapping[str, Tensor], suffix: str) -> Weights:
    """One layer's weights of a module's parameters, `suffix` being torch's: _l0, _l0_reverse, or none in a cell.

    Biases that the module goes without are zeros; so are the weights of a state that feedforward goes without.
    """
    present = {name: parameters[name + suffix] for name in Weights._fields if name + suffix in parameters}
    rows = present["weight_ih"].new_zeros(len(present["weight_ih"]))
    absent = {"weight_hh": rows[:0, None], "bias_ih": rows, "bias_hh": rows}
    return Weights(**(absent | present))


def make_model(architecture: Architecture, seed: int, start: StartSettings = DEFAULT_START) -> RecurrentLM:
    """A model with the first weights that a seed decides, leaving torch's own random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RecurrentLM(architecture)
        draw(model.recurrent, model.readout, architecture.cell, start)
        return model


def _recurrent(architecture: Architecture) -> nn.Module:
    fused = FUSED.get(architecture.cell)
    if fused is None:
        return Layers(architecture)
    extra = {"nonlinearity": architecture.nonlinearity} if architecture.cell == "rnn" else {}
    return fused(
        architecture.vocabulary_size,
        architecture.hidden_size,
        architecture.layers,
        batch_first=True,
        **extra,
    )
