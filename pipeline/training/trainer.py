"""Next-character training: what an update does is a function of (weights, seed, update number) alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import IGNORED, Sequences
from schemas.experiment import TrainingSettings

# Batches are made some at a time: one by one, between updates, the caches hold the model instead of the corpus,
# and making them takes 9 % of a small model's time instead of 2-5 %. Long sequences are made fewer at a time.
BATCHES_AHEAD = 32
TOKENS_AHEAD = 1_000_000


@dataclass(frozen=True)
class Span:
    """What happened between two evaluations."""

    loss: float | None  # mean over the updates, nats/char; None when there was none
    characters: int  # trained on


class Trainer:
    """A model under training. It owns the optimizer's moments, without which it cannot go on."""

    def __init__(self, model: RecurrentLM, sequences: Sequences, settings: TrainingSettings, seed: int) -> None:
        self.model = model
        self.train_step = 0
        self._sequences = sequences
        self._settings = settings
        self._seed = seed
        self._parameters = list(model.parameters())
        self._optimizer = torch.optim.Adam(self._parameters, lr=settings.learning_rate, fused=True)
        self._lengths = sequences.lengths
        self._batches_ahead = max(
            1, min(BATCHES_AHEAD, TOKENS_AHEAD // (settings.batch_size * int(self._lengths.max())))
        )
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def advance(self, train_step: int) -> Span:
        """Update until `train_step` updates have been made."""
        losses: list[float] = []
        characters = 0
        self.model.train()
        while self.train_step < train_step:
            ahead = range(self.train_step, min(self.train_step + self._batches_ahead, train_step))
            for tokens, targets, counted in self._batches(ahead):
                losses.append(self._update(tokens, targets))
                characters += counted
        self.model.eval()
        return Span(math.fsum(losses) / len(losses) if losses else None, characters)

    def _update(self, tokens: Tensor, targets: Tensor) -> float:
        self._optimizer.param_groups[0]["lr"] = learning_rate(self._settings, self.train_step)
        self._optimizer.zero_grad()
        loss = next_character_loss(self.model(tokens), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._parameters, self._settings.clip)
        self._optimizer.step()
        self.train_step += 1
        return loss.item()

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here, as named tensors."""
        moments = self._optimizer.state_dict()["state"]
        named = {f"adam.{index}.{name}": value for index, of in moments.items() for name, value in of.items()}
        weights = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        return {"train_step": torch.tensor(self.train_step), **named, **weights}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.train_step = int(state["train_step"])
        weights = {name.removeprefix("model."): v for name, v in state.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _batches(self, train_steps: range) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Tokens and targets, both (batch, steps), of some updates, and how many targets count."""
        rows = np.stack([self._rows(train_step) for train_step in train_steps])
        tokens, real = self._sequences.padded(rows.ravel())
        targets = np.where(real[:, 1:], tokens[:, 1:], IGNORED)
        lengths = self._lengths[rows]
        for batch, longest in enumerate((lengths.max(1) - 1).tolist()):
            here = slice(batch * rows.shape[1], (batch + 1) * rows.shape[1]), slice(0, longest)
            counted = int(lengths[batch].sum()) - rows.shape[1]
            yield torch.from_numpy(tokens[here]), torch.from_numpy(targets[here]), counted

    def _rows(self, train_step: int) -> np.ndarray:
        """The places of an update's sequences, (batch,)."""
        size = min(self._settings.batch_size, len(self._sequences))
        batches = len(self._sequences) // size  # an epoch's remainder waits for another order
        epoch, place = divmod(train_step, batches)
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._sequences))
            self._epoch = epoch
        return self._order[place * size : (place + 1) * size]


def next_character_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy, nats/char, of logits (batch, steps, vocabulary) over the targets that count."""
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def learning_rate(settings: TrainingSettings, train_step: int) -> float:
    """The rate of an update: a linear rise over the warm-up, then the schedule's fall towards 0."""
    rise = min(1.0, (train_step + 1) / settings.warmup) if settings.warmup else 1.0
    share = train_step / settings.steps
    fall = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
    return settings.learning_rate * rise * fall[settings.schedule]
