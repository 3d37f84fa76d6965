"""Can a network be dumped at all? Asked on a few tokens, before anything is written.

The dump pads sequences, so no step may see the steps after it, nor another sequence. Our own models are so by
construction; others are tried.
"""

import numpy as np
import torch
from torch import nn

from pipeline.dumping.unroll import Block, unroll
from pipeline.tasks.sequences import Sequences
from schemas.errors import UsageError

LENGTHS = (9, 5, 2, 1)
TOLERANCE = 1e-4  # sums in another order differ in the last digits, another input in the first
SAME = 1e-6  # weights that are worked out anew at each call


def check_sound(model: nn.Module, path: str, vocabulary_size: int) -> None:
    """Run some sequences together, again, and alone. Raises UsageError when they are not the same."""
    ends = np.cumsum((0, *LENGTHS))
    tokens = np.random.default_rng(0).integers(vocabulary_size, size=ends[-1], dtype=np.int32)
    together = Sequences(np.arange(len(LENGTHS), dtype=np.int32), ends, tokens, np.zeros(len(tokens), bool))
    (block,) = unroll(model, together, path)
    (again,) = unroll(model, together, path)
    _check_weights(path, block, again)
    if not _agree(block, again, slice(None)):
        raise UsageError(
            "what the model does with the same tokens differs from call to call: it is random, or remembers "
            "earlier calls (dropout that eval() does not turn off, as F.dropout(x, 0.5) without "
            "training=self.training?), so no checkpoint tells its values: use `with unrolled.capture(module)` in "
            "Python"
        )
    for place in range(len(LENGTHS)):
        (alone,) = unroll(model, together.take(place, place + 1), path)
        _check_weights(path, block, alone)
        if not _agree(block, alone, slice(int(ends[place]), int(ends[place + 1]))):
            raise UsageError(
                "what the model does at a step depends on the steps after it, or on the other sequences of its "
                "batch (attention, a layer that reads backwards, BatchNorm?), so its values cannot be dumped by "
                "sequence: use `with unrolled.capture(module)` in Python"
            )


def _check_weights(path: str, block: Block, again: Block) -> None:
    """Raise UsageError when a second run had other weights than the first."""
    for layer, (first, second) in enumerate(zip(block.layers, again.layers, strict=True)):
        for name, values in first.weights._asdict().items():
            other = getattr(second.weights, name)
            if values is not None and not torch.allclose(values, other, rtol=SAME, atol=SAME):
                raise UsageError(
                    f"{path or 'the recurrent module'} has another {name} of layer {layer} at each call (a random "
                    "parametrization?), so no checkpoint holds it: use `with unrolled.capture(module)` in Python"
                )


def _agree(together: Block, alone: Block, here: slice) -> bool:
    hidden = [
        (together.signal(layer, "hidden_state")[:, here], alone.signal(layer, "hidden_state"))
        for layer in range(len(together.layers))
    ]
    pairs = [(together.entropy[here], alone.entropy), *hidden]
    return all(np.allclose(own, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True) for own, other in pairs)
