"""How well a model predicts, and whether it is exactly right where a perfect model must be."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens

BATCH_STEPS = 12_800  # padding included; bounds the memory of an evaluation, changes no figure


@dataclass(frozen=True)
class Evaluation:
    """A model over a split."""

    loss: float  # nats/char
    accuracy: float | None  # share of sequences right at every determined step; None where none is determined


def evaluate(model: RecurrentLM, sequences: Sequences) -> Evaluation:
    """Loss over every target, and exact accuracy on the determined part."""
    loss, characters, exact, answerable = 0.0, 0, 0, 0
    for start, stop in sequences.batches(BATCH_STEPS):
        part = sequences.take(start, stop)
        tokens, real = part.padded(np.arange(len(part)))
        targets = next_tokens(tokens, real)
        with torch.inference_mode():
            logits = model(torch.from_numpy(tokens))
            sums = cross_entropy(
                logits.flatten(0, 1),
                torch.from_numpy(targets).flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
        determined = np.zeros_like(real)
        determined[real] = part.determined
        wrong = determined & (logits.argmax(-1).numpy() != targets)
        asked = determined.any(1)
        loss += float(sums)
        characters += int((targets != IGNORED).sum())
        exact += int((asked & ~wrong.any(1)).sum())
        answerable += int(asked.sum())
    return Evaluation(loss / max(1, characters), exact / answerable if answerable else None)
