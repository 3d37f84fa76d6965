"""Dump: every signal of every neuron at every probe step, and the predictions, for each checkpoint asked for."""

from collections.abc import Sequence
from contextlib import ExitStack

import pyarrow as pa
import torch
from torch import nn

from jobs.ahead import Ahead
from jobs.context import Run
from jobs.generate import read_sequences, step_shards
from jobs.publish import Piece, Stage, Unit
from jobs.train import checkpoint_objects, read_model
from pipeline.dumping.audit import Audit
from pipeline.dumping.rows import activation_tiles, prediction_rows
from pipeline.dumping.unroll import Block, unroll
from pipeline.models.network import sole_recurrent
from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.storage.shards import write_shard
from pipeline.storage.tiles import TileWriter
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import ACTIVATIONS, PREDICTIONS
from schemas.experiment import Experiment, ModelSpec
from schemas.manifest import StoredObject
from schemas.signals import CELL_SIGNALS
from schemas.stages import WHOLE, checkpoint_unit

# A layer's shard is 40-110 MB then; objects of 64-256 MB are what S3 and DuckDB read best.
VALUES_PER_PIECE = 32_000_000

# Of zstd. Below 0 it does not pack what nothing repeats: encoding is a third faster and 3 % larger where most of
# the mantissa is noise, but 13 to 27 % larger where it is rounded (docs/decisions/0009).
LEVELS = {"exact": -3, "half": 1, "bfloat16": 1}


def units(run: Run) -> list[Unit]:
    """One unit for each model and checkpoint, a piece for each block of probe sequences."""
    settings = run.experiment.dump
    shards = step_shards(run, "probe")
    trained = run.manifest("train", WHOLE)
    mean_steps = sum(shard.rows for shard in shards) / run.experiment.corpus.probe
    return [
        Unit(
            checkpoint_unit(model.name, checkpoint),
            settings.model_dump(exclude={"checkpoints", "tolerance"}),
            [
                checkpoint_objects(run, trained, model.name, checkpoint)["model.safetensors"].sha256,
                *(s.sha256 for s in shards),
            ],
            *pieces_of(run.experiment, model, checkpoint, mean_steps),
        )
        for model in run.models
        for checkpoint in run.experiment.dumped_checkpoints
    ]


def work(piece: Piece) -> list[StoredObject]:
    """Some sequences: a shard of activations for each layer, and one of predictions."""
    run, arguments = piece.run, piece.arguments
    model, vocabulary = read_model(run, str(arguments["model"]), int(str(arguments["checkpoint"])))
    sequences = read_sequences(run, "probe", int(str(arguments["start"])), int(str(arguments["stop"])))
    return dump_sequences(piece, model, vocabulary, sequences)


STAGE = Stage("dump", units, work, measure="values")


def dump_sequences(
    piece: Piece, model: nn.Module, vocabulary: Vocabulary, sequences: Sequences
) -> list[StoredObject]:
    """Run a model over a piece's sequences and commit what it did, when it obeys its equations."""
    torch.set_num_threads(1)  # the order of sums, and so the bytes, may not follow the machine
    run, model_name, checkpoint = piece.run, str(piece.arguments["model"]), piece.arguments["checkpoint"]
    spec = next(spec for spec in run.models if spec.name == model_name)
    partition = {"run": run.id, "model": model_name, "checkpoint": checkpoint}
    path = recurrent_path(run, model)
    names, settings = kept_signals(run.experiment, spec.cell), run.experiment.dump
    predictions: list[pa.Table] = []
    with ExitStack() as stack:
        shards = [
            (layer, stack.enter_context(_shard(piece, {**partition, "layer": layer})), Audit())
            for layer in kept_layers(run.experiment, spec.layers)
        ]
        with Ahead() as ahead:
            for block in unroll(model, sequences, path):
                for layer, shard, audit in shards:
                    ahead.call(append_block, shard, block, layer, names, settings.precision)
                    audit.add(block.layers[layer])
                if not predictions:  # once a piece
                    shards[-1][2].add_own(model.get_submodule(path), block.layers)
                predictions.append(prediction_rows(block, vocabulary))
        residuals = [
            audit.require(settings.tolerance, f"{model_name}, checkpoint {checkpoint}, layer {layer}")
            for layer, _, audit in shards
        ]
    objects = [
        shard.stored.model_copy(update={"residuals": found})
        for (_, shard, _), found in zip(shards, residuals, strict=True)
    ]
    rows = [pa.concat_tables(predictions)]
    return [*objects, write_shard(run.folder, PREDICTIONS, partition, piece.index, rows, piece.fingerprint)]


def recurrent_path(run: Run, model: nn.Module) -> str:
    """Where a model's recurrent module is."""
    if isinstance(model, RecurrentLM):
        return "recurrent"
    assert run.experiment.network is not None
    path, _ = sole_recurrent(model, run.experiment.network.recurrent)
    return path


def kept_signals(experiment: Experiment, cell: str) -> Sequence[str]:
    """The signals to write, of those that a cell has."""
    asked = experiment.dump.signals
    return [signal for signal in CELL_SIGNALS[cell] if asked == "all" or signal in asked]


def kept_layers(experiment: Experiment, layers: int) -> list[int]:
    """The layers to write, of those that a model has."""
    asked = experiment.dump.layers
    return [layer for layer in range(layers) if asked == "all" or layer in asked]


def values_per_step(experiment: Experiment, model: ModelSpec) -> int:
    """How many values of a model are written at each step."""
    layers, signals = kept_layers(experiment, model.layers), kept_signals(experiment, model.cell)
    return len(layers) * model.hidden_size * len(signals)


def append_block(shard: TileWriter, block: Block, layer: int, names: Sequence[str], precision: str) -> None:
    """Write one layer of a block as tiles."""
    for tile in activation_tiles(block, layer, names, precision):
        shard.append(tile)


def _shard(piece: Piece, partition: dict[str, object]) -> TileWriter:
    level = LEVELS[piece.run.experiment.dump.precision]
    return TileWriter(piece.run.folder, ACTIVATIONS, partition, piece.index, piece.fingerprint, level)


def pieces_of(
    experiment: Experiment, model: ModelSpec, checkpoint: int, mean_steps: float
) -> tuple[list[dict[str, object]], list[float]]:
    """The arguments of one checkpoint's pieces, and the values that each makes."""
    values = mean_steps * values_per_step(experiment, model)
    block = experiment.dump.sequences_per_shard or max(1, int(VALUES_PER_PIECE / max(1.0, values)))
    pieces: list[dict[str, object]] = []
    sizes = []
    for start in range(0, experiment.corpus.probe, block):
        stop = min(start + block, experiment.corpus.probe)
        pieces.append({"model": model.name, "checkpoint": checkpoint, "start": start, "stop": stop})
        sizes.append(values * (stop - start))
    return pieces, sizes
