"""TEMPORARY, until dumping goes through `pipeline.capture`: a network's recurrent module, by our cells."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.cells import Signals
from pipeline.models.network import find_recurrent, logits_of
from pipeline.models.recurrent_lm import unroll_layers
from schemas.experiment import ModelSpec


class UnrolledNetwork:
    """Looks like a RecurrentLM to `unroll`."""

    def __init__(self, module: nn.Module, path: str, spec: ModelSpec) -> None:
        self.architecture: Any = SimpleNamespace(**spec.model_dump())
        self._module, self._spec = module, spec
        self._recurrent = find_recurrent(module, path)[1]

    def unroll(self, tokens: Tensor) -> tuple[list[Signals], Tensor]:
        """Every signal of every layer, and the logits."""
        seen: list[Tensor] = []
        hook = self._recurrent.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        logits = logits_of(self._module, tokens)
        hook.remove()
        inputs = seen[0] if self._recurrent.batch_first else seen[0].transpose(0, 1)
        parameters = dict(self._recurrent.named_parameters())
        for layer in range(self._spec.layers):
            nothing = torch.zeros(len(parameters[f"weight_ih_l{layer}"]))
            parameters.setdefault(f"bias_ih_l{layer}", nn.Parameter(nothing))
            parameters.setdefault(f"bias_hh_l{layer}", nn.Parameter(nothing))
        return unroll_layers(inputs, self.architecture, parameters), logits
