"""What may go: decided from a lake's catalog and a listing of it, and from nothing else.

    half-removed      of a run whose removal was cut short, as the removal's mark tells
    unlisted          shards and checkpoints of a complete run that no manifest lists, from a zombie
    resume-state      of a unit that is complete
    dead-lease        of a complete run that no driver works on, or of one that left nothing else
    temporary, upload a killed writer's; the folder knows them by their age

Never what a manifest lists, nor what has only lost its run.json or all of its `_meta`, nor what resuming an
incomplete run may use, nor anything that is not named as ours.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pipeline.queries.catalog import Catalog
from pipeline.storage.manifests import removal_mark
from pipeline.storage.naming import VALUE, is_data

HALF_REMOVED, UNLISTED, RESUME_STATE, DEAD_LEASE = "half-removed", "unlisted", "resume-state", "dead-lease"
_META = re.compile(rf"_meta/run={VALUE}/.+")
_RUN = re.compile(r"[^/]+/run=([^/]+)/")


@dataclass(frozen=True)
class Removable:
    """An object that may go, and why."""

    path: str
    bytes: int
    kind: str


def run_of(path: str) -> str | None:
    """The run that a path belongs to by its name; None for what is no run's or not named as ours."""
    match = _RUN.match(path)
    return match[1] if match and (is_data(path) or _META.fullmatch(path)) else None


def removable(catalog: Catalog, listing: Mapping[str, int], held: Collection[str] = ()) -> list[Removable]:
    """The objects that may go.

    Args:
        catalog: the lake's, read after the listing: a run is noted before its first object, and a manifest is
            written after its last, so whatever was in the listing is known to it.
        listing: bytes of each object, by path.
        held: runs that a driver works on.
    """
    listed = {stored.path for run in catalog.manifests.values() for manifest in run for stored in manifest.objects}
    complete = {run for run, status in catalog.status.items() if status == "complete"}
    units = {
        (run, manifest.plan.stage, manifest.plan.unit)
        for run, all_ in catalog.manifests.items()
        for manifest in all_
    }

    lost = lost_runs(catalog, listing)
    may_go = []
    for path, size in listing.items():
        run = run_of(path)
        if run is None or run in held or run in lost or path in listed:
            continue
        kind = _kind(path, run, catalog, complete, units, listing)
        if kind:
            may_go.append(Removable(path, size, kind))
    return may_go


def lost_runs(catalog: Catalog, listing: Collection[str]) -> set[str]:
    """The runs that left more than a lease, have no run.json, and whose removal nobody began."""
    left = {run for path in listing if "/lease/" not in path and (run := run_of(path))}
    return {run for run in left - set(catalog.runs) if removal_mark(run) not in listing}


def _kind(
    path: str,
    run: str,
    catalog: Catalog,
    complete: Collection[str],
    units: Iterable[tuple[str, str, str]],
    listing: Collection[str],
) -> str | None:
    """Why an object of a run may go, that no manifest lists; None: it stays."""
    if run not in catalog.runs:
        return HALF_REMOVED if removal_mark(run) in listing else DEAD_LEASE
    if is_data(path):
        return UNLISTED if run in complete else None
    place = path.removeprefix(f"_meta/run={run}/")
    if place.startswith("lease/"):
        return DEAD_LEASE if run in complete else None
    stage, _, rest = place.partition("/")
    unit, resume, _ = rest.rpartition("/resume/")
    return RESUME_STATE if resume and (run, stage, unit) in units else None
