"""Finding what no run needs, and removing it under the leases of the runs that it belonged to."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field

from jobs.clearing.removable import DEAD_LEASE, HALF_REMOVED, Removable, lost_runs, removable, run_of
from jobs.clearing.remove import run_places
from jobs.driver.lease import Lease, is_held
from pipeline.queries.catalog import read_catalog
from pipeline.storage.folder import Folder
from pipeline.storage.local import TEMPORARY
from pipeline.storage.manifests import removal_mark
from pipeline.storage.naming import DATA
from pipeline.storage.store import Leftover
from schemas.errors import LeaseError

DAY = 24.0  # hours
TEMPORARY_FILE, UPLOAD = "temporary", "upload"


@dataclass(frozen=True)
class Garbage:
    """What was found: objects, and what killed writers left that is no object yet."""

    objects: list[Removable]
    leftovers: list[Leftover]
    held: list[str] = field(default_factory=list)  # runs that were left alone
    lost: list[str] = field(default_factory=list)  # runs without run.json, which were left alone too

    def rows(self) -> list[Removable]:
        """Everything, as one list."""
        kinds = [(leftover, UPLOAD if leftover.upload else TEMPORARY_FILE) for leftover in self.leftovers]
        return [*self.objects, *(Removable(leftover.path, leftover.bytes or 0, kind) for leftover, kind in kinds)]


def find_garbage(folder: Folder, hours: float = DAY) -> Garbage:
    """What may go: leftovers of that age, and whatever else no run needs."""
    listing = _listing(folder)  # before the catalog, which then knows of all that is in it
    catalog = read_catalog(folder)

    leased = {run for path in listing if "/lease/" in path and (run := run_of(path))}
    held = {run for run in leased if is_held(folder, run)}
    may_go = removable(catalog, listing)
    kept = {run for item in may_go if (run := run_of(item.path)) in held and run}
    objects = [item for item in may_go if run_of(item.path) not in held]

    return Garbage(objects, _leftovers(folder, hours, held), sorted(kept), sorted(lost_runs(catalog, listing)))


def remove_garbage(folder: Folder, garbage: Garbage, tell: Callable[[str], None]) -> Garbage:
    """Remove what was found and still may go; give what went."""
    runs = sorted({run for item in garbage.objects if (run := run_of(item.path))})
    held = list(garbage.held)
    leases: dict[str, Lease] = {}

    with ExitStack() as stack:
        for run in runs:
            try:
                leases[run] = stack.enter_context(Lease(folder, run, tell))
            except LeaseError:
                held.append(run)

        # Once more, now that no driver can add to them: what was not found before stays for another time.
        listing = _listing(folder) if runs else {}
        still = {item.path for item in removable(read_catalog(folder), listing, held)} if runs else set()
        objects = [item for item in garbage.objects if item.path in still]
        for run, lease in leases.items():
            guarded = folder.guarded(lease.confirm)
            paths = [item.path for item in objects if run_of(item.path) == run]
            guarded.remove_all(sorted(paths, key=removal_mark(run).__eq__))  # which goes last
        folder.remove_all([item.path for item in objects if not run_of(item.path)])

    for leftover in garbage.leftovers:
        folder.discard(leftover)

    for run in {run_of(item.path) for item in objects if item.kind in (HALF_REMOVED, DEAD_LEASE)}:
        for place in run_places(str(run)):
            folder.prune(place)
    return Garbage(objects, garbage.leftovers, sorted(held), garbage.lost)


def _listing(folder: Folder) -> dict[str, int]:
    return {path: size for place in ("_meta", *DATA) for path, size in folder.sizes(f"{place}/").items()}


def _leftovers(folder: Folder, hours: float, held: Collection[str]) -> list[Leftover]:
    """Ours by their names, and of no run that a driver works on. A temporary file does not tell whose it is."""
    ours = []
    for leftover in folder.leftovers((max(hours, DAY) if held and folder.is_local else hours) * 3600):
        run = run_of(leftover.path)
        if leftover.path.startswith(f"{TEMPORARY}/") or (run and run not in held):
            ours.append(leftover)
    return ours
