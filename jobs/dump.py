"""Dump: every signal of every neuron at every probe step, and the predictions, for each checkpoint asked for."""

from collections.abc import Sequence

import torch

from jobs.context import Run
from jobs.generate import read_sequences, step_shards
from jobs.publish import Piece, Stage, Unit
from jobs.train import checkpoint_objects, read_model
from pipeline.dumping.rows import activation_tiles, prediction_rows
from pipeline.dumping.unroll import unroll
from pipeline.storage.shards import write_shard
from pipeline.storage.tiles import TileWriter
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import ACTIVATIONS, PREDICTIONS
from schemas.experiment import Experiment, ModelSpec
from schemas.manifest import StoredObject
from schemas.signals import CELL_SIGNALS
from schemas.stages import checkpoint_unit

# A piece holds its values as float32 (128 MB here) and one layer's shard (60-110 MB); objects of 64-256 MB are
# what S3 and DuckDB read best.
VALUES_PER_PIECE = 32_000_000

# Of zstd. Below 0 it does not pack what nothing repeats: encoding is a third faster and 3 % larger where most of
# the mantissa is noise, but 13 to 27 % larger where it is rounded (docs/decisions/0009).
LEVELS = {"exact": -3, "half": 1, "bfloat16": 1}


def units(run: Run) -> list[Unit]:
    """One unit for each model and checkpoint, a piece for each block of probe sequences."""
    settings = run.experiment.dump
    shards = step_shards(run, "probe")
    mean_steps = sum(shard.rows for shard in shards) / run.experiment.corpus.probe
    return [
        Unit(
            checkpoint_unit(model.name, checkpoint),
            settings.model_dump(exclude={"checkpoints"}),
            [
                checkpoint_objects(run, model.name, checkpoint)["model.safetensors"].sha256,
                *(s.sha256 for s in shards),
            ],
            *pieces_of(run.experiment, model, checkpoint, mean_steps),
        )
        for model in run.experiment.model.grid()
        for checkpoint in run.experiment.dumped_checkpoints
    ]


def work(piece: Piece) -> list[StoredObject]:
    """One block of sequences: a shard of activations for each layer, and one of predictions."""
    torch.set_num_threads(1)  # the order of sums, and so the bytes, may not follow the machine
    run, arguments = piece.run, piece.arguments
    model_name, checkpoint = str(arguments["model"]), int(str(arguments["checkpoint"]))
    model, characters = read_model(run, model_name, checkpoint)
    sequences = read_sequences(run, "probe", int(str(arguments["start"])), int(str(arguments["stop"])))
    unrolled = unroll(model, sequences, kept_signals(run.experiment, model.architecture.cell))
    partition = {"run": run.id, "model": model_name, "checkpoint": checkpoint}
    precision = run.experiment.dump.precision
    objects = []
    for layer in range(model.architecture.layers):
        place = {**partition, "layer": layer}
        with TileWriter(
            run.folder, ACTIVATIONS, place, piece.index, piece.fingerprint, LEVELS[precision]
        ) as shard:
            for tile in activation_tiles(unrolled, layer, sequences, precision):
                shard.append(tile)
        objects.append(shard.stored)
    rows = prediction_rows(unrolled, sequences, Vocabulary(characters))
    objects.append(write_shard(run.folder, PREDICTIONS, partition, piece.index, [rows], piece.fingerprint))
    return objects


STAGE = Stage("dump", units, work, measure="values")


def kept_signals(experiment: Experiment, cell: str) -> Sequence[str]:
    """The signals to write, of those that a cell has."""
    asked = experiment.dump.signals
    return [signal for signal in CELL_SIGNALS[cell] if asked == "all" or signal in asked]


def pieces_of(
    experiment: Experiment, model: ModelSpec, checkpoint: int, mean_steps: float
) -> tuple[list[dict[str, object]], list[float]]:
    """The arguments of one checkpoint's pieces, and the values that each makes."""
    values = mean_steps * model.layers * model.hidden_size * len(kept_signals(experiment, model.cell))
    block = experiment.dump.sequences_per_shard or max(1, int(VALUES_PER_PIECE / max(1.0, values)))
    pieces: list[dict[str, object]] = []
    sizes = []
    for start in range(0, experiment.corpus.probe, block):
        stop = min(start + block, experiment.corpus.probe)
        pieces.append({"model": model.name, "checkpoint": checkpoint, "start": start, "stop": stop})
        sizes.append(values * (stop - start))
    return pieces, sizes
