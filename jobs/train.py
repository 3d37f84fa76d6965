"""Train: every model of the grid, one a piece, with metrics rows, checkpoints, and a state to resume from.

A network that was trained elsewhere is imported instead: one piece, its row of `models` and its checkpoint.
"""

import json
from dataclasses import replace

from torch import nn

from jobs.attempts import Limits
from jobs.context import Run
from jobs.course import checkpoint_paths, model_row, train_model
from jobs.generate import step_shards
from jobs.placement import HERE, Placement
from jobs.publish import Piece, Stage, Unit
from jobs.runners.base import Needs
from jobs.watch import TrainingWatch
from pipeline.models.checkpoint import bytes_to_tensors, read_checkpoint
from pipeline.models.network import load_weights
from pipeline.storage.shards import commit, read_verified
from pipeline.tasks.vocabulary import Vocabulary, format_vocabulary, parse_vocabulary
from schemas.experiment import ModelSpec
from schemas.manifest import Manifest, StoredObject
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit]:
    """One unit, a piece for every model."""
    pieces: list[dict[str, object]] = [model.model_dump() for model in run.models]
    if run.imported:
        run.manifest("generate", WHOLE)  # the run's own row is there
        return [Unit(WHOLE, import_paths(run), [run.imported.weights, run.imported.vocabulary], pieces, [1.0])]
    settings = run.experiment.training
    reads = [shard.sha256 for split in ("train", "valid") for shard in step_shards(run, split)]
    sizes = [float(settings.steps)] * len(pieces)
    return [Unit(WHOLE, settings.model_dump(exclude_defaults=True), reads, pieces, sizes)]


def work(piece: Piece) -> list[StoredObject]:
    """Train one model, from where an earlier attempt left off; or import one."""
    if piece.run.imported:
        return _import(piece)
    if piece.run.placement.together:
        from jobs.runners.together import call_together  # Ray Train's import takes a second

        call_together(train_model, piece, _useful(piece.run))
        # What others have trained, a CPU finds done.
        piece = replace(piece, run=replace(piece.run, placement=HERE))
    return train_model(piece)


def needs(run: Run) -> Needs:
    """A core and its share of GPUs; a group of workers brings its own, and one group at a time may grow."""
    if run.placement.together and not run.imported:
        workers, gpus = run.placement.together[0], run.placement.gpus
        return Needs(cpus=0.0, at_once=1, calls={"CPU": float(workers), "GPU": workers * gpus})
    return Needs(gpus=run.placement.gpus)


def _useful(run: Run) -> Placement:
    """Where a run is trained, by no more workers than a batch has work for, even if there are more machines."""
    training, placement = run.experiment.training, run.placement
    assert placement.together is not None
    least, most = placement.together
    lanes = min(training.batch_size, run.experiment.corpus.train)
    return replace(placement, together=(least, max(least, min(most, lanes // training.accumulate))))


# Models of a grid differ a thousandfold, and a long one is no straggler.
LIMITS = Limits(seconds=None, straggler=None)
STAGE = Stage("train", units, work, measure="updates", live=TrainingWatch, limits=LIMITS, needs=needs)


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
    return [model_row(piece, spec, network.module), *stored]
