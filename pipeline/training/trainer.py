"""Next-character training: what an update does is a function of (weights, seed, update number) alone."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import IGNORED, Sequences
from pipeline.training.batches import Batch, Batches, Part
from pipeline.training.lanes import Lanes
from pipeline.training.share import ALONE, Share, summed
from schemas.errors import UsageError
from schemas.training_settings import TrainingSettings


@dataclass
class Span:
    """What happened since the last evaluation, in all processes that train the model."""

    loss: float = 0.0  # sum of the updates' mean losses, nats/char
    updates: int = 0
    characters: int = 0  # trained on

    @property
    def mean_loss(self) -> float | None:
        """Mean over the updates, nats/char; None when there was none."""
        return self.loss / self.updates if self.updates else None


def multiplies_bfloat16() -> bool:
    """Whether torch's kernels for a CPU take bfloat16 here: with AVX-512, say."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  # there is no public way to ask


class Trainer:
    """A model under training. It owns the optimizer's moments, without which it cannot go on."""

    def __init__(
        self,
        model: RecurrentLM,
        sequences: Sequences,
        settings: TrainingSettings,
        seed: int,
        share: Share = ALONE,
        device: str = "cpu",
    ) -> None:
        """Prepare; the model moves to the device.

        Args:
            model: with its first weights.
            sequences: what it learns.
            settings: how.
            seed: of the order of sequences.
            share: which of the processes that train it together this one is; weights agree in all of them.
            device: cpu or cuda.

        Raises UsageError for a precision that this processor cannot train in.
        """
        if settings.precision == "bfloat16" and device == "cpu" and not multiplies_bfloat16():
            raise UsageError(
                "this processor has no bfloat16: set training.precision to float32, or train on a GPU "
                "(--gpus-per-worker 1)"
            )
        self.model = model.to(device).eval()  # so that only updates drop values
        self.train_step = 0
        self.span = Span()
        self._settings, self._share, self._device = settings, share, torch.device(device)
        self._seed = seed

        self.batches = Batches(sequences, settings, seed, share)
        self._lanes = Lanes(self.batches.lanes, self.batches.bounds, share)

        model.recurrent.dropout = settings.dropout  # type: ignore[assignment]  # no parameter
        self._parameters = list(model.parameters())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.decay, fused=True
        )
        self._together = DistributedDataParallel(model) if share.of > 1 else None

    def advance(self, train_step: int) -> None:
        """Update until `train_step` updates have been made."""
        losses: list[Tensor] = []
        characters = 0

        self.model.train()
        for batch in self.batches.between(self.train_step, train_step):
            losses.append(self._update(batch))
            characters += batch.characters
        self.model.eval()

        if losses:
            # In float64, one after another: a sum that was cut in two by a kill ends with the same bits.
            *own, counted = summed(self._share, [*torch.stack(losses).double().tolist(), float(characters)])
            self._check(own)
            for loss in own:
                self.span.loss += loss
            self.span.updates += len(own)
            self.span.characters += int(counted)

    def _check(self, losses: Sequence[float]) -> None:
        """Raise UsageError when the newest of the updates, whose mean losses these are, led nowhere."""
        wrong = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if wrong is None:
            return
        before = losses[wrong - 1] if wrong else self.span.mean_loss
        raise UsageError(
            f"training diverged: at update {self.train_step - len(losses) + wrong + 1} the loss is {losses[wrong]}"
            + ("" if before is None else f", and was {before:.3g} before")
            + f": lower training.learning_rate ({self._settings.learning_rate}) or training.clip "
            f"({self._settings.clip}), or raise training.warmup ({self._settings.warmup})"
        )

    def begin_span(self) -> None:
        """An evaluation was made: begin to count anew."""
        self.span = Span()

    def _update(self, batch: Batch) -> Tensor:
        self._optimizer.param_groups[0]["lr"] = learning_rate(self._settings, self.train_step)
        self._optimizer.zero_grad()

        losses = []
        for index, part in enumerate(batch.parts):
            with self._random(index), self._exchange(last=index == len(batch.parts) - 1):
                # Every character weighs the same, in whichever part it lies.
                loss = self._loss(index, part) / batch.targets
                (loss * self._share.of).backward()  # type: ignore[no-untyped-call]  # DDP takes the processes' mean
            losses.append(loss.detach())

        nn.utils.clip_grad_norm_(self._parameters, self._settings.clip)
        self._optimizer.step()
        self.train_step += 1
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _loss(self, index: int, part: Part) -> Tensor:
        """Cross-entropy in nats, summed over the targets that count."""
        tokens, targets, continues = (tensor.to(self._device) for tensor in part)
        before = self._lanes.before(index, continues) if self._settings.truncate else None
        mixed = self._settings.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            logits, after = (self._together or self.model)(tokens, before)
        if self._settings.truncate:
            self._lanes.keep(index, after)
        return cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def _exchange(self, *, last: bool) -> AbstractContextManager[None]:
        """Gradients of a batch go to the other processes once, with its last part."""
        wait = self._together is not None and not last
        return self._together.no_sync() if wait and self._together else nullcontext()

    @contextmanager
    def _random(self, part: int) -> Iterator[None]:
        """Random numbers that dropout draws in a part of an update, whatever was drawn before."""
        if not self._settings.dropout:
            yield
            return
        with torch.random.fork_rng():
            numbers = np.random.SeedSequence([self._seed, self.train_step, self._share.rank, part])
            torch.manual_seed(int(numbers.generate_state(1, np.uint64)[0]))
            yield

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here, as named tensors; every process must ask."""
        moments = self._optimizer.state_dict()["state"]
        named = {f"adam.{index}.{name}": value for index, of in moments.items() for name, value in of.items()}
        weights = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        span = torch.tensor([self.span.loss, self.span.updates, self.span.characters], dtype=torch.float64)
        return {
            "train_step": torch.tensor(self.train_step),
            "span": span,
            **named,
            **weights,
            **self._lanes.state(),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.train_step = int(state["train_step"])
        loss, updates, characters = state["span"].tolist()
        self.span = Span(loss, int(updates), int(characters))

        weights = {name.removeprefix("model."): v for name, v in state.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        self._lanes.restore(state, self._device)

        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})


def learning_rate(settings: TrainingSettings, train_step: int) -> float:
    """The rate of an update: a linear rise over the warm-up, then the schedule's fall towards 0."""
    rise = min(1.0, (train_step + 1) / settings.warmup) if settings.warmup else 1.0
    share = train_step / settings.steps
    fall = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
    return settings.learning_rate * rise * fall[settings.schedule]
