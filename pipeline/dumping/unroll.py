"""Every signal of every neuron at every step, and what was predicted there, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.capturing.capture import Capture
from pipeline.capturing.unrolling import LayerRun
from pipeline.models.network import logits_of
from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens
from schemas.errors import UsageError
from schemas.tile import Steps

# Steps of one forward pass, padding included, and so of a tile (docs/decisions/0009): enough to keep the
# matrix products busy, 26 MB a signal at 512 neurons. Part of the order of sums, so it may not follow the machine.
BLOCK_STEPS = 12_800
SAMPLED = 8  # one sequence in so many is run a second time, for the audit


@dataclass(frozen=True, eq=False)
class Block:
    """What a network did over N steps: those of some whole sequences, or a part of one long sequence."""

    steps: Steps
    layers: list[LayerRun]  # with padding
    loss: np.ndarray  # (N,) float32, nats; NaN at a sequence's last step
    predicted: np.ndarray  # (N,) int64: the most probable next token
    entropy: np.ndarray  # (N,) float32, nats
    real: Tensor  # (batch, steps) bool: what is no padding
    own_hidden: Tensor | None  # what the module's own forward gives, for some sequences of the first block

    def signal(self, layer: int, name: str) -> np.ndarray:
        """One signal of one layer, (neurons, N) float32."""
        values = self.layers[layer].signals[name]
        flat = values.flatten(0, 1) if self.real.all() else values[self.real]
        # Flattened first: torch then transposes in 1.2 ns a value; at once, by permute, it takes 4 to 6.
        return flat.t().contiguous().cpu().numpy()


def unroll(model: nn.Module, sequences: Sequences, path: str) -> Iterator[Block]:
    """Run a model over sequences.

    Args:
        model: takes tokens (batch, steps) and gives logits (batch, steps, vocabulary), alone or first of a tuple.
        sequences: what to run it over. Sequences longer than a block are run in pieces, each from the state in
            which the last one ended, so memory does not grow with their length.
        path: of its recurrent module.
    """
    is_first = True
    for start, stop in sequences.batches(BLOCK_STEPS):
        part = sequences.take(start, stop)
        tokens, real = part.padded(np.arange(len(part)))
        targets = next_tokens(tokens, real)
        capture = Capture(model, carry_state=True)
        for first in range(0, tokens.shape[1], BLOCK_STEPS):
            here = slice(first, first + BLOCK_STEPS)
            layers, logits = _run(model, capture, path, tokens[:, here])
            _check_state(layers, is_beginning=first == 0)
            mask = torch.from_numpy(real[:, here])
            predictions = _predictions(logits[mask], torch.from_numpy(targets[:, here])[mask])
            own_hidden = _own_hidden(model, path, layers[0].inputs[::SAMPLED]) if is_first else None
            yield Block(_steps(part, tokens, real, here), layers, *predictions, mask, own_hidden)
            is_first = False


@torch.inference_mode()
def _run(model: nn.Module, capture: Capture, path: str, tokens: np.ndarray) -> tuple[list[LayerRun], Tensor]:
    """The layers' signals and the logits (batch, steps, vocabulary) of tokens (batch, steps)."""
    with capture:
        logits = logits_of(model, torch.from_numpy(tokens).to(next(model.parameters()).device))
    return [layer[0] for layer in capture.calls.pop()[path].runs[-1].layers], logits.cpu()


def _check_state(layers: list[LayerRun], *, is_beginning: bool) -> None:
    """Raise UsageError when a model gives its recurrent module a state of its own."""
    zero = all(not part.any() for layer in layers for part in layer.state)
    if is_beginning and not zero:
        raise UsageError(
            "the model begins with a state that is not 0, and in the tables the state before step 0 is 0: use "
            "`with pipeline.capture(module)` in Python"
        )
    if not is_beginning and zero and layers[0].state:
        raise UsageError(
            "the model sets its recurrent module's state back to 0 itself, so sequences of more than "
            f"{BLOCK_STEPS:,} steps cannot be run in pieces: cut them with task.window = {BLOCK_STEPS} or less"
        )


@torch.inference_mode()
def _own_hidden(model: nn.Module, path: str, inputs: Tensor) -> Tensor:
    """The hidden state (batch, steps, neurons) that a module's own forward gives for inputs of that order."""
    module = model.get_submodule(path)
    batch_first = getattr(module, "batch_first", True)
    output = module(inputs if batch_first else inputs.transpose(0, 1))
    hidden: Tensor = output if isinstance(output, Tensor) else output[0]
    return hidden if batch_first else hidden.transpose(0, 1)


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
    entropy = -(log_p.exp() * log_p).sum(-1)
    return loss.numpy(), log_p.argmax(-1).numpy(), entropy.numpy()
