"""How well a model predicts, and whether it is exactly right where a perfect model must be."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens
from pipeline.training.share import ALONE, Share, summed

BATCH_STEPS = 12_800  # padding included; bounds the memory of an evaluation, changes no figure


@dataclass(frozen=True)
class Evaluation:
    """A model over a split."""

    loss: float  # nats/char
    accuracy: float | None  # share of sequences right at every determined step; None where none is determined


def evaluate(model: RecurrentLM, sequences: Sequences, share: Share = ALONE) -> Evaluation:
    """Loss over every target, and exact accuracy on the determined part; processes share the work."""
    tally = [0.0] * 4  # loss in nats, characters, sequences right, sequences asked
    for start, stop in sequences.batches(BATCH_STEPS)[share.rank :: share.of]:
        part = sequences.take(start, stop)
        tokens, real = part.padded(np.arange(len(part)))
        targets = next_tokens(tokens, real)
        loss, predicted = _read(model, tokens, targets)

        determined = np.zeros_like(real)
        determined[real] = part.determined
        wrong = determined & (predicted != targets)
        asked = determined.any(1)

        counts = loss, (targets != IGNORED).sum(), (asked & ~wrong.any(1)).sum(), asked.sum()
        tally = [total + float(own) for total, own in zip(tally, counts, strict=True)]

    loss, characters, right, asked_in_all = summed(share, tally)
    return Evaluation(loss / max(1, characters), right / asked_in_all if asked_in_all else None)


@torch.inference_mode()
def _read(model: RecurrentLM, tokens: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """The summed loss in nats, and the most probable tokens, of tokens and targets (B, T); long ones in pieces."""
    device, state = next(model.parameters()).device, None
    width = max(1, BATCH_STEPS // len(tokens))
    loss, predicted = 0.0, []
    for start in range(0, tokens.shape[1], width):
        here = slice(start, start + width)
        logits, state = model(torch.from_numpy(tokens[:, here]).to(device), state)
        wanted = torch.from_numpy(targets[:, here]).to(device).flatten()
        loss += float(cross_entropy(logits.flatten(0, 1), wanted, ignore_index=IGNORED, reduction="sum"))
        predicted.append(logits.argmax(-1).cpu().numpy())
    return loss, np.concatenate(predicted, 1)
