"""Removing a run: its manifests go first, so that none ever lists what has gone; killed, it can be done again.

A mark lies beside run.json from before the first step until after the last: what has only lost its run.json, or
all of its `_meta`, has none, and is no rubbish.
"""

from collections.abc import Callable, Iterable

from jobs.driver.lease import Lease
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import MANIFEST, removal_mark, run_folder
from pipeline.storage.naming import DATA
from schemas.errors import LeaseError

_MARK = b"{}\n"  # that it is there says all


def known_runs(folder: Folder) -> list[str]:
    """Every run that has left anything, one whose removal was cut short too."""
    names = (
        path.split("/")[1] for place in ("_meta", *DATA) for path in folder.list(place) if path.count("/") > 1
    )
    return sorted({name.removeprefix("run=") for name in names if name.startswith("run=")})


def run_places(run: str) -> list[str]:
    """The folders that hold nothing but one run's."""
    return [run_folder(run), *(f"{place}/run={run}" for place in DATA)]


def run_objects(folder: Folder, run: str) -> dict[str, int]:
    """What a run holds: bytes by path."""
    return {path: size for place in run_places(run) for path, size in folder.sizes(f"{place}/").items()}


def removal_order(paths: Iterable[str], run: str) -> list[list[str]]:
    """A run's objects in the order in which they go, in batches; its lease stays until it is given back.

    The removal's mark goes last.

    Without manifests nothing is promised any more. Without run.json it is no run, and `unrolled gc` would go on
    from here. Without plans and records the run can be begun afresh, and finds what is left of its own shards.
    """
    meta = run_folder(run)
    batches: list[list[str]] = [[], [], [], [], []]
    for path in sorted(paths):
        if path.startswith(f"{meta}/lease/"):
            continue
        is_meta, name = path.startswith(f"{meta}/"), path.rsplit("/", 1)[1]
        first = {f"{meta}/run.json": 1, removal_mark(run): 4}
        place = 3 if not is_meta else 0 if name == MANIFEST else first.get(path, 2)
        batches[place].append(path)
    return [batch for batch in batches if batch]


def remove_run(folder: Folder, run: str, tell: Callable[[str], None]) -> dict[str, int]:
    """Remove all that a run holds; give what it was. Raises LeaseError when a driver works on it, or begins to."""
    try:
        with Lease(folder, run, tell) as lease:
            objects = run_objects(folder, run)
            folder.create(removal_mark(run), _MARK)
            guarded = folder.guarded(lease.confirm)
            for batch in removal_order([*objects, removal_mark(run)], run):
                guarded.remove_all(batch)
    except LeaseError as error:
        raise LeaseError(str(error).removesuffix(", or add --wait") + "; then type this again") from None
    for place in run_places(run):
        folder.prune(place)
    ours = f"{run_folder(run)}/lease/", removal_mark(run)
    return {path: size for path, size in objects.items() if not path.startswith(ours)}
