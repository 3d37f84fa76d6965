"""What a run would do and cost: pieces done and missing, rows, bytes, minutes, memory. The lake is not written.

Rows follow from the settings, and from the survey of a text or a sample of a task's sequences. A dump's bytes,
minutes and memory are those of its first piece, done for real into a folder that is thrown away; training is timed
over a few updates of each shape; the small tables use ratios measured on real runs.
"""

import os
import time
from typing import NamedTuple

import pyarrow as pa
import torch

from jobs.plan.trial import Trial, peak_memory, try_dump
from jobs.process.progress import short
from jobs.run.context import Run
from jobs.run.selection import kept_layers, values_per_step
from jobs.stages.dump import pieces_of
from pipeline.corpus.rows import sequences_of, split_range
from pipeline.models.recurrent_lm import make_model
from pipeline.storage.manifests import LAKE, read_manifest
from pipeline.training.trainer import Trainer
from schemas.corpus import SPLITS
from schemas.stages import expected_units

SAMPLE = 200  # sequences that training is timed on
BYTES_PER_STEP = 2.0  # of steps, predictions and annotations, roughly
SCORED_PER_SECOND = 4e6  # values of one hypothesis, ranks included, by one core
SECONDS_PER_CHARACTER = 1e-3  # of a step of writing, for all samples at once
TIMED_UPDATES = 10


class Cost(NamedTuple):
    """What a stage makes and takes."""

    pieces: int
    rows: float
    bytes: float
    cpu_seconds: float  # of one core
    seconds: float | None = None  # by the clock, where one worker uses more than a core
    memory: int | None = None  # bytes, of a worker at its peak


def cost_table(run: Run, stages: list[str], workers: int | None) -> pa.Table:
    """A row for each stage, done by some workers; None is one for each core."""
    cores = workers or os.cpu_count() or 1
    steps = _mean_steps(run)

    rows = []
    for stage in stages:
        cost = _COSTS[stage](run, steps)
        at_once = min(cores, max(1, cost.pieces))
        seconds = cost.cpu_seconds / at_once if at_once > 1 or cost.seconds is None else cost.seconds
        rows.append(
            {
                "stage": stage,
                "pieces": cost.pieces,
                "state": _state(run, stage),
                "rows": round(cost.rows),
                "size": f"{short(cost.bytes)}B",
                "minutes": round(seconds / 60, 2),
                "memory": f"{short(cost.memory)}B a worker" if cost.memory else "",
            }
        )
    return pa.Table.from_pylist(rows)


def _state(run: Run, stage: str) -> str:
    """Done, or how many of the stage's units are."""
    units = expected_units(stage, run.identity.record)
    if not units:
        return "not needed"
    if not run.folder.exists(LAKE):
        return "to do"
    done = sum(read_manifest(run.folder, run.id, stage, unit) is not None for unit in units)
    return "done" if done == len(units) else f"{done} of {len(units)} done" if done else "to do"


def _mean_steps(run: Run) -> dict[str, float]:
    vocabulary = run.vocabulary()
    return {split: run.source.mean_steps(split, vocabulary) for split in SPLITS}


def _generate(run: Run, steps: dict[str, float]) -> Cost:
    pieces = len(run.source.pieces().arguments)
    rows = sum(mean * len(split_range(run.experiment.corpus, split)) for split, mean in steps.items())
    return Cost(pieces, rows, rows * BYTES_PER_STEP, rows / 2e6)


