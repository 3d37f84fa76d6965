"""Quality: cells of equal parameters on a corpus that everyone has.

Karpathy, Johnson and Fei-Fei (2015) compare an rnn, a gru and an lstm of 1 to 3 layers on two texts: the lstm and
the gru beat the rnn by far, and two layers beat one. An n-gram model stands beside them, and the settings that
their program, char-rnn, is run with.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from statistics import mean, stdev
from typing import Literal, NamedTuple

import torch

from pipeline.models.recurrent_lm import make_model
from pipeline.tasks.sequences import Sequences
from pipeline.training.evaluate import evaluate
from pipeline.training.trainer import Trainer
from schemas.experiment import Architecture, CellName, Experiment, ModelSpec
from schemas.parse import parse_experiment
from schemas.start_settings import AS_TORCH, StartSettings
from tests.benchmarks.measure import Theme, number, one_a_core
from tests.benchmarks.ngrams import ngram_bits
from tests.benchmarks.python_source import read_split, vocabulary_of


class Sizes(NamedTuple):
    """How much is trained."""

    parameters: int
    characters: int  # that a network learns from, counted as often as it sees them
    seeds: int
    layers: tuple[int, ...]
    valid: int  # windows
    orders: range
    text: int  # characters of it; 0: all
    processes: bool  # one a core; they take seconds to start


class Recipe(NamedTuple):
    """How a network is trained."""

    rate: float
    lanes: int
    chunk: int = 64
    warmup: int = 50  # updates
    schedule: Literal["constant", "cosine"] = "cosine"
    clip: float = 1.0
    decay: float = 0.01
    start: StartSettings = StartSettings()

    def training(self, characters: int) -> dict[str, object]:
        """As the section of an experiment."""
        settings = {"learning_rate": self.rate, "batch_size": self.lanes, "truncate": self.chunk}
        rest = {"warmup": self.warmup, "schedule": self.schedule, "clip": self.clip, "decay": self.decay}
        return {"steps": max(1, characters // (self.lanes * self.chunk)), **settings, **rest}


class Job(NamedTuple):
    """One network to train."""

    row: str  # of the table
    spec: ModelSpec
    recipe: Recipe
    sizes: Sizes


FULL = Sizes(100_000, 6_000_000, 3, (1, 2, 3), 300, range(1, 9), 0, processes=True)
QUICK = Sizes(3_000, 5_000, 2, (1, 2), 5, range(1, 4), 400_000, processes=False)
WINDOW = 512

# By what docs/log.md tried on this text; gru, rnn and peephole_lstm take as long as they do at half the updates.
OURS: Mapping[CellName, Recipe] = {
    "feedforward": Recipe(0.004, 16),
    "rnn": Recipe(0.004, 16),
    "gru": Recipe(0.008, 16),
    "lstm": Recipe(0.016, 8),
    "peephole_lstm": Recipe(0.016, 16),
}
TORCHS = StartSettings(characters=AS_TORCH, below=AS_TORCH, readout=AS_TORCH)
CHAR_RNN = Recipe(0.002, 50, 50, 0, "constant", 5.0, 0.0, TORCHS)
BESIDE = "lstm, char-rnn's settings"


def run(*, quick: bool) -> Theme:
    """Every cell, number of layers and seed; one model a core."""
    sizes = QUICK if quick else FULL
    vocabulary, train, valid = _text(sizes)
    jobs = list(_jobs(sizes, vocabulary))
    found: dict[tuple[str, int], list[float]] = {(job.row, job.spec.layers): [] for job in jobs}
    for job, bits in zip(jobs, _trained(jobs), strict=True):
        found[job.row, job.spec.layers].append(bits)
    neurons = {(job.row, job.spec.layers): job.spec.hidden_size for job in jobs}
    ngrams = ngram_bits(train, valid, vocabulary, sizes.orders)
    best = min(ngrams, key=lambda order: ngrams[order])
    return Theme(
        title="Quality",
        method=_method(sizes, vocabulary, len(train.tokens)),
        header=("cell", *(f"{layers} layer{'s' * (layers > 1)}" for layers in sizes.layers)),
        rows=[
            (row, *(f"{_told(found[row, n])}, {neurons[row, n]} neurons" for n in sizes.layers))
            for row in (*OURS, BESIDE)
        ],
        notes=[
            "A figure is the mean over the seeds ± their standard deviation, and a layer's neurons.",
            *_recipes(sizes),
            "n-grams (Witten-Bell) of the same text: "
            + ", ".join(f"{order}: {number(bits)}" for order, bits in ngrams.items())
            + f"; the best looks at {best - 1} characters.",
            "Karpathy, Johnson and Fei-Fei (2015) report: lstm and gru far before rnn, two layers before one.",
        ],
        raw={
            "bits_per_char": {f"{row} {layers}": bits for (row, layers), bits in found.items()},
            "ngrams": {str(order): bits for order, bits in ngrams.items()},
        },
    )


def _method(sizes: Sizes, vocabulary: int, characters: int) -> str:
    return (
        f"Bits per character on documents that were not trained on: {sizes.valid} windows of {WINDOW} characters "
        f"of the standard library's source; {characters / 1e6:.1f} M characters to learn from, a vocabulary of "
        f"{vocabulary}. Every network has as many neurons as keep it within {sizes.parameters:,} parameters, and "
        f"learns from {sizes.characters / 1e6:.1f} M characters with Adam, the state carried from chunk to chunk. "
        f"{sizes.seeds} seeds."
    )


def _recipes(sizes: Sizes) -> Iterator[str]:
    """What each cell was trained with, in words."""
    said = [f"{cell} {recipe.lanes} x {recipe.chunk}, {recipe.rate}" for cell, recipe in OURS.items()]
    one = next(iter(OURS.values()))
    yield (
        f"Chunks x their length, and rate: {'; '.join(said)}. All: a warm-up of {one.warmup} updates, a cosine's "
        f"fall, clip {one.clip}, decay {one.decay}, `[start]` as it is by default."
    )
    yield (
        f"char-rnn's settings: {CHAR_RNN.lanes} x {CHAR_RNN.chunk}, {CHAR_RNN.rate} throughout, clip "
        f"{CHAR_RNN.clip}; here with Adam and torch's own first weights, and for "
        f"{CHAR_RNN.training(sizes.characters)['steps']:,} updates."
    )


def _jobs(sizes: Sizes, vocabulary: int) -> Iterator[Job]:
    """The longest first, so that no core waits long for the last."""
    rows = [*((cell, cell, recipe) for cell, recipe in OURS.items()), (BESIDE, "lstm", CHAR_RNN)]
    for layers in reversed(sizes.layers):
        for row, cell, recipe in reversed(rows):
            neurons = _widest(cell, layers, sizes.parameters, vocabulary)
            shape = {"cell": cell, "layers": layers, "hidden_size": neurons, "nonlinearity": "tanh"}
            for seed in range(sizes.seeds):
                yield Job(row, ModelSpec.model_validate({**shape, "seed": seed}), recipe, sizes)


def _trained(jobs: Sequence[Job]) -> Iterator[float]:
    """Bits per character of each; one model a core."""
    found = one_a_core(train_one, jobs, processes=jobs[0].sizes.processes)
    for done, (job, bits) in enumerate(zip(jobs, found, strict=True), 1):
        where = f"{done} of {len(jobs)}: {job.row}, {job.spec.name}"
        print(f"{where}: {bits:.3f}", file=sys.stderr, flush=True)
        yield bits


def train_one(job: Job) -> float:
    """Train one model and evaluate it, to a thousandth of a bit; what a process of the pool does."""
    torch.set_num_threads(1)
    vocabulary, train, valid = _text(job.sizes)
    assert job.spec.seed is not None
    model = make_model(job.spec.architecture(vocabulary), job.spec.seed, job.recipe.start)
    training = _experiment(job.sizes, job.recipe).training
    Trainer(model, train, training, job.spec.seed).advance(training.steps)
    return round(evaluate(model, valid).loss / math.log(2), 3)


@cache
def _text(sizes: Sizes) -> tuple[int, Sequences, Sequences]:
    """How many characters there are, and what is learnt from and evaluated."""
    experiment = _experiment(sizes, OURS["lstm"])
    return len(vocabulary_of(experiment)), read_split(experiment, "train"), read_split(experiment, "valid")


def _experiment(sizes: Sizes, recipe: Recipe) -> Experiment:
    task = {"files": ["{stdlib}/*.py"], "not_ascii": "replace", "maximum_characters": sizes.text}
    return parse_experiment(
        {
            "name": "quality",
            "task": {"name": "text", "window": WINDOW, **task},
            "corpus": {"train": 150 if sizes.text else 8_500, "valid": sizes.valid, "probe": 1},
            "training": recipe.training(sizes.characters),
        },
        "benchmark",
    )


def _widest(cell: CellName, layers: int, parameters: int, vocabulary: int) -> int:
    """The most neurons of a layer that keep a network within so many parameters."""
    low, high = 1, 4_096
    while low < high:
        middle = (low + high + 1) // 2
        shape = Architecture(cell=cell, layers=layers, hidden_size=middle, vocabulary_size=vocabulary)
        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in make_model(shape, 0).parameters())
        low, high = (middle, high) if count <= parameters else (low, middle - 1)
    return low


def _told(bits: Sequence[float]) -> str:
    return f"{mean(bits):.3f} ± {stdev(bits):.3f}"
