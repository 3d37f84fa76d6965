"""Dump: every signal of every neuron at every probe step, and the predictions, for each checkpoint asked for."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise

import pyarrow as pa
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.process.ahead import Ahead
from jobs.run.context import Run
from jobs.run.reading import read_model, read_sequences, step_shards, weights_digests
from jobs.run.selection import kept_layers, kept_signals, values_per_step
from pipeline.dumping.audit import ShardAudit
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
from schemas.stages import checkpoint_unit

# A layer's shard is 40-110 MB then; objects of 64-256 MB are what S3 and DuckDB read best.
VALUES_PER_PIECE = 32_000_000


class DumpPiece(BaseModel):
    """Some probe sequences that one checkpoint reads."""

    model_config = ConfigDict(frozen=True)

    model: str
    checkpoint: int
    start: int  # the first sequence, counted from the split's first
    stop: int  # behind the last


def units(run: Run) -> list[Unit[DumpPiece]]:
    """One unit for each model and checkpoint, a piece for each block of probe sequences."""
    settings = run.experiment.dump.model_dump(exclude={"checkpoints", "tolerance"})
    shards = step_shards(run, "probe")
    mean_steps = sum(shard.rows for shard in shards) / run.experiment.corpus.probe
    places = [(model, checkpoint) for model in run.models for checkpoint in run.experiment.dumped_checkpoints]
    weights = weights_digests(run, [(model.name, checkpoint) for model, checkpoint in places])

    planned = []
    for (model, checkpoint), digest in zip(places, weights, strict=True):
        reads = [digest, *(shard.blake3 for shard in shards)]
        pieces, sizes = pieces_of(run.experiment, model, checkpoint, mean_steps)
        planned.append(Unit(checkpoint_unit(model.name, checkpoint), settings, reads, pieces, sizes))
    return planned


def work(piece: Piece[DumpPiece]) -> list[StoredObject]:
    """Some sequences: a shard of activations for each layer, and one of predictions."""
    run, place = piece.run, piece.arguments
    model, vocabulary = read_model(run, place.model, place.checkpoint)
    sequences = read_sequences(run, "probe", place.start, place.stop)
    return dump_sequences(piece, model, vocabulary, sequences)


STAGE = Stage("dump", units, each(work), measure="values")


def dump_sequences(
    piece: Piece[DumpPiece], model: nn.Module, vocabulary: Vocabulary, sequences: Sequences
) -> list[StoredObject]:
    """Run a model over a piece's sequences and commit what it did, when it obeys its equations."""
    torch.set_num_threads(1)  # the order of sums, and so the bytes, may not follow the machine
    run, place = piece.run, piece.arguments
    spec = next(spec for spec in run.models if spec.name == place.model)
    partition: dict[str, object] = {"run": run.id, "model": place.model, "checkpoint": place.checkpoint}
    path = recurrent_path(run, model)
    names, settings = kept_signals(run.experiment, spec.cell), run.experiment.dump
    predictions: list[pa.Table] = []

    with ExitStack() as stack:
        shards = [
            (layer, stack.enter_context(_shard(piece, {**partition, "layer": layer})), ShardAudit())
            for layer in kept_layers(run.experiment, spec.layers)
        ]

        with Ahead() as ahead:
            for block in unroll(model, sequences, path):
                for layer, shard, audit in shards:
                    ahead.call(append_block, ahead, shard, block, layer, names, settings.precision)
                    audit.add(block.layers[layer])
                if not predictions:  # once a piece
                    shards[-1][2].add_own(model.get_submodule(path), block.layers)
                predictions.append(prediction_rows(block, vocabulary))

        residuals = [
            audit.require(settings.tolerance, f"{place.model}, checkpoint {place.checkpoint}, layer {layer}")
            for layer, _, audit in shards
        ]

    objects = [
        shard.stored.model_copy(update={"residuals": residual})
        for (_, shard, _), residual in zip(shards, residuals, strict=True)
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


def append_block(
    ahead: Ahead, shard: TileWriter, block: Block, layer: int, names: Sequence[str], precision: str
) -> None:
    """Write one layer of a block as tiles."""
    for group in ahead.each(shard.pack, activation_tiles(block, layer, names, precision)):
        shard.append(group)


def _shard(piece: Piece[DumpPiece], partition: dict[str, object]) -> TileWriter:
    return TileWriter(piece.run.folder, ACTIVATIONS, partition, piece.index, piece.fingerprint)


def pieces_of(
    experiment: Experiment, model: ModelSpec, checkpoint: int, mean_steps: float
) -> tuple[list[DumpPiece], list[float]]:
    """One checkpoint's pieces, and the values that each makes."""
    values = mean_steps * values_per_step(experiment, model)
    block = experiment.dump.sequences_per_shard or max(1, int(VALUES_PER_PIECE / max(1.0, values)))
    probe = experiment.corpus.probe
    bounds = list(pairwise([*range(0, probe, block), probe]))
    pieces = [DumpPiece(model=model.name, checkpoint=checkpoint, start=a, stop=b) for a, b in bounds]
    return pieces, [values * (stop - start) for start, stop in bounds]
