"""Part of a lake: one run, at one checkpoint or at each model's last, as a catalog that lists nothing else."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from pipeline.queries.catalog import Catalog
from pipeline.queries.question import read_checkpoint
from schemas.errors import unknown
from schemas.manifest import StoredObject
from schemas.tables import TABLES

Checkpoint = int | Literal["last"] | None


def part_of(catalog: Catalog, run: str, checkpoint: Checkpoint) -> Catalog:
    """The catalog of one run alone.

    Args:
        catalog: of the whole lake.
        run: the run's id.
        checkpoint: its number; "last" for the last one that each table has of each model; None for all of them.

    Raises UsageError when no table has the checkpoint.
    """
    manifests = catalog.manifests[run]
    if checkpoint is not None:
        kept = _kept([stored for manifest in manifests for stored in manifest.objects], checkpoint)
        parts = [(manifest, tuple(o for o in manifest.objects if o.path in kept)) for manifest in manifests]
        # The unit of another checkpoint is as if it had never been: an audit would miss its rows.
        others = {m.plan.unit for m, objects in parts if "checkpoint=" in m.plan.unit and not objects}
        manifests = [
            m.model_copy(update={"objects": objects}) for m, objects in parts if m.plan.unit not in others
        ]
    whole = catalog.whole or catalog
    return Catalog({run: catalog.runs[run]}, {run: catalog.begun[run]}, {run: manifests}, catalog.root, whole)


def partition_of(path: str) -> dict[str, str]:
    """The partition values in a shard's path below the root, as text."""
    return dict(part.split("=", 1) for part in path.split("/")[1:-1])


def _read(checkpoint: int | str, known: set[int]) -> int | Literal["last"]:
    try:
        asked = read_checkpoint(str(checkpoint))
    except ValueError:
        raise unknown("checkpoint", checkpoint, known, ["last"]) from None
    if asked != "last" and asked not in known:
        raise unknown("checkpoint", asked, known)
    return asked


def _kept(objects: Iterable[StoredObject], checkpoint: int | Literal["last"]) -> set[str]:
    """The paths of what belongs to a checkpoint, or to none in particular, as steps and files of weights."""
    kept = set()
    numbers: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)  # by table and model: of each path
    for stored in objects:
        if stored.table and "checkpoint" in TABLES[stored.table].partition_by:
            partition = partition_of(stored.path)
            numbers[stored.table, partition["model"]][stored.path] = int(partition["checkpoint"])
        else:
            kept.add(stored.path)

    known = {number for paths in numbers.values() for number in paths.values()}
    asked = _read(checkpoint, known)
    for paths in numbers.values():
        wanted = max(paths.values()) if asked == "last" else asked
        kept |= {path for path, number in paths.items() if number == wanted}
    return kept
