"""Every signal of every neuron at every step, and what was predicted there, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.capturing.capture import Capture
from pipeline.capturing.unrolling import LayerRun
from pipeline.dumping.transposing import neuron_major
from pipeline.models.network import logits_of
from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens
from schemas.errors import UsageError
from schemas.signals import STATE
from schemas.tile import Steps

# Steps of one forward pass, padding included, and so of a tile (docs/decisions/0009): enough to keep the
# matrix products busy, 26 MB a signal at 512 neurons. Part of the order of sums, so it may not follow the machine.
BLOCK_STEPS = 12_800
TRIED = 256  # steps on which it is tried whether a model can be run in pieces


@dataclass(frozen=True, eq=False)
class Block:
    """What a network did over N steps: those of some whole sequences, or a part of one long sequence."""

    steps: Steps
    layers: list[LayerRun]  # with padding
    loss: np.ndarray  # (N,) float32, nats; NaN at a sequence's last step
    predicted: np.ndarray  # (N,) int64: the most probable next token
    entropy: np.ndarray  # (N,) float32, nats
    real: Tensor  # (batch, steps) bool: what is no padding

    def signal(self, layer: int, name: str, neurons: slice = slice(None)) -> np.ndarray:
        """One signal of one layer, of some neurons, (neurons, N) float32."""
        values = self.layers[layer].signals[name][..., neurons]
        return neuron_major(values, *(place.to(values.device) for place in self._places)).cpu().numpy()

    @cached_property
    def _places(self) -> tuple[Tensor, ...]:
        """The real steps: sequence of the batch and step, (N,) each."""
        return self.real.nonzero(as_tuple=True)


def unroll(model: nn.Module, sequences: Sequences, path: str) -> Iterator[Block]:
    """Run a model over sequences.

    Args:
        model: takes tokens (batch, steps) and gives logits (batch, steps, vocabulary), alone or first of a tuple.
        sequences: what to run it over. Sequences longer than a block are run in pieces, each from the state in
            which the last one ended, so memory does not grow with their length.
        path: of its recurrent module.
    """
    for start, stop in sequences.batches(BLOCK_STEPS):
        part = sequences.take(start, stop)
        tokens, real = part.padded(np.arange(len(part)))
        targets = next_tokens(tokens, real)

        if tokens.shape[1] > BLOCK_STEPS:
            _check_pieces(model, path, tokens[:1, :TRIED])

        capture = Capture(model, carry_state=True)
        before: list[LayerRun] = []

        for first in range(0, tokens.shape[1], BLOCK_STEPS):
            here = slice(first, first + BLOCK_STEPS)
            layers, logits = _run(model, capture, path, tokens[:, here])
            _check_state(layers, before)
            before = layers

            mask = torch.from_numpy(real[:, here])
            predictions = _predictions(logits[mask], torch.from_numpy(targets[:, here])[mask])
            yield Block(_steps(part, tokens, real, here), layers, *predictions, mask)


@torch.inference_mode()
def _run(model: nn.Module, capture: Capture, path: str, tokens: np.ndarray) -> tuple[list[LayerRun], Tensor]:
    """The layers' signals and the logits (batch, steps, vocabulary) of tokens (batch, steps)."""
    with capture:
        logits = logits_of(model, torch.from_numpy(tokens).to(next(model.parameters()).device))

    runs = capture.calls.pop()[path].runs
    layers = [layer[0] for layer in runs[0].layers]

    given = tuple(layers[0].inputs.shape[:2])
    if len(runs) > 1 or given != tokens.shape:
        raise UsageError(
            f"the model runs {path or 'its recurrent module'} {len(runs)} times over {given} (batch, steps) for "
            f"tokens {tokens.shape}, and the table has a place for one step a token (is batch_first right?): "
            "use `with unrolled.capture(module)` in Python"
        )
    return layers, logits.cpu()


def _check_pieces(model: nn.Module, path: str, tokens: np.ndarray) -> None:
    """Raise UsageError when two halves of some tokens (1, steps) do not come to what the whole does."""
    whole, logits = _run(model, Capture(model), path, tokens)
    capture = Capture(model, carry_state=True)
    halves = [_run(model, capture, path, half) for half in np.array_split(tokens, 2, axis=1)]
    joined = torch.cat([layers[-1].signals["hidden_state"] for layers, _ in halves], 1)

    if not (
        torch.allclose(joined, whole[-1].signals["hidden_state"], rtol=1e-4, atol=1e-4)
        and torch.allclose(torch.cat([part for _, part in halves], 1), logits, rtol=1e-4, atol=1e-4)
    ):
        raise UsageError(
            f"the model remembers more than its recurrent state, so sequences of more than {BLOCK_STEPS:,} steps "
            f"cannot be run in pieces: cut them with task.window = {BLOCK_STEPS} or less"
        )


def _check_state(layers: list[LayerRun], before: list[LayerRun]) -> None:
    """Raise UsageError when a model gives its recurrent module a state of its own.

    `before` are the layers over the piece of the same sequence that came last, none at its beginning.
    """
    if not before and any(part.any() for layer in layers for part in layer.state):
        raise UsageError(
            "the model begins with a state that is not 0, and in the tables the state before step 0 is 0: use "
            "`with unrolled.capture(module)` in Python"
        )

    for last, now in zip(before, layers, strict=bool(before)):
        ended = (last.signals[name][:, -1] for name in STATE[last.cell])
        if not all(torch.equal(part, end) for part, end in zip(now.state, ended, strict=True)):
            raise UsageError(
                "the model sets its recurrent module's state itself, so sequences of more than "
                f"{BLOCK_STEPS:,} steps cannot be run in pieces: cut them with task.window = {BLOCK_STEPS} or less"
            )


def _steps(part: Sequences, tokens: np.ndarray, real: np.ndarray, here: slice) -> Steps:
    """The keys of the real steps of a piece of padded tokens (batch, steps)."""
    row, step = np.nonzero(real[:, here])
    return Steps(
        sequence=part.ids[row].astype(np.int32, copy=False),
        step=(step + here.start).astype(np.int32),
        token=tokens[:, here][row, step].astype(np.int32),
    )


@torch.inference_mode()
def _predictions(logits: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss, most probable token and entropy of logits (N, vocabulary)."""
    log_p = logits.log_softmax(-1)
    of_target = log_p.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    loss = torch.where(targets == IGNORED, torch.nan, -of_target)
    # Probabilities by torch's softmax: its exp takes 2 ns a value, a tenth of the whole.
    entropy = -(logits.softmax(-1) * log_p).sum(-1)
    return loss.numpy(), log_p.numpy().argmax(-1), entropy.numpy()
