"""Sample: every checkpoint writes a text, so that one can see it learn."""

import torch

from jobs.context import Run
from jobs.publish import Piece, Stage, Unit
from jobs.train import checkpoint_objects, read_model
from pipeline.sampling.rows import sample_rows
from pipeline.storage.shards import write_shard
from schemas.manifest import StoredObject
from schemas.samples import SAMPLES
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit]:
    """One unit, a piece for each model and checkpoint; none when no sample was asked for."""
    drawing = run.experiment.sample
    if not drawing.length:
        return []
    trained = run.manifest("train", WHOLE)
    places = [(model.name, kept) for model in run.models for kept in run.experiment.kept_checkpoints]
    reads = [checkpoint_objects(run, trained, *place)["model.safetensors"].sha256 for place in places]
    pieces: list[dict[str, object]] = [{"model": model, "checkpoint": kept} for model, kept in places]
    size = float(drawing.length * drawing.samples * len(drawing.temperature))
    return [Unit(WHOLE, drawing.model_dump(exclude_defaults=True), reads, pieces, [size] * len(pieces))]


def work(piece: Piece) -> list[StoredObject]:
    """One checkpoint's samples."""
    torch.set_num_threads(1)
    run, model, checkpoint = piece.run, str(piece.arguments["model"]), int(str(piece.arguments["checkpoint"]))
    rows, _ = sample_rows(*read_model(run, model, checkpoint), run.experiment.sample)
    partition = {"run": run.id, "model": model, "checkpoint": checkpoint}
    return [write_shard(run.folder, SAMPLES, partition, 0, [rows], piece.fingerprint)]


STAGE = Stage("sample", units, work, measure="characters")
