"""Training: our `Trainer.advance` against a bare PyTorch loop on the same model and the very same batches.

Ours makes its batches as it goes; the bare loop is given them as tensors, padded as ours. Both turn tokens into
one-hot inputs, take the gradient's norm and clip it, and step a fused Adam. They must end on the same weights.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.training.batches import Batch, Batches, Part
from pipeline.training.trainer import Trainer
from schemas.experiment import Experiment
from schemas.parse import parse_experiment
from schemas.training_settings import TrainingSettings
from tests.benchmarks.measure import Theme, Times, alternate, ratios, spread
from tests.benchmarks.python_source import Network, first_model, python_source, read_split


class Sizes(NamedTuple):
    """How much is measured."""

    counting: tuple[int, int]  # updates of one round, and rounds
    texts: dict[Network, tuple[int, int]]
    windows: int  # of text


TEXTS = {Network(1, 128): (10, 15), Network(2, 128): (10, 15), Network(2, 256): (3, 9), Network(3, 512): (1, 7)}
FULL = Sizes((300, 15), TEXTS, 30_000)
QUICK = Sizes((5, 2), {Network(2, 8): (2, 2)}, 2_000)


def run(*, quick: bool) -> Theme:
    """The shapes that the shipped experiments use, and those that real text needs."""
    sizes = QUICK if quick else FULL
    measured = {"counting, 1 x 10, batch 64": _compare(_counting(), *sizes.counting)}
    for network, (updates, rounds) in sizes.texts.items():
        measured[f"text, {network}, batch 32"] = _compare(_text(network, sizes.windows), updates, rounds)
    return Theme(
        title="Training",
        method=(
            "`Trainer.advance` (ours) against a bare loop of `nn.LSTM`, `nn.Linear`, `cross_entropy`, "
            "`clip_grad_norm_` and `Adam(fused=True)` on the same model and the very same batches, which the bare "
            "loop is given as ready tensors. Characters are targets that count, padding left out. "
            "7 to 15 alternations of 1 to 300 updates, by the model's size (text: Python source, windows of 128). "
            "Goal: ours / bare >= 0.95."
        ),
        header=(
            "model",
            "ours, k characters/s",
            "bare, k characters/s",
            "ours / bare",
            "ours with ready batches / bare",
        ),
        rows=[_row(name, *found) for name, found in measured.items()],
        notes=[
            "Ours / bare is the median of the rounds' own ratios.",
            "With ready batches, ours is given them as the bare loop is: the gain is what making batches costs.",
            *(
                f"Largest difference between the two sides' weights at the end ({name}): {found[2]:.1g}."
                for name, found in measured.items()
            ),
        ],
        raw={name: {"seconds": found[0], "characters": found[1]} for name, found in measured.items()},
    )


class Ready(Batches):
    """Batches that were made before."""

    given: Sequence[Batch] = ()

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """Those of updates start to stop."""
        return iter(self.given[start:stop])


class Bare:
    """A training loop as one writes it by hand."""

    def __init__(self, like: RecurrentLM, settings: TrainingSettings) -> None:
        shape = like.architecture
        self.lstm = nn.LSTM(shape.vocabulary_size, shape.hidden_size, shape.layers, batch_first=True)
        self.readout = nn.Linear(shape.hidden_size, shape.vocabulary_size)
        self.lstm.load_state_dict(like.recurrent.state_dict())
        self.readout.load_state_dict(like.readout.state_dict())
        self.parameters = [*self.lstm.parameters(), *self.readout.parameters()]
        self._optimizer = torch.optim.Adam(self.parameters, lr=settings.learning_rate, fused=True)
        self._clip = settings.clip

    def advance(self, batches: Sequence[Batch]) -> None:
        """One update a batch."""
        for batch in batches:
            ((tokens, targets, _),) = batch.parts
            self._optimizer.zero_grad()
            hidden, _ = self.lstm(one_hot(tokens, self.readout.out_features).float())
            # Targets that do not count are -100, which cross_entropy ignores by default.
            loss = cross_entropy(self.readout(hidden).flatten(0, 1), targets.flatten())
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            nn.utils.clip_grad_norm_(self.parameters, self._clip)
            self._optimizer.step()


def _counting() -> Experiment:
    document = {
        "name": "counting",
        "task": {"name": "counting", "maximum": 10},
        "corpus": {"train": 20_000},
        # A constant rate, because the bare loop has one.
        "training": {"batch_size": 64, "learning_rate": 0.01, "schedule": "constant"},
    }
    return parse_experiment(document, "benchmark")


def _text(network: Network, windows: int) -> Experiment:
    return python_source(
        network,
        {"train": windows, "valid": 1, "probe": 1},
        {"schedule": "constant", "warmup": 0},
    )


def _compare(experiment: Experiment, updates: int, rounds: int) -> tuple[Times, list[int], float]:
    """Seconds of each side, the characters of a round, and how far the weights end apart."""
    settings, sequences = experiment.training, read_split(experiment, "train")
    model = first_model(experiment)
    bare = Bare(model, settings)
    trainer = Trainer(model, sequences, settings, seed=0)
    batches = [_packed(batch) for batch in trainer.batches.between(0, (rounds + 1) * updates)]
    given = Ready(sequences, settings, seed=0)
    given.given = batches
    ready = Trainer(first_model(experiment), sequences, settings, seed=0)
    ready.batches = given
    blocks = [batches[start : start + updates] for start in range(0, len(batches), updates)]
    for_bare = iter(blocks)
    times = alternate(
        {
            "ours": lambda: trainer.advance(trainer.train_step + updates),
            "bare": lambda: bare.advance(next(for_bare)),
            "ready": lambda: ready.advance(ready.train_step + updates),
        },
        rounds,
    )
    pairs = zip(model.parameters(), bare.parameters, strict=True)
    apart = max(float((ours - theirs).detach().abs().max()) for ours, theirs in pairs)
    return times, [sum(batch.characters for batch in block) for block in blocks[1:]], apart


def _packed(batch: Batch) -> Batch:
    """A batch that lies in memory as a hand-made one would, and not as a view of longer rows."""
    (part,) = batch.parts
    return batch._replace(parts=[Part(*(tensor.contiguous() for tensor in part))])


def _row(name: str, times: Times, characters: list[int], _apart: float) -> tuple[str, ...]:
    ours = [count / 1000 / taken for count, taken in zip(characters, times["ours"], strict=True)]
    bare = [count / 1000 / taken for count, taken in zip(characters, times["bare"], strict=True)]
    ready = ratios(times["bare"], times["ready"])
    return name, spread(ours), spread(bare), spread(ratios(ours, bare)), spread(ready)
