"""What stages leave in `_meta`: the run's record, then for each unit a plan, records, and the manifest last.

_meta/lake.json
_meta/run=counting-3fa9c1d2/run.json
_meta/run=counting-3fa9c1d2/dump/model=lstm-1x10-seed0/checkpoint=2000/plan.json
…/records/00000.json
…/manifest.json                         complete
"""

import json
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from pipeline.storage.cures import make_again, put_right
from pipeline.storage.folder import Folder
from pipeline.storage.probe import check_writable
from pipeline.storage.sealed import Document, unseal
from schemas import FORMAT_VERSION
from schemas.command import command
from schemas.errors import StorageError, UsageError
from schemas.manifest import Manifest, Plan, Record, RunRecord, StoredObject
from schemas.stages import TABLES_OF

LAKE = "_meta/lake.json"
NUMBERED = re.compile(r"\d{5,}\.json")  # a record or a lease
RUN, PLAN, MANIFEST = "run.json", "plan.json", "manifest.json"
REMOVED = "removed.json"  # beside run.json, from before a removal's first step until after its last


def prepare_lake(folder: Folder) -> None:
    """Make a root into a lake, or check that it is one of ours. Raises UsageError when it cannot be."""
    check_writable(folder)
    folder.create(LAKE, (json.dumps({"format_version": FORMAT_VERSION}) + "\n").encode())
    check_lake(folder)


def check_lake(folder: Folder) -> None:
    """Raise UsageError when there is no lake, or one of another format version."""
    check_format(folder, folder.read_if_there(LAKE))


def check_format(folder: Folder, data: bytes | None) -> None:
    """The same, of what lake.json holds, None when it is not there."""
    if data is None:
        made = command("run", "counting", root=folder.root)
        raise UsageError(f"there is no lake at {folder.root}: make one with `{made}`")
    try:
        version = json.loads(data)["format_version"]
    except (ValueError, KeyError, TypeError):
        raise StorageError(
            f"{folder.address(LAKE)} is damaged: remove that file alone, and run again what made the lake"
        ) from None
    if version != FORMAT_VERSION:
        raise UsageError(
            f"the lake at {folder.root} has format version {version}, this unrolled reads {FORMAT_VERSION}: "
            "use another --root"
        )


def run_folder(run: str) -> str:
    """Where a run's records lie."""
    return f"_meta/run={run}"


def removal_mark(run: str) -> str:
    """What tells a run whose removal was cut short from one that has lost its run.json."""
    return f"{run_folder(run)}/{REMOVED}"


def unit_folder(run: str, stage: str, unit: str) -> str:
    """Where a unit's plan, records and manifest lie."""
    return f"{run_folder(run)}/{stage}/{unit}"


def read_run(folder: Folder, run: str) -> RunRecord:
    """A run's record."""
    path = f"{run_folder(run)}/run.json"
    return unseal_at(RunRecord, folder, path, folder.read(path))


def read_plan(folder: Folder, run: str, stage: str, unit: str) -> Plan | None:
    """A unit's plan, None when it was never begun."""
    return _read(Plan, folder, f"{unit_folder(run, stage, unit)}/{PLAN}")


def read_manifest(folder: Folder, run: str, stage: str, unit: str) -> Manifest | None:
    """A unit's manifest, None when it is not complete."""
    return _read(Manifest, folder, f"{unit_folder(run, stage, unit)}/{MANIFEST}")


def record_path(run: str, stage: str, unit: str, piece: int) -> str:
    """Where a piece's record lies."""
    return f"{unit_folder(run, stage, unit)}/records/{piece:05d}.json"


def unseal_at(kind: type[Document], folder: Folder, path: str, data: bytes) -> Document:
    """A document of `_meta`.

    Raises StorageError that names it, and what to type, when it is damaged or lies where another belongs.
    """
    _, run, *below = path.split("/")
    name, is_note = run.removeprefix("run="), len(below) == 1
    try:
        document = unseal(kind, data)
    except StorageError:
        again = "run the run's command again" if is_note else make_again(folder, name, below[0])
        why = f"is damaged (its digest does not match): {name}: {again}"
        raise StorageError(f"{folder.address(path)} {why}") from None
    if not _is_at_home(document, run, below):
        cure = put_right(folder, name, is_note=is_note)
        raise StorageError(f"{folder.address(path)} is of another run, unit or piece: {cure}")
    return document


def _is_at_home(document: BaseModel, run: str, below: Sequence[str]) -> bool:
    """Whether a document is the one of its place; else the rows that it lists would be counted twice."""
    stage, unit = below[0], "/".join(below[1:-1])
    match document:
        case RunRecord():
            return run == f"run={document.run}"
        case Record():
            return below[-1] == f"{document.piece:05d}.json" and _are_of(document.objects, run, stage)
        case Manifest():
            return _is_of(document.plan, stage, unit) and _are_of(document.objects, run, stage)
        case Plan():
            return _is_of(document, stage, unit)
    return True


def _is_of(plan: Plan, stage: str, unit: str) -> bool:
    return (plan.stage, plan.unit) == (stage, unit)


def _are_of(objects: Iterable[StoredObject], run: str, stage: str) -> bool:
    places = {tuple(stored.path.split("/")[:2]) for stored in objects}
    return places <= {(table, run) for table in TABLES_OF[stage]}


class Journal:
    """What a stage of a run has left in `_meta`, as one listing finds it; documents are read many at a time."""

    def __init__(self, folder: Folder, run: str, stage: str) -> None:
        self._folder, self._run, self._stage = folder, run, stage
        self._paths = folder.list(f"{run_folder(run)}/{stage}")

    def plans(self) -> dict[str, Plan]:
        """The plans, by unit."""
        return {plan.unit: plan for plan in self._documents(Plan, PLAN)}

    def manifests(self) -> dict[str, Manifest]:
        """The manifests of finished units, by unit."""
        return {manifest.plan.unit: manifest for manifest in self._documents(Manifest, MANIFEST)}

    def done(self, unit: str) -> set[int]:
        """The numbers of a unit's finished pieces."""
        return {int(name[: -len(".json")]) for name in self._recorded(unit).values()}

    def records(self, unit: str) -> list[Record]:
        """What a unit's finished pieces have written."""
        return self._read(Record, list(self._recorded(unit)))

    def states(self, unit: str) -> list[str]:
        """The paths of the states that a unit's pieces would resume from."""
        start = f"{unit_folder(self._run, self._stage, unit)}/resume/"
        return [path for path in self._paths if path.startswith(start)]

    def _recorded(self, unit: str) -> dict[str, str]:
        """The paths of a unit's records, each with its name. An editor or a system may have left files beside."""
        start = f"{unit_folder(self._run, self._stage, unit)}/records/"
        names = {path: path.removeprefix(start) for path in self._paths if path.startswith(start)}
        return {path: name for path, name in names.items() if NUMBERED.fullmatch(name)}

    def _documents(self, kind: type[Document], name: str) -> list[Document]:
        return self._read(kind, [path for path in self._paths if path.endswith(f"/{name}")])

    def _read(self, kind: type[Document], paths: list[str]) -> list[Document]:
        contents = self._folder.read_many(paths)
        return [unseal_at(kind, self._folder, path, contents[path]) for path in paths]


def _read(kind: type[Document], folder: Folder, path: str) -> Document | None:
    data = folder.read_if_there(path)
    return None if data is None else unseal_at(kind, folder, path, data)
