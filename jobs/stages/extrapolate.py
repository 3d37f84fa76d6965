"""Extrapolate: ask the last checkpoint of each model for sizes that it never saw."""

import torch

from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.run.checkpoints import CheckpointPiece
from jobs.run.context import Run
from jobs.run.reading import read_model, weights_digests
from pipeline.extrapolation.extrapolate import extrapolate
from pipeline.storage.shards import write_shard
from pipeline.tasks import make_task
from schemas.manifest import StoredObject
from schemas.scores import EXTRAPOLATION
from schemas.stages import WHOLE, expected_units


def units(run: Run) -> list[Unit[CheckpointPiece]]:
    """One unit, a piece for each model; none for a task without sizes, nor for a network trained elsewhere."""
    if not expected_units("extrapolate", run.identity.record):
        return []
    last, settings = run.experiment.training.steps, run.experiment.extrapolate
    pieces = [CheckpointPiece(model=model.name, checkpoint=last) for model in run.models]
    reads = weights_digests(run, [(piece.model, piece.checkpoint) for piece in pieces])
    sizes = [float(settings.maximum)] * len(pieces)
    return [Unit(WHOLE, settings.model_dump(exclude_defaults=True), reads, pieces, sizes)]


def work(piece: Piece[CheckpointPiece]) -> list[StoredObject]:
    """One model at every size."""
    torch.set_num_threads(1)
    run, place, experiment = piece.run, piece.arguments, piece.run.experiment
    model, vocabulary = read_model(run, place.model, place.checkpoint)
    task = make_task(experiment.task)
    rows = extrapolate(model, vocabulary, task, experiment.corpus.seed, experiment.extrapolate)
    partition = {"run": run.id, "model": place.model, "checkpoint": place.checkpoint}
    return [write_shard(run.folder, EXTRAPOLATION, partition, 0, [rows], piece.fingerprint)]


STAGE = Stage("extrapolate", units, each(work), measure="sizes")
