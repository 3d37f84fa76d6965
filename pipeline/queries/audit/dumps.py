"""What there is to audit: a run's published dumps, each with its settings, and the objects that they rest on."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.queries.catalog import Catalog
from pipeline.queries.scope import Checkpoint
from pipeline.storage.folder import Folder
from pipeline.storage.shards import count_rows
from schemas.errors import StorageError, UsageError, unknown
from schemas.fingerprint import blake3_of
from schemas.manifest import Manifest, StoredObject
from schemas.signals import CELL_SIGNALS


@dataclass(frozen=True)
class Dump:
    """One checkpoint's dump."""

    run: str
    model: str
    checkpoint: int
    precision: str
    asked: tuple[str, ...]  # signals; () is all of them
    asked_layers: tuple[int, ...]  # () is all of them
    objects: tuple[StoredObject, ...]

    @property
    def name(self) -> str:
        """As lstm-1x10-seed0 at 2000."""
        return f"{self.model} at {self.checkpoint}"

    @property
    def rows(self) -> int:
        """Rows of activations."""
        return sum(stored.rows for stored in self.objects if stored.table == "activations")

    def layers(self, count: int) -> list[int]:
        """The layers that it should hold, of so many."""
        return [layer for layer in range(count) if not self.asked_layers or layer in self.asked_layers]

    def signals(self, cell: str) -> tuple[str, ...]:
        """The signals that its rows should hold."""
        return tuple(s for s in CELL_SIGNALS[cell] if not self.asked or s in self.asked)


def find_dumps(catalog: Catalog, run: str, model: str | None = None, checkpoint: Checkpoint = None) -> list[Dump]:
    """A run's published dumps, of one model or checkpoint where they are named, or of each model's last.

    Raises UsageError for a run, model or checkpoint that has none.
    """
    catalog.require(run, "dump")
    dumps = [_dump(run, manifest) for manifest in catalog.manifests[run] if manifest.plan.stage == "dump"]
    dumps.sort(key=lambda dump: (dump.model, dump.checkpoint))
    if model is not None and model not in {dump.model for dump in dumps}:
        raise unknown("model", model, {dump.model for dump in dumps})
    last = {dump.model: dump.checkpoint for dump in dumps}
    chosen = [
        dump
        for dump in dumps
        if model in (None, dump.model)
        and (last[dump.model] if checkpoint == "last" else checkpoint) in (None, dump.checkpoint)
    ]
    if not chosen:
        known = sorted({dump.checkpoint for dump in dumps if model in (None, dump.model)})
        raise UsageError(f"checkpoint {checkpoint} was not dumped; known: {', '.join(map(str, known))}")
    return chosen


def _dump(run: str, manifest: Manifest) -> Dump:
    settings = manifest.plan.settings
    unit = dict(part.split("=", 1) for part in manifest.plan.unit.split("/"))
    signals, layers = settings.get("signals", "all"), settings.get("layers", "all")
    asked_signals = tuple(map(str, signals)) if isinstance(signals, list) else ()
    asked_layers = tuple(map(int, layers)) if isinstance(layers, list) else ()

    return Dump(
        run,
        unit["model"],
        int(unit["checkpoint"]),
        str(settings.get("precision", "exact")),
        asked_signals,
        asked_layers,
        manifest.objects,
    )


def checkpoint_objects(catalog: Catalog, dump: Dump) -> dict[str, StoredObject]:
    """The files of a dump's checkpoint by name, as their manifest lists them."""
    prefix = f"checkpoints/run={dump.run}/model={dump.model}/checkpoint={dump.checkpoint}/"
    listed = [stored for manifest in catalog.manifests[dump.run] for stored in manifest.objects]
    return {stored.path.removeprefix(prefix): stored for stored in listed if stored.path.startswith(prefix)}


def all_objects(catalog: Catalog, run: str) -> list[StoredObject]:
    """Everything that a run's manifests list."""
    return [stored for manifest in catalog.manifests[run] for stored in manifest.objects]


def what_dumps_rest_on(catalog: Catalog, dumps: list[Dump]) -> list[StoredObject]:
    """The dumps' own shards, their checkpoints, and the probe split's steps."""
    run = dumps[0].run
    steps = [
        stored
        for manifest in catalog.manifests[run]
        for stored in manifest.objects
        if stored.path.startswith(f"steps/run={run}/split=probe/")
    ]
    weights = [stored for dump in dumps for stored in checkpoint_objects(catalog, dump).values()]
    return [*(stored for dump in dumps for stored in dump.objects), *weights, *steps]


def changed_objects(folder: Folder, objects: list[StoredObject]) -> Iterator[str | None]:
    """For each object None, or what is wrong with it: gone, changed, or with other rows than it was given."""
    for stored in objects:
        try:
            data = folder.read(stored.path)
            if blake3_of(data) != stored.blake3:
                yield f"{stored.path} has changed since it was written"
            elif stored.table and count_rows(folder, stored.path, data) != stored.rows:
                yield f"{stored.path} does not hold the {stored.rows} rows it was given"
            else:
                yield None
        except StorageError as error:
            yield str(error)
