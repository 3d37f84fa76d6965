"""What an imported network's recurrent module reads, stored beside its weights as as_read.safetensors.

    weight_ih_l0 weight_hh_l0 …     its weights as its forward has them: normed, pruned or tied, and not the parts
                                    (weight_hh_l0_g, weight_hh_l0_orig, parametrizations.…) that they are made of
    inputs (vocabulary, features)   what it is given at a step with each token: an embedding's row, say
    inputs_error (1,)               how far such an input was off at worst, in other places and batches

With these the audit works every gate out again, without torch and without the network's code. A network that
looks at more than a step's token before its recurrent module (a convolution, a position, another recurrent module)
has no `inputs`, and then the audit says that its first layer could not be checked.
"""

from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.capturing.capture import Capture
from pipeline.capturing.unrolling import LayerRun

AT_ONCE = 1_024  # steps
TRIED = 2_048  # tokens that are read again in the midst of others
STEPS = 8  # of those sequences
LARGEST = 2**27  # values; the one-hot inputs of a vocabulary of more than 11,585 tokens are not stored
SAME = 1e-5  # of the largest input: sums in another order differ by less, other inputs by more
FLOAT32 = 2.0**-20  # of the largest input, which is allowed for at least
MARGIN = 4  # times the largest error that was seen


class _EnoughError(Exception):
    """Ends a forward pass: its logits, which may be a large vocabulary's, are not needed."""


def as_read(model: nn.Module, path: str, vocabulary_size: int) -> dict[str, Tensor]:
    """The tensors above, float32, of a network that `check_sound` has found fit to be dumped.

    Args:
        model: the network, ready to evaluate.
        path: of its recurrent module.
        vocabulary_size: how many tokens there are.
    """
    ones = np.arange(vocabulary_size)
    first = _layers(model, path, np.zeros((1, 1), np.int64))
    tensors = {
        f"{name}_l{layer}": values.clone()
        for layer, run in enumerate(first)
        for name, values in run.weights._asdict().items()
        if values is not None
    }
    if vocabulary_size * first[0].inputs.shape[-1] > LARGEST:
        return tensors

    inputs = _inputs(model, path, ones, 1)
    tried = np.random.default_rng(0).permutation(np.repeat(ones, 2))[:TRIED]
    error = (_inputs(model, path, tried, STEPS) - inputs[torch.from_numpy(tried)]).abs().max()
    largest = inputs.abs().max()
    if not error <= SAME * largest:
        return tensors
    return {**tensors, "inputs": inputs, "inputs_error": torch.maximum(MARGIN * error, FLOAT32 * largest)[None]}


def _inputs(model: nn.Module, path: str, tokens: np.ndarray, steps: int) -> Tensor:
    """What the first layer is given at each of some tokens, (tokens, features), in sequences of so many steps."""
    rows = np.resize(tokens, (-(-len(tokens) // steps), steps))
    parts = (rows[start : start + AT_ONCE // steps] for start in range(0, len(rows), AT_ONCE // steps))
    return torch.cat([_layers(model, path, part)[0].inputs.flatten(0, 1) for part in parts])[: len(tokens)]


@torch.inference_mode()
def _layers(model: nn.Module, path: str, tokens: np.ndarray) -> list[LayerRun]:
    """What each layer did with tokens (batch, steps)."""
    capture = Capture(model)
    end = model.get_submodule(path).register_forward_hook(_stop)
    try:
        with capture, suppress(_EnoughError):
            model(torch.from_numpy(tokens).to(next(model.parameters()).device))
    finally:
        end.remove()
    return [layer[0] for layer in capture[path].runs[0].layers]


def _stop(*_: object) -> None:
    raise _EnoughError
