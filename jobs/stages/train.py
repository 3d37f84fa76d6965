"""Train: every model of the grid, one a piece, with metrics rows, checkpoints, and a state to resume from.

A network that was trained elsewhere is imported instead: one piece, its row of `models` and its checkpoint.
"""

import json
from dataclasses import replace

from jobs.course import model_row, train_model
from jobs.driver.attempts import Limits
from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.driver.watch import TrainingWatch
from jobs.run.context import Run
from jobs.run.network import Network
from jobs.run.placement import HERE, Placement
from jobs.run.reading import checkpoint_paths, step_shards
from jobs.runners.base import Needs
from pipeline.storage.shards import commit
from pipeline.tasks.vocabulary import format_vocabulary
from schemas.experiment import ModelSpec
from schemas.manifest import AS_READ, StoredObject
from schemas.stages import WHOLE


def units(run: Run) -> list[Unit[ModelSpec]]:
    """One unit, a piece for every model."""
    if run.imported:
        run.manifest("generate", WHOLE)  # the run's own row is there
        digests = [run.imported.weights, run.imported.vocabulary]
        return [Unit(WHOLE, import_paths(run), digests, run.models, [1.0], shown=("import", "networks"))]
    settings = run.experiment.training
    reads = [shard.blake3 for split in ("train", "valid") for shard in step_shards(run, split)]
    sizes = [float(settings.steps)] * len(run.models)
    return [Unit(WHOLE, settings.model_dump(exclude_defaults=True), reads, run.models, sizes)]


def work(piece: Piece[ModelSpec]) -> list[StoredObject]:
    """Train one model, from where an earlier attempt left off; or import one."""
    if piece.run.network:
        return _import(piece, piece.run.network.open())
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


def live(run: Run) -> TrainingWatch | None:
    """Who looks at what is being trained."""
    return None if run.network else TrainingWatch(run)


# Models of a grid differ a thousandfold, and a long one is no straggler.
LIMITS = Limits(seconds=None, straggler=None)
STAGE = Stage("train", units, each(work), measure="updates", live=live, limits=LIMITS, needs=needs)


def import_paths(run: Run) -> dict[str, object]:
    """Where a network's Python is imported from: its [network] section without the paths of files."""
    assert run.experiment.network is not None
    return run.experiment.network.model_dump(exclude={"weights", "vocabulary"})


def _import(piece: Piece[ModelSpec], network: Network) -> list[StoredObject]:
    """Store a network's weights, whatever they came in, so that the lake needs no file from outside."""
    run, spec = piece.run, piece.arguments
    config = {"network": import_paths(run), "recurrent": network.recurrent, **spec.model_dump(exclude={"seed"})}
    files = {
        "model.safetensors": network.weights,
        "config.json": (json.dumps(config, indent=2) + "\n").encode(),
        "vocabulary.json": format_vocabulary(network.vocabulary.characters),
        AS_READ: network.as_read,
    }
    paths = checkpoint_paths(run, spec.name, run.experiment.kept_checkpoints[0], files)
    stored = [commit(run.folder, paths[name], data) for name, data in files.items()]
    return [model_row(piece, spec, network.module), *stored]
