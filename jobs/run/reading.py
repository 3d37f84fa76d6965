"""Reading what the stages of a run have left in the lake: its vocabulary, sequences, documents, models."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from torch import nn

from jobs.run.context import Run
from pipeline.corpus.gathering import Gathering
from pipeline.models.checkpoint import FILES, bytes_to_tensors, read_checkpoint
from pipeline.models.state_dict import load_weights
from pipeline.storage.manifests import read_plan
from pipeline.storage.shards import read_shards, read_verified
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary, parse_vocabulary
from schemas.corpus import DOCUMENTS, STEPS
from schemas.manifest import Manifest, StoredObject
from schemas.stages import WHOLE
from schemas.table import Table


def read_vocabulary(run: Run) -> Vocabulary:
    """What the tokens of a run stand for, as generate has planned it; an imported network's own."""
    if run.network:
        return run.network.vocabulary()
    plan = read_plan(run.folder, run.id, "generate", WHOLE)
    if plan is None:
        plan = run.manifest("generate", WHOLE).plan  # raises the error that says what to type
    return run.source.stored_vocabulary(str(plan.settings["characters"]))


def step_shards(run: Run, split: str) -> list[StoredObject]:
    """The shards of a split, in the order of their sequences."""
    return _shards(run, STEPS, split)


def document_shards(run: Run, split: str) -> list[StoredObject]:
    """The documents of those shards, one by one; none for a task that is no text."""
    return _shards(run, DOCUMENTS, split)


def read_sequences(run: Run, split: str, start: int = 0, stop: int | None = None) -> Sequences:
    """Sequences start to stop of a split, counted from its first; only the shards that hold them are read."""
    bounds = _bounds(run, split)
    size = bounds[-1] - bounds[0]
    stop = size if stop is None else min(stop, size)
    first = bisect_right(bounds, bounds[0] + start) - 1
    last = bisect_left(bounds, bounds[0] + stop)

    shards = step_shards(run, split)[first:last]
    gathered = Gathering(sum(shard.rows for shard in shards))
    for shard in shards:
        gathered.add(read_shards(run.folder, [shard], ["sequence", "token", "determined"]))

    before = bounds[first] - bounds[0]
    return gathered.sequences().take(start - before, stop - before)


def checkpoint_paths(run: Run, model: str, checkpoint: int, names: Iterable[str] = FILES) -> dict[str, str]:
    """Where a checkpoint's files are, by name."""
    return {name: f"checkpoints/run={run.id}/model={model}/checkpoint={checkpoint}/{name}" for name in names}


def checkpoint_objects(run: Run, manifest: Manifest, model: str, checkpoint: int) -> dict[str, StoredObject]:
    """A checkpoint's files as the manifest of the run's training lists them, by name."""
    listed = {stored.path: stored for stored in manifest.objects}
    return {name: listed[path] for name, path in checkpoint_paths(run, model, checkpoint).items()}


def weights_digests(run: Run, checkpoints: list[tuple[str, int]]) -> list[str]:
    """BLAKE3 of the weights of some (model, checkpoint). Raises UsageError when they are not trained yet."""
    trained = run.manifest("train", WHOLE)
    return [checkpoint_objects(run, trained, *place)["model.safetensors"].blake3 for place in checkpoints]


def read_model(run: Run, model: str, checkpoint: int) -> tuple[nn.Module, Vocabulary]:
    """A checkpoint's model, trained here or imported, ready to evaluate on the CPU; its vocabulary. Verified."""
    objects = checkpoint_objects(run, run.manifest("train", WHOLE), model, checkpoint)
    files = {name: read_verified(run.folder, stored) for name, stored in objects.items()}
    if run.network:
        module = run.network.module()
        load_weights(module, bytes_to_tensors(files["model.safetensors"]), objects["model.safetensors"].path)
        return module, Vocabulary(parse_vocabulary(files["vocabulary.json"], objects["vocabulary.json"].path))
    trained, characters = read_checkpoint(files)
    return trained, Vocabulary(characters)


def _bounds(run: Run, split: str) -> list[int]:
    settings = run.manifest("generate", WHOLE).plan.settings["bounds"]
    assert isinstance(settings, dict)
    return [int(bound) for bound in settings[split]]


def _shards(run: Run, table: Table, split: str) -> list[StoredObject]:
    prefix = f"{table.name}/run={run.id}/split={split}/"
    manifest = run.manifest("generate", WHOLE)
    return sorted((o for o in manifest.objects if o.path.startswith(prefix)), key=lambda o: o.path)
