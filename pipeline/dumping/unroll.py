"""Every signal of every neuron at every step, and what was predicted there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens

# Steps of one forward pass, padding included: enough to keep the matrix products busy, and 25 MB a signal at
# 512 neurons. A part of the sums' order, so a constant: it may not follow the machine.
BATCH_STEPS = 12_800


@dataclass(frozen=True)
class Unrolled:
    """What a model did over N steps."""

    signals: list[dict[str, np.ndarray]]  # for each layer, by name: (neurons, N) float32
    loss: np.ndarray  # (N,) float32, nats; NaN at a sequence's last step
    predicted: np.ndarray  # (N,) int64: the most probable next token
    entropy: np.ndarray  # (N,) float32, nats


def unroll(model: RecurrentLM, sequences: Sequences, names: Sequence[str]) -> Unrolled:
    """Run the model over the sequences; `names` are the signals to keep, of those that its cell has."""
    steps = len(sequences.tokens)
    shape = model.architecture
    signals = [
        {name: np.empty((shape.hidden_size, steps), np.float32) for name in names} for _ in range(shape.layers)
    ]
    loss, entropy = np.empty(steps, np.float32), np.empty(steps, np.float32)
    predicted = np.empty(steps, np.int64)
    for start, stop in sequences.batches(BATCH_STEPS):
        part = sequences.take(start, stop)
        here = slice(sequences.offsets[start], sequences.offsets[stop])
        tokens, real = part.padded(np.arange(len(part)))
        mask = torch.from_numpy(real)
        with torch.inference_mode():
            layers, logits = model.unroll(torch.from_numpy(tokens))
            for kept, made in zip(signals, layers, strict=True):
                for name, values in kept.items():
                    values[:, here] = made[name][mask].t().numpy()
            targets = torch.from_numpy(next_tokens(tokens, real))[mask]
            loss[here], predicted[here], entropy[here] = _predictions(logits[mask], targets)
    return Unrolled(signals, loss, predicted, entropy)


def _predictions(logits: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss, most probable token and entropy of logits (N, vocabulary)."""
    log_p = logits.log_softmax(-1)
    of_target = log_p.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    loss = torch.where(targets == IGNORED, torch.nan, -of_target)
    entropy = -(log_p.exp() * log_p).sum(-1)
    return loss.numpy(), log_p.argmax(-1).numpy(), entropy.numpy()
