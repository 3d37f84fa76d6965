"""Networks: how far beyond their training the shipped small experiments get, over more seeds than they ship.

Each is trained as its file says. A network's figure is the smallest size at which it gets a sequence wrong.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from statistics import median
from time import process_time
from typing import NamedTuple

import torch

from jobs.run.experiment_file import load_experiment
from jobs.run.opening import open_run
from pipeline.corpus.rows import sequences_of
from pipeline.extrapolation.extrapolate import extrapolate
from pipeline.models.recurrent_lm import make_model
from pipeline.tasks import make_task
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from pipeline.training.evaluate import evaluate
from pipeline.training.trainer import Trainer
from schemas.experiment import Experiment
from tests.benchmarks.measure import Theme, number, one_a_core, spread

SEEDS: Mapping[str, int] = {"counting": 16, "selective_counting": 8, "state_memory": 8, "copying": 8}
QUICK = ("training.steps=2", "corpus.train=100", "corpus.valid=10", "extrapolate.samples=1")


class Job(NamedTuple):
    """One network to train."""

    experiment: Experiment
    seed: int


class Found(NamedTuple):
    """What became of it."""

    fails: int  # the first size with a sequence that it gets wrong; one beyond the last tried when there is none
    bits: float  # per character of the valid split
    seconds: float  # of one core, without the corpus


def run(*, quick: bool) -> Theme:
    """Every experiment and seed; one network a core."""
    experiments = {name: load_experiment(name, QUICK if quick else ()) for name in SEEDS}
    jobs = [Job(experiments[name], seed) for name, seeds in SEEDS.items() for seed in range(2 if quick else seeds)]
    found: dict[str, list[Found]] = {name: [] for name in SEEDS}
    for job, one in zip(jobs, _trained(jobs, processes=not quick), strict=True):
        found[job.experiment.name].append(one)
    return Theme(
        title="Networks",
        method=(
            "The shipped experiments with more seeds than they ship. A size is n in a^n X b^n, the a's among "
            "X's, the x's to remember a letter over, or the letters to copy; training goes up to the second "
            "column's. Of every size, up to the last that is tried, there are as many sequences as "
            "`[extrapolate]` says, and a network fails when it gets one of them wrong, anywhere after what "
            "determines it. Bits are per character of the valid split."
        ),
        header=(
            "experiment",
            "trained to",
            "fails first at, median",
            "least",
            "each seed",
            "tried to",
            "bits",
            "s",
        ),
        rows=[_row(experiments[name], found[name]) for name in SEEDS],
        notes=[
            "`>` before a size: nothing failed up to there.",
            "Bits and seconds of one core a network: the median, with the least and the greatest in brackets.",
            *(_settings(experiment) for experiment in experiments.values()),
        ],
        raw={name: [one._asdict() for one in of] for name, of in found.items()},
    )


def _row(experiment: Experiment, found: Sequence[Found]) -> tuple[str, ...]:
    last, fails = experiment.extrapolate.maximum, sorted(one.fails for one in found)
    told = [str(size) if size <= last else f"> {last}" for size in fails]
    sizes = make_task(experiment.task).sizes
    assert sizes is not None
    middle = median(fails)
    return (
        experiment.name,
        str(sizes[-1]),
        f"{middle:g}" if middle <= last else f"> {last}",
        told[0],
        ", ".join(told),
        str(last),
        spread([one.bits for one in found]),
        spread([one.seconds for one in found]),
    )


def _settings(experiment: Experiment) -> str:
    """An experiment's network and training, in words."""
    model, training = experiment.model, experiment.training
    start = ", ".join(
        f"{key} {value}" for key, value in experiment.start.model_dump(exclude_defaults=True).items()
    )
    shape = f"{model.cell[0]} {model.layers[0]} x {model.hidden_size[0]}"
    updates = f"{training.steps:,} updates of {training.batch_size}, rate {number(training.learning_rate)}"
    return f"{experiment.name}: {shape}, {updates}; `[start]` {start or 'as it is by default'}."


def _trained(jobs: Sequence[Job], *, processes: bool) -> Iterator[Found]:
    for job, found in zip(jobs, one_a_core(train_one, jobs, processes=processes), strict=True):
        print(f"{job.experiment.name}, seed {job.seed}: {found}", file=sys.stderr, flush=True)
        yield found


def train_one(job: Job) -> Found:
    """Train one network and ask it for sizes beyond; what a process of the pool does."""
    torch.set_num_threads(1)
    experiment = job.experiment
    vocabulary, train, valid = _corpus(experiment.model_dump_json())
    shape = next(experiment.model.grid()).architecture(len(vocabulary))

    started = process_time()
    model = make_model(shape, job.seed, experiment.start)
    Trainer(model, train, experiment.training, job.seed).advance(experiment.training.steps)
    seconds = process_time() - started

    task, settings = make_task(experiment.task), experiment.extrapolate
    rows = extrapolate(model, vocabulary, task, experiment.corpus.seed, settings).to_pylist()
    wrong = (row["size"] for row in rows if row["correct"] < row["total"])
    bits = evaluate(model, valid).loss / math.log(2)
    return Found(next(wrong, settings.maximum + 1), round(bits, 4), round(seconds, 1))


@cache
def _corpus(experiment: str) -> tuple[Vocabulary, Sequences, Sequences]:
    """The characters, what is learnt from and what is evaluated."""
    opened = open_run(Experiment.model_validate_json(experiment), "memory")
    vocabulary, corpus = opened.vocabulary(), opened.experiment.corpus
    sizes = {"train": corpus.train, "valid": corpus.valid}
    train, valid = (sequences_of(opened.source.first_rows(split, n, vocabulary)) for split, n in sizes.items())
    return vocabulary, train, valid
