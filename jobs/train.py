"""Train: every model of the grid, one a piece, with metrics rows, checkpoints, and a state to resume from.

A network that was trained elsewhere is imported instead: one piece, its row of `models` and its checkpoint.
"""

import json
import math
import time

import pyarrow as pa
import torch
from torch import nn

from jobs.attempts import Limits
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
from pipeline.models.network import load_weights
from pipeline.models.recurrent_lm import make_model
from pipeline.storage.manifests import unit_folder
from pipeline.storage.sealed import seal_state, unseal_state
from pipeline.storage.shards import commit, describe, read_verified, write_shard
from pipeline.tasks.vocabulary import Vocabulary, format_vocabulary, parse_vocabulary
from pipeline.training.evaluate import Evaluation, evaluate
from pipeline.training.trainer import Span, Trainer
from schemas.experiment import ModelSpec
from schemas.manifest import Manifest, StoredObject
from schemas.runs import METRICS, MODELS
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit]:
    """One unit, a piece for every model."""
    pieces: list[dict[str, object]] = [model.model_dump() for model in run.models]
    if run.imported:
        run.manifest("generate", WHOLE)  # the run's own row is there
        return [Unit(WHOLE, import_paths(run), [run.imported.weights, run.imported.vocabulary], pieces, [1.0])]
    settings = run.experiment.training
    reads = [shard.sha256 for split in ("train", "valid") for shard in step_shards(run, split)]
    return [Unit(WHOLE, settings.model_dump(), reads, pieces, [float(settings.steps)] * len(pieces))]


def work(piece: Piece) -> list[StoredObject]:
    """Train one model, from where an earlier attempt left off; or import one."""
    if piece.run.imported:
        return _import(piece)
    # One thread: two would add the sums in another order, and give other bytes on another machine.
    torch.set_num_threads(1)
    run, spec = piece.run, ModelSpec.model_validate(piece.arguments)
    folder, settings = run.folder, run.experiment.training
    vocabulary = vocabulary_of(run)
    valid = read_sequences(run, "valid")
    assert spec.seed is not None
    model = make_model(spec.architecture(len(vocabulary)), spec.seed)
    trainer = Trainer(model, read_sequences(run, "train"), settings, spec.seed)
    resume = f"{unit_folder(run.id, 'train', WHOLE)}/resume/{spec.name}.safetensors"
    state = unseal_state(folder.read_if_there(resume) or b"")
    if state is not None:
        trainer.restore(bytes_to_tensors(state))
    resumed_from = -1 if state is None else trainer.train_step

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
            files = write_checkpoint(model, "".join(vocabulary.characters))
            objects += [commit(folder, paths[name], data) for name, data in files.items()]
        folder.replace(resume, seal_state(tensors_to_bytes(trainer.state())))
    return objects


def live(run: Run) -> float:
    """Updates that the metrics in the lake tell of."""
    steps = run.experiment.training.evaluation_steps
    done = 0
    for path in run.folder.list(f"metrics/run={run.id}"):
        index = int(path.removesuffix(".parquet").rsplit("-", 1)[1])
        done += steps[index] - steps[max(0, index - 1)]
    return float(done)


# Models of a grid differ a thousandfold, and a long one is no straggler.
STAGE = Stage("train", units, work, measure="updates", live=live, limits=Limits(seconds=None, straggler=None))


def checkpoint_paths(run: Run, model: str, checkpoint: int) -> dict[str, str]:
    """Where a checkpoint's files lie, by name."""
    return {name: f"checkpoints/run={run.id}/model={model}/checkpoint={checkpoint}/{name}" for name in FILES}


def checkpoint_objects(run: Run, manifest: Manifest, model: str, checkpoint: int) -> dict[str, StoredObject]:
    """A checkpoint's files as the manifest of the run's training lists them, by name."""
    listed = {stored.path: stored for stored in manifest.objects}
    return {name: listed[path] for name, path in checkpoint_paths(run, model, checkpoint).items()}


def read_model(run: Run, model: str, checkpoint: int) -> tuple[nn.Module, Vocabulary]:
    """A checkpoint's model, trained here or imported, ready to evaluate on the CPU; its vocabulary. Verified."""
    objects = checkpoint_objects(run, run.manifest("train", WHOLE), model, checkpoint)
    files = {name: read_verified(run.folder, stored) for name, stored in objects.items()}
    if run.imported:
        module = run.module()
        load_weights(module, bytes_to_tensors(files["model.safetensors"]), objects["model.safetensors"].path)
        return module, Vocabulary(parse_vocabulary(files["vocabulary.json"], objects["vocabulary.json"].path))
    trained, characters = read_checkpoint(files)
    return trained, Vocabulary(characters)


def import_paths(run: Run) -> dict[str, object]:
    """Where a network's Python is imported from: its [network] section without the paths of files."""
    assert run.experiment.network is not None
    return run.experiment.network.model_dump(exclude={"weights", "vocabulary"})


def _import(piece: Piece) -> list[StoredObject]:
    """Store a network's weights, whatever they came in, so that the lake needs no file from outside."""
    run, spec = piece.run, ModelSpec.model_validate(piece.arguments)
    network = run.network()
    config = {"network": import_paths(run), "recurrent": network.recurrent, **spec.model_dump(exclude={"seed"})}
    files = {
        "model.safetensors": network.weights,
        "config.json": (json.dumps(config, indent=2) + "\n").encode(),
        "vocabulary.json": format_vocabulary(network.vocabulary.characters),
    }
    paths = checkpoint_paths(run, spec.name, run.experiment.kept_checkpoints[0])
    stored = [commit(run.folder, paths[name], data) for name, data in files.items()]
    return [_model_row(piece, spec, network.module), *stored]


def _model_row(piece: Piece, spec: ModelSpec, model: nn.Module) -> StoredObject:
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
