"""The sides of the peers' theme that are a peer's own package, imported where they are made.

diagNNose 1.1 (2021) and the torchtext 0.6.0 that it asks for go in without the packages that they ask for
(tests/benchmarks/peers.txt). They run unchanged, but for one name that Python 3.10 took away.
"""

import collections.abc
import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from tests.benchmarks.peer_tools import SIGNALS, Answer, Layers, Loop, Text, Tool, greatest, keep_text, stacked

DIAGNNOSE = {
    "input_gate": "i_g",
    "forget_gate": "f_g",
    "output_gate": "o_g",
    "candidate": "c_tilde_g",
    "cell_state": "cx",
    "hidden_state": "hx",
}


class DiagNNose(Tool):
    """Its Extractor over its own LSTM: a loop over steps and layers, then one over tokens; pickles of tensors."""

    def __init__(self, text: Text) -> None:
        with _mutable_mapping(), _silent():
            from diagnnose.activations import ActivationReader
            from diagnnose.extract import Extractor
            from diagnnose.models import set_init_states
            from diagnnose.models.wrappers.forward_lstm import ForwardLSTM

            self._text, self._extractor, self._reader = text, Extractor, ActivationReader
            with tempfile.NamedTemporaryFile() as file:
                torch.save(_named_for_diagnnose(text), file.name)
                self._model = ForwardLSTM(file.name)
            set_init_states(self._model)
        self._names = [(layer, DIAGNNOSE[signal]) for layer in text.layers for signal in SIGNALS]
        self._corpus = _corpus(text)

    def compute(self) -> object:
        return self._extract(None)

    def write(self, folder: Path) -> None:
        keep_text(folder, self._text)
        self._extract(str(folder / "activations"))

    def values(self, folder: Path, layer: int, signal: str) -> np.ndarray:
        reader = self._reader(str(folder / "activations"), activation_names=self._names, cat_activations=True)
        found: np.ndarray = reader[:, (layer, DIAGNNOSE[signal])].numpy()
        return found

    def top(self, folder: Path, layer: int, neuron: int) -> Answer:
        return greatest(folder, self.values(folder, layer, "cell_state")[:, neuron])

    def _extract(self, folder: str | None) -> Any:
        size = len(self._text.batches[0])
        with _silent():
            return self._extractor(self._model, self._corpus, self._names, folder, batch_size=size).extract()


@contextlib.contextmanager
def _mutable_mapping() -> collections.abc.Iterator[None]:
    """diagNNose reads `collections.MutableMapping`, which Python 3.10 left to `collections.abc` alone."""
    vars(collections)["MutableMapping"] = collections.abc.MutableMapping
    try:
        yield
    finally:
        del vars(collections)["MutableMapping"]


@contextlib.contextmanager
def _silent() -> collections.abc.Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _named_for_diagnnose(text: Text) -> dict[str, Tensor]:
    """The weights under its names; embeddings that are the one-hot vectors."""
    recurrent = {f"rnn.{name}": values for name, values in text.model.recurrent.state_dict().items()}
    readout = {f"decoder.{name}": values for name, values in text.model.readout.state_dict().items()}
    return recurrent | readout | {"encoder.weight": torch.eye(len(text.characters))}


def _corpus(text: Text) -> Any:
    """The windows as a corpus of tokens that need no vocabulary."""
    from diagnnose.corpus import Corpus
    from torchtext.data import Example, Field

    examples = []
    for window in torch.cat(text.batches).tolist():
        example = Example()
        example.sen = window
        examples.append(example)
    return Corpus(examples, {"sen": Field(use_vocab=False, batch_first=True, include_lengths=True)})


class _Cell(nn.Module):
    """A cell whose signals are modules' outputs, which is what nnsight can see: `nn.LSTM` is one call to it."""

    def __init__(self, features: int, neurons: int) -> None:
        super().__init__()
        self.from_input, self.from_hidden = nn.Linear(features, 4 * neurons), nn.Linear(neurons, 4 * neurons)
        self.input_gate, self.forget_gate, self.output_gate = nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid()
        self.candidate, self.cell_state, self.hidden_state = nn.Tanh(), nn.Identity(), nn.Identity()

    def forward(self, step: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One step; `step` is the product with the input."""
        i, f, g, o = (step + self.from_hidden(hidden)).chunk(4, 1)
        i, f, g, o = self.input_gate(i), self.forget_gate(f), self.candidate(g), self.output_gate(o)
        cell = self.cell_state(f * cell + i * g)
        return self.hidden_state(o * cell.tanh()), cell


class _Cells(nn.Module):
    """The layers, each looping over its cell."""

    def __init__(self, text: Text) -> None:
        super().__init__()
        self.neurons, state = text.neurons, text.model.recurrent.state_dict()
        self.layers = nn.ModuleList()
        for layer in text.layers:
            cell = _Cell(state[f"weight_ih_l{layer}"].shape[1], text.neurons)
            for module, kind in ((cell.from_input, "ih"), (cell.from_hidden, "hh")):
                own = {"weight": state[f"weight_{kind}_l{layer}"], "bias": state[f"bias_{kind}_l{layer}"]}
                module.load_state_dict(own)
            self.layers.append(cell)

    def forward(self, inputs: Tensor) -> Tensor:
        """The last layer's hidden state."""
        for cell in self.layers:
            hidden = state = inputs.new_zeros(len(inputs), self.neurons)
            steps = []
            for step in cell.from_input(inputs).unbind(1):  # type: ignore[operator]  # a _Cell's Linear
                hidden, state = cell(step, hidden, state)
                steps.append(hidden)
            inputs = torch.stack(steps, 1)
        return inputs


def nnsight_loop(text: Text) -> Loop:
    """A trace of that network, which saves six outputs of each layer and step."""
    import nnsight

    model = nnsight.NNsight(_Cells(text))

    def loop(tokens: Tensor) -> Layers:
        inputs = one_hot(tokens, len(text.characters)).float()
        layers, steps = len(text.layers), tokens.shape[1]
        with model.trace(inputs) as tracer:
            saved = nnsight.save([[] for _ in range(layers)])
            for layer in range(layers):
                cell = model.layers[layer]
                for _ in tracer.iter[:steps]:
                    # In the order in which the cell comes by them.
                    i, f, g = cell.input_gate.output, cell.forget_gate.output, cell.candidate.output
                    o, c, h = cell.output_gate.output, cell.cell_state.output, cell.hidden_state.output
                    saved[layer].append((i, f, o, g, c, h))
        return [stacked(steps_of_layer) for steps_of_layer in saved]

    return torch.inference_mode()(loop)
