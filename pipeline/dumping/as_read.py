"""What an imported network's recurrent module reads, stored beside its weights as as_read.safetensors.

    weight_ih_l0 weight_hh_l0 …     its weights as its forward has them: normed, pruned or tied, and not the parts
                                    (weight_hh_l0_g, weight_hh_l0_orig, parametrizations.…) that they are made of
    inputs (vocabulary, features)   what it is given at a step with each token: an embedding's row, say
    inputs_error (1,)               how far such an input was off at worst, in other places and batches

With these the audit works every gate out again, without torch and without the network's code. A network that
looks at more than a step's token before its recurrent module (a convolution, a position, another recurrent module)
has no `inputs`, and then the audit says that its first layer could not be checked.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.dumping.unroll import Block, unroll
from pipeline.tasks.sequences import Sequences

AT_ONCE = 1_024  # steps; a network's logits for all of a large vocabulary at once would be gigabytes
TRIED = 2_048  # tokens that are read again in the midst of others
STEPS = 8  # of those sequences
LARGEST = 2**27  # values; the one-hot inputs of a vocabulary of more than 11,585 tokens are not stored
SAME = 1e-5  # of the largest input: sums in another order differ by less, other inputs by more
FLOAT32 = 2.0**-20  # of the largest input, which is allowed for at least
MARGIN = 4  # times the largest error that was seen


def as_read(model: nn.Module, path: str, vocabulary_size: int) -> dict[str, Tensor]:
    """The tensors above, float32, of a network that `check_sound` has found fit to be dumped.

    Args:
        model: the network, ready to evaluate.
        path: of its recurrent module.
        vocabulary_size: how many tokens there are.
    """
    ones = np.arange(vocabulary_size)
    first = next(_blocks(model, path, ones[:1], 1)).layers
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
    return torch.cat([block.layers[0].inputs[block.real] for block in _blocks(model, path, tokens, steps)])


def _blocks(model: nn.Module, path: str, tokens: np.ndarray, steps: int) -> Iterator[Block]:
    for start in range(0, len(tokens), AT_ONCE):
        part = tokens[start : start + AT_ONCE]
        offsets = np.array([*range(0, len(part), steps), len(part)])
        ids, marks = np.arange(len(offsets) - 1, dtype=np.int32), np.zeros(len(part), bool)
        yield from unroll(model, Sequences(ids, offsets, part, marks), path)
