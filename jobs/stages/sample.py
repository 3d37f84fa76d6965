"""Sample: every checkpoint writes a text, so that one can see it learn."""

import torch

from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.run.checkpoints import CheckpointPiece
from jobs.run.context import Run
from jobs.run.reading import read_model, weights_digests
from pipeline.sampling.rows import sample_rows
from pipeline.storage.shards import write_shard
from schemas.manifest import StoredObject
from schemas.samples import SAMPLES
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit[CheckpointPiece]]:
    """One unit, a piece for each model and checkpoint; none when no sample was asked for."""
    drawing = run.experiment.sample
    if not drawing.length:
        return []
    pieces = [
        CheckpointPiece(model=model.name, checkpoint=checkpoint)
        for model in run.models
        for checkpoint in run.experiment.kept_checkpoints
    ]
    reads = weights_digests(run, [(piece.model, piece.checkpoint) for piece in pieces])
    size = float(drawing.length * drawing.samples * len(drawing.temperature))
    return [Unit(WHOLE, drawing.model_dump(exclude_defaults=True), reads, pieces, [size] * len(pieces))]


def work(piece: Piece[CheckpointPiece]) -> list[StoredObject]:
    """One checkpoint's samples."""
    torch.set_num_threads(1)
    run, place = piece.run, piece.arguments
    rows, _ = sample_rows(*read_model(run, place.model, place.checkpoint), run.experiment.sample)
    partition = {"run": run.id, "model": place.model, "checkpoint": place.checkpoint}
    return [write_shard(run.folder, SAMPLES, partition, 0, [rows], piece.fingerprint)]


STAGE = Stage("sample", units, each(work), measure="characters")
