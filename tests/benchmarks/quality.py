"""Quality: cells of equal parameters on a corpus that everyone has.

Karpathy, Johnson and Fei-Fei (2015) compare an rnn, a gru and an lstm of 1 to 3 layers on two texts: the lstm and
the gru beat the rnn by far, and two layers beat one. An n-gram model stands beside them.
"""

import math
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
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
    rates: Sequence[float]
    seeds: int
    layers: Sequence[int]
    valid: int  # windows
    orders: range
    characters: int  # of the text; 0: all
    processes: bool  # one a core; they take seconds to start


CELLS: tuple[CellName, ...] = ("feedforward", "rnn", "gru", "lstm", "peephole_lstm")
FULL = Sizes(100_000, 3_000, (0.005, 0.02), 2, (1, 2, 3), 300, range(1, 9), 0, processes=True)
QUICK = Sizes(3_000, 2, (0.005, 0.02), 2, (1, 2), 5, range(1, 4), 400_000, processes=False)
LANES, CHUNK, WINDOW = 32, 64, 512
Job = tuple[ModelSpec, float, Sizes]  # and the rate


def run(*, quick: bool) -> Theme:
    """Every cell, number of layers and seed; one model a core."""
    sizes = QUICK if quick else FULL
    experiment = _experiment(sizes, sizes.rates[0])
    specs = _specs(sizes, len(vocabulary_of(experiment)))
    tried = _trained([(spec, rate, sizes) for spec in specs for rate in sizes.rates])
    best_rates = {spec: min((tried[spec, rate], rate) for rate in sizes.rates)[1] for spec in specs}
    others = {spec: [spec.model_copy(update={"seed": seed}) for seed in range(1, sizes.seeds)] for spec in specs}
    more = _trained([(other, best_rates[spec], sizes) for spec in specs for other in others[spec]])
    found = {
        spec: [tried[spec, best_rates[spec]], *(more[other, best_rates[spec]] for other in others[spec])]
        for spec in specs
    }
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
            f"to chunk, Adam with a cosine's fall from the better of {' and '.join(map(str, sizes.rates))}, as "
            f"the first of {sizes.seeds} seeds has it."
        ),
        header=("cell", *(f"{layers} layer{'s' * (layers > 1)}" for layers in sizes.layers)),
        rows=[
            (
                cell,
                *(
                    f"{_told(bits)}, {spec.hidden_size} neurons, {best_rates[spec]}"
                    for spec, bits in found.items()
                    if spec.cell == cell
                ),
            )
            for cell in CELLS
        ],
        notes=[
            "A figure is the mean over the seeds ± their standard deviation, a layer's neurons, and the rate.",
            "n-grams (Witten-Bell) of the same text: "
            + ", ".join(f"{order}: {number(bits)}" for order, bits in ngrams.items())
            + f"; the best looks at {best - 1} characters.",
            "Karpathy, Johnson and Fei-Fei (2015) report: lstm and gru far before rnn, two layers before one.",
        ],
        raw={
            "bits_per_char": {f"{spec.cell} {spec.layers}": bits for spec, bits in found.items()},
            "by_rate": {f"{spec.cell} {spec.layers} {rate}": bits for (spec, rate), bits in tried.items()},
            "ngrams": {str(order): bits for order, bits in ngrams.items()},
        },
    )


def _trained(jobs: Sequence[Job]) -> dict[tuple[ModelSpec, float], float]:
    """Bits per character of each model and rate; one model a core."""
    found = {}
    with ExitStack() as stack:
        several: Callable[[Callable[[Job], float], Sequence[Job]], Iterable[float]] = map
        if jobs[0][2].processes:
            # Started afresh: a process that has run torch in several threads must not be forked.
            several = stack.enter_context(multiprocessing.get_context("spawn").Pool()).imap
        for (spec, rate, _), bits in zip(jobs, several(_bits, jobs), strict=True):
            found[spec, rate] = bits
            print(f"{len(found)} of {len(jobs)}: {spec.name} at {rate}: {bits:.3f}", file=sys.stderr, flush=True)
    return found


def _experiment(sizes: Sizes, rate: float) -> Experiment:
    task = {"files": ["{stdlib}/*.py"], "not_ascii": "replace", "maximum_characters": sizes.characters}
    return parse_experiment(
        {
            "name": "quality",
            "task": {"name": "text", "window": WINDOW, **task},
            "corpus": {"train": 150 if sizes.characters else 8_500, "valid": sizes.valid, "probe": 1},
            "training": {
                "steps": sizes.updates,
                "batch_size": LANES,
                "truncate": CHUNK,
                "learning_rate": rate,
                "warmup": 50,
            },
        },
        "benchmark",
    )


def _specs(sizes: Sizes, vocabulary: int) -> list[ModelSpec]:
    """Of the first seed."""
    return [
        ModelSpec(
            cell=cell,
            layers=layers,
            hidden_size=_widest(cell, layers, sizes.parameters, vocabulary),
            seed=0,
            nonlinearity="tanh",
        )
        for cell, layers in product(CELLS, sizes.layers)
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


def _bits(job: Job) -> float:
    """Train one model and evaluate it, to a thousandth; what a process of the pool does."""
    spec, rate, sizes = job
    torch.set_num_threads(1)
    experiment = _experiment(sizes, rate)
    assert spec.seed is not None
    model = make_model(spec.architecture(len(vocabulary_of(experiment))), spec.seed)
    trainer = Trainer(model, read_split(experiment, "train"), experiment.training, spec.seed)
    trainer.advance(sizes.updates)
    return round(evaluate(model, read_split(experiment, "valid")).loss / math.log(2), 3)


def _told(bits: Sequence[float]) -> str:
    return f"{mean(bits):.3f} ± {stdev(bits):.3f}"
