"""A model's signals by the plain loop of `cells`, to compare with what capture makes of them."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pipeline.models.cells import Signals
from pipeline.models.recurrent_lm import RecurrentLM, unroll_layers


def by_loop(model: RecurrentLM, tokens: Tensor) -> tuple[list[Signals], Tensor]:
    """Every signal of every layer, each (batch, steps, neurons), and the logits, of tokens (batch, steps)."""
    inputs = one_hot(tokens, model.architecture.vocabulary_size).to(model.readout.weight.dtype)
    with torch.no_grad():
        layers = unroll_layers(inputs, model.architecture, dict(model.recurrent.named_parameters()))
        return layers, model.readout(layers[-1]["hidden_state"])
