"""What a run would do and cost: pieces done and missing, rows, bytes and minutes. Nothing is written.

Rows follow from the settings and a sample of the sequences. Bytes use ratios measured on real dumps
(docs/benchmarks). Minutes of training are timed on this machine, over a few updates of each shape.
"""

import os
import time

import pyarrow as pa
import torch

from jobs.context import Run
from jobs.dump import kept_signals, pieces_of
from jobs.generate import SEQUENCES_PER_SHARD
from jobs.progress import short
from pipeline.corpus.rows import encoded_sequence, sequences_of, split_range, step_rows
from pipeline.models.recurrent_lm import make_model
from pipeline.storage.manifests import LAKE, read_manifest
from pipeline.tasks.vocabulary import Vocabulary
from pipeline.training.trainer import Trainer
from schemas.corpus import SPLITS
from schemas.experiment import ModelSpec
from schemas.stages import expected_units

SAMPLE = 200  # sequences of a split that are made to learn their length and characters
BYTES_PER_VALUE = {"exact": 3.3, "half": 1.8, "bfloat16": 1.3}  # of a stored activation, keys included
BYTES_PER_STEP = 2.0  # of steps, predictions and annotations, roughly
VALUES_PER_SECOND = 15e6  # unrolled, encoded and committed by one core
SCORED_PER_SECOND = 4e6  # values of one hypothesis, ranks included, by one core
TIMED_UPDATES = 10


def cost_table(run: Run, stages: list[str], workers: int | None) -> pa.Table:
    """A row for each stage."""
    cores = workers or os.cpu_count() or 1
    steps = _mean_steps(run)
    rows = []
    for stage in stages:
        pieces, made, size, seconds = _COSTS[stage](run, steps)
        rows.append(
            {
                "stage": stage,
                "pieces": pieces,
                "state": _state(run, stage),
                "rows": round(made),
                "size": f"{short(size)}B",
                "minutes": round(seconds / 60 / min(cores, max(1, pieces)), 2),
            }
        )
    return pa.Table.from_pylist(rows)


def _state(run: Run, stage: str) -> str:
    """Done, or how many of the stage's units are."""
    units = expected_units(stage, run.record)
    if not units:
        return "not needed"
    if not run.folder.exists(LAKE):
        return "to do"
    done = sum(read_manifest(run.folder, run.id, stage, unit) is not None for unit in units)
    return "done" if done == len(units) else f"{done} of {len(units)} done" if done else "to do"


def _mean_steps(run: Run) -> dict[str, float]:
    task, corpus = run.task(), run.experiment.corpus
    vocabulary = run.vocabulary() if run.imported else None  # its tokenizer decides what a step is
    means = {}
    for split in SPLITS:
        some = [(number, task.sequence(corpus.seed, number)) for number in split_range(corpus, split)[:SAMPLE]]
        steps = (len(encoded_sequence(s, vocabulary, n)) if vocabulary else len(s.text) for n, s in some)
        means[split] = sum(steps) / max(1, len(some))
    return means


def _generate(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:
    sizes = {split: len(split_range(run.experiment.corpus, split)) for split in SPLITS}
    pieces = sum(-(-size // SEQUENCES_PER_SHARD) for size in sizes.values())
    rows = sum(steps[split] * size for split, size in sizes.items())
    return pieces, rows, rows * BYTES_PER_STEP, rows / 2e6


def _train(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:  # noqa: ARG001
    if run.imported:
        return 1, 1, len(run.network().weights), 0.0
    settings, models = run.experiment.training, run.models
    task, corpus = run.task(), run.experiment.corpus
    vocabulary = Vocabulary(task.alphabet(corpus.seed, min(corpus.train, SAMPLE)))
    sample = sequences_of(step_rows(task, vocabulary, corpus.seed, range(min(corpus.train, SAMPLE))))
    torch.set_num_threads(1)  # as the stage does
    seconds, weights = 0.0, 0
    timed: dict[tuple[object, ...], float] = {}
    for model in models:
        shape = (model.cell, model.layers, model.hidden_size)
        assert model.seed is not None
        network = make_model(model.architecture(len(vocabulary)), model.seed)
        if shape not in timed:
            trainer = Trainer(network, sample, settings, model.seed)
            trainer.advance(1)  # the first update prepares much that the others find ready
            started = time.monotonic()
            trainer.advance(1 + TIMED_UPDATES)
            timed[shape] = (time.monotonic() - started) / TIMED_UPDATES
        seconds += timed[shape] * settings.steps
        weights += sum(parameter.numel() for parameter in network.parameters())
    evaluations = 2 * len(settings.evaluation_steps) * len(models)
    return len(models), evaluations, weights * 4 * settings.checkpoints, seconds


def _dump(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:
    experiment = run.experiment
    pieces, rows, values = 0, 0.0, 0.0
    checkpoints = experiment.dumped_checkpoints
    for model in run.models:
        arguments, sizes = pieces_of(experiment, model, checkpoints[-1], steps["probe"])
        pieces += len(arguments) * len(checkpoints)
        values += sum(sizes) * len(checkpoints)
        rows += sum(sizes) / len(kept_signals(experiment, model.cell)) * len(checkpoints)
    return pieces, rows, values * BYTES_PER_VALUE[experiment.dump.precision], values / VALUES_PER_SECOND


def _annotate(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:
    experiment = run.experiment
    rows = len(experiment.score.hypotheses) * experiment.corpus.probe * steps["probe"]
    pieces = len(experiment.score.hypotheses) * -(-experiment.corpus.probe // SEQUENCES_PER_SHARD)
    return pieces, rows, rows * BYTES_PER_STEP, rows / 1e6


def _score(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:
    experiment = run.experiment
    checkpoints, hypotheses = len(experiment.dumped_checkpoints), len(experiment.score.hypotheses)
    signals = [_signals(run, model) for model in run.models]
    values = sum(signals) * checkpoints * experiment.corpus.probe * steps["probe"]
    rows = sum(signals) * checkpoints * hypotheses * 2
    return len(signals) * checkpoints * hypotheses, rows, rows * 10.0, values * hypotheses / SCORED_PER_SECOND


def _extrapolate(run: Run, steps: dict[str, float]) -> tuple[int, float, float, float]:  # noqa: ARG001
    if run.imported or run.task().sizes is None:
        return 0, 0, 0, 0
    models, settings = len(run.models), run.experiment.extrapolate
    asked = models * settings.maximum * settings.samples
    return models, models * settings.maximum, models * 3_000, asked * 2e-3


def _signals(run: Run, model: ModelSpec) -> int:
    """Neuron-signals of a model at one step."""
    return model.layers * model.hidden_size * len(kept_signals(run.experiment, model.cell))


_COSTS = {
    "generate": _generate,
    "train": _train,
    "dump": _dump,
    "annotate": _annotate,
    "score": _score,
    "extrapolate": _extrapolate,
}
