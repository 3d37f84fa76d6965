"""A network writes: it reads a prompt, then one character after another is drawn and read in turn.

Its recurrent state is carried from step to step, so a character costs the same at whatever length.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.capturing.capture import Capture
from pipeline.models.network import logits_of
from pipeline.tasks.vocabulary import Vocabulary
from schemas.errors import UsageError
from schemas.experiment import Drawing


class Written(NamedTuple):
    """What S samples have become, with the prompt."""

    tokens: np.ndarray  # (S, prompt + length) int64
    log_p: np.ndarray  # (S, length) float64: of each drawn character among all, nats, whatever the temperature
    lengths: np.ndarray  # (S,) int64: how many of the drawn characters count, the last of them the stop if any

    def texts(self) -> list[np.ndarray]:
        """The tokens of each sample, with the prompt and without what follows its stop."""
        before = self.tokens.shape[1] - self.log_p.shape[1]
        return [row[: before + length] for row, length in zip(self.tokens, self.lengths, strict=True)]


class Marks(NamedTuple):
    """A drawing's texts as tokens."""

    prompt: np.ndarray  # (steps,) int64, at least one
    stop: int | None  # the token that ends a sample


def marks_of(drawing: Drawing, vocabulary: Vocabulary) -> Marks:
    """The prompt and the stop; an empty prompt is a newline, or the first character where none is.

    Raises UsageError for a character that the vocabulary lacks, or when more characters are to be drawn from than
    it has.
    """
    if drawing.top_k > len(vocabulary):
        raise UsageError(f"top_k is {drawing.top_k}, and there are {len(vocabulary)} characters to draw from")
    first = "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
    prompt = _encoded("the prompt", drawing.prompt or first, vocabulary)
    return Marks(prompt, int(_encoded("the stop", drawing.stop, vocabulary)[-1]) if drawing.stop else None)


def _encoded(what: str, text: str, vocabulary: Vocabulary) -> np.ndarray:
    if vocabulary.tokenizer is None:
        strange = sorted(set(text) - set(vocabulary.characters))
        if strange:
            known = "".join(text for text in vocabulary.characters if text.isprintable())
            raise UsageError(f"{what} holds {strange[0]!r}, which the model never saw; it knows {known}")
    return vocabulary.encode(text, what).astype(np.int64)


@torch.inference_mode()
def write(
    model: nn.Module, prompt: np.ndarray, drawing: Drawing, temperature: float, stop: int | None = None
) -> Written:
    """Let a model write.

    Character t of sample s is drawn with the t-th number of a generator that (seed, s) decide, so a longer sample
    begins as a shorter one does, and each sample is what it would be among fewer, but for rounding.

    Args:
        model: takes tokens (batch, steps) and gives logits (batch, steps, vocabulary), alone or first of a tuple;
            what it remembers is the state of its recurrent layers.
        prompt: tokens (steps,), at least one.
        drawing: how many samples of which length, and from how many characters each is drawn.
        temperature: divides the logits; 0 takes the most probable character, the first of equal ones.
        stop: the token that ends a sample.
    """
    device = next(model.parameters()).device
    numbers = [np.random.default_rng([drawing.seed, sample]) for sample in range(drawing.samples)]
    chances = np.stack([generator.random(drawing.length) for generator in numbers])

    tokens = np.tile(prompt, (drawing.samples, 1))
    capture = Capture(model, carry_state=True)
    reading = torch.from_numpy(tokens)
    drawn, log_ps = [], []
    for step in range(drawing.length):
        with capture:
            logits = logits_of(model, reading.to(device))[:, -1].double().cpu()
        capture.calls.clear()

        chosen = _draw(logits, chances[:, step], temperature, drawing.top_k)
        log_ps.append(logits.log_softmax(1).gather(1, chosen[:, None])[:, 0].numpy())
        drawn.append(chosen.numpy())
        reading = chosen[:, None]

    written = np.stack(drawn, 1)
    ends = np.pad(written == stop, ((0, 0), (0, 1)), constant_values=True).argmax(1)
    lengths = np.minimum(ends + 1, drawing.length)
    return Written(np.concatenate([tokens, written], 1), np.stack(log_ps, 1), lengths)


def _draw(logits: Tensor, chances: np.ndarray, temperature: float, top_k: int) -> Tensor:
    """One token a row, of logits (S, vocabulary) float64 and numbers in [0, 1), (S,)."""
    if temperature == 0:
        return logits.argmax(1)
    if top_k:
        # By rank, and of equal ones the first, so that there are exactly so many.
        order = logits.argsort(stable=True, dim=1, descending=True)[:, top_k:]
        logits = logits.scatter(1, order, -torch.inf)
    logits = logits - logits.amax(1, keepdim=True)  # the least temperature makes nothing infinite then
    cumulated = (logits / temperature).softmax(1).cumsum(1)
    places = torch.searchsorted(cumulated, torch.from_numpy(chances)[:, None] * cumulated[:, -1:], right=True)
    return places[:, 0]
