"""Train: every model of the grid, one a piece, with metrics rows, checkpoints, and a state to resume from."""

import math
import time

import pyarrow as pa
import torch

from jobs.context import Run
from jobs.generate import read_sequences, step_shards, vocabulary_of
from jobs.publish import Piece, Stage, Unit
from pipeline.models.checkpoint import (
    FILES,
    bytes_to_tensors,
    read_checkpoint,
    tensors_to_bytes,
    write_checkpoint,
)
from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.storage.manifests import unit_folder
from pipeline.storage.shards import commit, describe, read_verified, write_shard
from pipeline.training.evaluate import Evaluation, evaluate
from pipeline.training.trainer import Span, Trainer
from schemas.experiment import ModelSpec
from schemas.manifest import StoredObject
from schemas.runs import METRICS, MODELS
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit]:
    """One unit, a piece for every model."""
    settings = run.experiment.training
    reads = [shard.sha256 for split in ("train", "valid") for shard in step_shards(run, split)]
    pieces: list[dict[str, object]] = [model.model_dump() for model in run.experiment.model.grid()]
    return [Unit(WHOLE, settings.model_dump(), reads, pieces, [float(settings.steps)] * len(pieces))]


def work(piece: Piece) -> list[StoredObject]:
    """Train one model, from where an earlier attempt left off."""
    # One thread: two would add the sums in another order, and give other bytes on another machine.
    torch.set_num_threads(1)
    run, spec = piece.run, ModelSpec.model_validate(piece.arguments)
    folder, settings = run.folder, run.experiment.training
    vocabulary = vocabulary_of(run)
    valid = read_sequences(run, "valid")
    model = make_model(spec.architecture(len(vocabulary)), spec.seed)
    trainer = Trainer(model, read_sequences(run, "train"), settings, spec.seed)
    resume = f"{unit_folder(run.id, 'train', WHOLE)}/resume/{spec.name}.safetensors"
    if folder.exists(resume):
        trainer.restore(bytes_to_tensors(folder.read(resume)))
    resumed_from = trainer.train_step if folder.exists(resume) else -1

    objects = [_model_row(piece, spec, model)]
    for index, train_step in enumerate(settings.evaluation_steps):
        metrics = {"run": run.id, "model": spec.name}
        is_kept = train_step in settings.checkpoint_steps
        paths = checkpoint_paths(run, spec.name, train_step) if is_kept else {}
        if train_step <= resumed_from:  # an earlier attempt wrote these, and only then its state
            objects.append(describe(folder, METRICS.shard_path(metrics, index), METRICS.name))
            objects += [describe(folder, path) for path in paths.values()]
            continue
        started = time.monotonic()
        span = trainer.advance(train_step)
        rows = _metrics_rows(train_step, span, time.monotonic() - started, evaluate(model, valid))
        objects.append(write_shard(folder, METRICS, metrics, index, [rows], piece.fingerprint))
        if is_kept:
            files = write_checkpoint(model, vocabulary.characters)
            objects += [commit(folder, paths[name], data) for name, data in files.items()]
        folder.replace(resume, tensors_to_bytes(trainer.state()))
    return objects


def live(run: Run) -> float:
    """Updates that the metrics in the lake tell of."""
    steps = run.experiment.training.evaluation_steps
    done = 0
    for path in run.folder.list(f"metrics/run={run.id}"):
        index = int(path.removesuffix(".parquet").rsplit("-", 1)[1])
        done += steps[index] - steps[max(0, index - 1)]
    return float(done)


STAGE = Stage("train", units, work, measure="updates", live=live)


def checkpoint_paths(run: Run, model: str, checkpoint: int) -> dict[str, str]:
    """Where a checkpoint's files lie, by name."""
    return {name: f"checkpoints/run={run.id}/model={model}/checkpoint={checkpoint}/{name}" for name in FILES}


def checkpoint_objects(run: Run, model: str, checkpoint: int) -> dict[str, StoredObject]:
    """A checkpoint's files as its manifest lists them, by name."""
    listed = {stored.path: stored for stored in run.manifest("train", WHOLE).objects}
    return {name: listed[path] for name, path in checkpoint_paths(run, model, checkpoint).items()}


def read_model(run: Run, model: str, checkpoint: int) -> tuple[RecurrentLM, str]:
    """A checkpoint's model and the characters of its vocabulary, verified."""
    objects = checkpoint_objects(run, model, checkpoint)
    return read_checkpoint({name: read_verified(run.folder, stored) for name, stored in objects.items()})


def _model_row(piece: Piece, spec: ModelSpec, model: RecurrentLM) -> StoredObject:
    row = {
        **spec.model_dump(include={"cell", "layers", "hidden_size", "seed"}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    rows = pa.Table.from_pylist([row], MODELS.schema)
    return write_shard(
        piece.run.folder, MODELS, {"run": piece.run.id, "model": spec.name}, 0, [rows], piece.fingerprint
    )


def _metrics_rows(train_step: int, span: Span, seconds: float, valid: Evaluation) -> pa.Table:
    speed = span.characters / seconds if span.characters else None
    losses = {"train": (span.loss, None), "valid": (valid.loss, valid.accuracy)}
    rows = [
        {
            "train_step": train_step,
            "split": split,
            "loss": loss,
            "bits_per_char": loss / math.log(2),
            "accuracy": accuracy,
            "chars_per_second": speed,
        }
        for split, (loss, accuracy) in losses.items()
        if loss is not None
    ]
    return pa.Table.from_pylist(rows, METRICS.schema)
