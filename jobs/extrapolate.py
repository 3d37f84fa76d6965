"""Extrapolate: ask the last checkpoint of each model for sizes that it never saw."""

import torch

from jobs.context import Run
from jobs.publish import Piece, Stage, Unit
from jobs.train import checkpoint_objects, read_model
from pipeline.extrapolation.extrapolate import extrapolate
from pipeline.storage.shards import write_shard
from schemas.manifest import StoredObject
from schemas.scores import EXTRAPOLATION
from schemas.stages import WHOLE, expected_units


def units(run: Run) -> list[Unit]:
    """One unit, a piece for each model; none for a task without sizes, nor for a network trained elsewhere."""
    if not expected_units("extrapolate", run.record):
        return []
    last = run.experiment.training.steps
    models = [model.name for model in run.models]
    trained = run.manifest("train", WHOLE)
    reads = [checkpoint_objects(run, trained, model, last)["model.safetensors"].sha256 for model in models]
    pieces: list[dict[str, object]] = [{"model": model, "checkpoint": last} for model in models]
    settings = run.experiment.extrapolate
    sizes = [float(settings.maximum)] * len(pieces)
    return [Unit(WHOLE, settings.model_dump(exclude_defaults=True), reads, pieces, sizes)]


def work(piece: Piece) -> list[StoredObject]:
    """One model at every size."""
    torch.set_num_threads(1)
    run, model_name, checkpoint = (
        piece.run,
        str(piece.arguments["model"]),
        int(str(piece.arguments["checkpoint"])),
    )
    model, vocabulary = read_model(run, model_name, checkpoint)
    experiment = run.experiment
    rows = extrapolate(model, vocabulary, run.task(), experiment.corpus.seed, experiment.extrapolate)
    partition = {"run": run.id, "model": model_name, "checkpoint": checkpoint}
    return [write_shard(run.folder, EXTRAPOLATION, partition, 0, [rows], piece.fingerprint)]


STAGE = Stage("extrapolate", units, work, measure="sizes")