def _train(run: Run, steps: dict[str, float]) -> Cost:  # noqa: ARG001
    if run.network:
        opened = run.network.open()
        return Cost(1, 1, len(opened.weights) + len(opened.as_read), 0.0)
    settings, models = run.experiment.training, run.models
    vocabulary = run.vocabulary()
    sample = sequences_of(run.source.first_rows("train", SAMPLE, vocabulary))

    torch.set_num_threads(1)  # as the stage does
    seconds, weights = 0.0, 0
    timed: dict[tuple[object, ...], float] = {}

    for model in models:
        shape = (model.cell, model.layers, model.hidden_size)
        assert model.seed is not None
        network = make_model(model.architecture(len(vocabulary)), model.seed, run.experiment.start)

        if shape not in timed:
            trainer = Trainer(network, sample, settings, model.seed)
            trainer.advance(1)  # the first update prepares much that the others find ready
            started = time.monotonic()
            trainer.advance(1 + TIMED_UPDATES)
            timed[shape] = (time.monotonic() - started) / TIMED_UPDATES

        seconds += timed[shape] * settings.steps
        weights += sum(parameter.numel() for parameter in network.parameters())

    evaluations = 2 * len(settings.evaluation_steps) * len(models)
    return Cost(len(models), evaluations, weights * 4 * settings.checkpoints, seconds)


def _dump(run: Run, steps: dict[str, float]) -> Cost:
    experiment, checkpoints = run.experiment, run.experiment.dumped_checkpoints
    trials: dict[tuple[object, ...], Trial] = {}
    total = Cost(0, 0.0, 0.0, 0.0, 0.0)

    for model in run.models:
        pieces, _ = pieces_of(experiment, model, checkpoints[-1], steps["probe"])
        shape = (model.cell, model.layers, model.hidden_size)
        if shape not in trials:
            trials[shape] = try_dump(run, model, checkpoints[-1], pieces[0].stop)

        trial = trials[shape]
        times = experiment.corpus.probe * steps["probe"] / trial.steps * len(checkpoints)
        total = Cost(
            total.pieces + len(pieces) * len(checkpoints),
            total.rows + trial.rows * times,
            total.bytes + trial.bytes * times,
            total.cpu_seconds + trial.cpu_seconds * times,
            (total.seconds or 0.0) + trial.seconds * times,
        )

    return total._replace(memory=peak_memory())


def _annotate(run: Run, steps: dict[str, float]) -> Cost:
    experiment = run.experiment
    rows = len(experiment.score.hypotheses) * experiment.corpus.probe * steps["probe"]
    pieces = len(experiment.score.hypotheses) * (len(run.source.pieces().bounds["probe"]) - 1)
    return Cost(pieces, rows, rows * BYTES_PER_STEP, rows / 1e6)


def _score(run: Run, steps: dict[str, float]) -> Cost:
    experiment = run.experiment
    checkpoints, hypotheses = len(experiment.dumped_checkpoints), len(experiment.score.hypotheses)
    signals = [values_per_step(experiment, model) for model in run.models]
    layers = sum(len(kept_layers(experiment, model.layers)) for model in run.models)
    values = sum(signals) * checkpoints * experiment.corpus.probe * steps["probe"]
    rows = sum(signals) * checkpoints * hypotheses * 2
    seconds = values * hypotheses / SCORED_PER_SECOND
    return Cost(layers * checkpoints * hypotheses, rows, rows * 10.0, seconds)


def _extrapolate(run: Run, steps: dict[str, float]) -> Cost:  # noqa: ARG001
    if not expected_units("extrapolate", run.identity.record):
        return Cost(0, 0, 0, 0)
    models, settings = len(run.models), run.experiment.extrapolate
    asked = models * settings.maximum * settings.samples
    return Cost(models, models * settings.maximum, models * 3_000, asked * 2e-3)


def _sample(run: Run, steps: dict[str, float]) -> Cost:  # noqa: ARG001
    drawing, checkpoints = run.experiment.sample, len(run.models) * len(run.experiment.kept_checkpoints)
    texts = checkpoints * drawing.samples * len(drawing.temperature) if drawing.length else 0
    characters = checkpoints * drawing.length * len(drawing.temperature)
    return Cost(checkpoints if texts else 0, texts, texts * drawing.length, characters * SECONDS_PER_CHARACTER)


_COSTS = {
    "generate": _generate,
    "train": _train,
    "dump": _dump,
    "annotate": _annotate,
    "score": _score,
    "extrapolate": _extrapolate,
    "sample": _sample,
}
