"""Quality: cells of equal parameters on a corpus that everyone has.

Karpathy, Johnson and Fei-Fei (2015) compare an rnn, a gru and an lstm of 1 to 3 layers on two texts: the lstm and
the gru beat the rnn by far, and two layers beat one. An n-gram model stands beside them.
"""

import math
import multiprocessing
from collections.abc import Sequence
from itertools import product
from statistics import mean, stdev
from typing import NamedTuple

import torch

from pipeline.models.recurrent_lm import make_model
from pipeline.training.evaluate import evaluate
from pipeline.training.trainer import Trainer
from schemas.experiment import Architecture, CellName, Experiment, ModelSpec
from schemas.parse import parse_experiment
from tests.benchmarks.measure import Theme, number
from tests.benchmarks.ngrams import ngram_bits
from tests.benchmarks.python_source import read_split, vocabulary_of


class Sizes(NamedTuple):
    """How much is trained."""

    parameters: int
    updates: int
    seeds: int
    layers: Sequence[int]
    valid: int  # windows
    orders: range
    characters: int  # of the text; 0: all


CELLS: tuple[CellName, ...] = ("feedforward", "rnn", "gru", "lstm", "peephole_lstm")
FULL = Sizes(100_000, 2_000, 3, (1, 2, 3), 300, range(1, 9), 0)
QUICK = Sizes(3_000, 3, 2, (1, 2), 5, range(1, 4), 1_000_000)
LANES, CHUNK, WINDOW = 32, 64, 512


def run(*, quick: bool) -> Theme:
    """Every cell, number of layers and seed; one model a core."""
    sizes = QUICK if quick else FULL
    experiment = _experiment(sizes)
    specs = _specs(sizes, len(vocabulary_of(experiment)))
    # Started afresh: a process that has run torch in several threads must not be forked.
    with multiprocessing.get_context("spawn").Pool() as pool:
        losses = pool.map(_bits, [(spec, sizes) for spec in specs], chunksize=1)
    found: dict[tuple[str, int], list[float]] = {}
    for spec, bits in zip(specs, losses, strict=True):
        found.setdefault((spec.cell, spec.layers), []).append(bits)
    shapes = {(spec.cell, spec.layers): spec.hidden_size for spec in specs}
    train, valid = read_split(experiment, "train"), read_split(experiment, "valid")
    ngrams = ngram_bits(train, valid, len(vocabulary_of(experiment)), sizes.orders)
    best = min(ngrams, key=lambda order: ngrams[order])
    return Theme(
        title="Quality",
        method=(
            f"Bits per character on documents that were not trained on: {sizes.valid} windows of {WINDOW} "
            f"characters of the standard library's source; {len(train.tokens) / 1e6:.1f} M characters to learn "
            f"from, a vocabulary of {len(vocabulary_of(experiment))}. Every network has as many neurons as keep "
            f"it within {sizes.parameters:,} parameters; {sizes.updates:,} updates of {LANES} chunks of {CHUNK} "
            f"characters ({sizes.updates * LANES * CHUNK / 1e6:.1f} M characters), the state carried from chunk "
            f"to chunk, Adam at 0.005 with a cosine's fall, {sizes.seeds} seeds."
        ),
        header=("cell", *(f"{layers} layer{'s' * (layers > 1)}" for layers in sizes.layers)),
        rows=[
            (cell, *(f"{_told(found[cell, layers])}, {shapes[cell, layers]} neurons" for layers in sizes.layers))
            for cell in CELLS
        ],
        notes=[
            "A figure is the mean over the seeds ± their standard deviation, and the neurons of a layer.",
            "n-grams (Witten-Bell) of the same text: "
            + ", ".join(f"{order}: {number(bits)}" for order, bits in ngrams.items())
            + f"; the best looks at {best - 1} characters.",
            "Karpathy, Johnson and Fei-Fei (2015) report: lstm and gru far before rnn, two layers before one.",
        ],
        raw={
            "bits_per_char": {f"{cell} {layers}": bits for (cell, layers), bits in found.items()},
            "ngrams": {str(order): bits for order, bits in ngrams.items()},
        },
    )


def _experiment(sizes: Sizes) -> Experiment:
    task = {"files": ["{stdlib}/*.py"], "not_ascii": "replace", "maximum_characters": sizes.characters}
    return parse_experiment(
        {
            "name": "quality",
            "task": {"name": "text", "window": WINDOW, **task},
            "corpus": {"train": 500 if sizes.characters else 8_500, "valid": sizes.valid, "probe": 1},
            "training": {
                "steps": sizes.updates,
                "batch_size": LANES,
                "truncate": CHUNK,
                "learning_rate": 0.005,
                "warmup": 50,
            },
        },
        "benchmark",
    )


def _specs(sizes: Sizes, vocabulary: int) -> list[ModelSpec]:
    return [
        ModelSpec(
            cell=cell,
            layers=layers,
            hidden_size=_widest(cell, layers, sizes.parameters, vocabulary),
            seed=seed,
            nonlinearity="tanh",
        )
        for cell, layers, seed in product(CELLS, sizes.layers, range(sizes.seeds))
    ]


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


def _bits(job: tuple[ModelSpec, Sizes]) -> float:
    """Train one model and evaluate it; what a process of the pool does."""
    spec, sizes = job
    torch.set_num_threads(1)
    experiment = _experiment(sizes)
    assert spec.seed is not None
    model = make_model(spec.architecture(len(vocabulary_of(experiment))), spec.seed)
    trainer = Trainer(model, read_split(experiment, "train"), experiment.training, spec.seed)
    trainer.advance(sizes.updates)
    return evaluate(model, read_split(experiment, "valid")).loss / math.log(2)


def _told(bits: Sequence[float]) -> str:
    return f"{mean(bits):.3f} ± {stdev(bits):.3f}"
