"""What stages leave in `_meta`: the run's record, then for each unit a plan, records, and the manifest last.

_meta/lake.json
_meta/run=counting-3fa9c1d2/run.json
_meta/run=counting-3fa9c1d2/dump/model=lstm-1x10-seed0/checkpoint=2000/plan.json
…/records/00000.json
…/manifest.json                         complete
"""

import json

from pipeline.storage.folder import Folder
from schemas import FORMAT_VERSION
from schemas.errors import UsageError
from schemas.manifest import Manifest, Plan, Record, RunRecord

LAKE = "_meta/lake.json"
RUN, PLAN, MANIFEST = "run.json", "plan.json", "manifest.json"


def prepare_lake(folder: Folder) -> None:
    """Make a root into a lake, or check that it is one of ours. Raises UsageError when it cannot be."""
    folder.check_writable()
    folder.create(LAKE, (json.dumps({"format_version": FORMAT_VERSION}) + "\n").encode())
    check_lake(folder)


def check_lake(folder: Folder) -> None:
    """Raise UsageError when there is no lake, or one of another format version."""
    check_format(folder, folder.read_if_there(LAKE))


def check_format(folder: Folder, data: bytes | None) -> None:
    """The same, of what lake.json holds, None when it is not there."""
    if data is None:
        raise UsageError(f"there is no lake at {folder.root}: make one with `unrolled run counting --root …`")
    version = json.loads(data).get("format_version")
    if version != FORMAT_VERSION:
        raise UsageError(
            f"the lake at {folder.root} has format version {version}, this unrolled reads {FORMAT_VERSION}: "
            "use another --root"
        )


def run_folder(run: str) -> str:
    """Where a run's records lie."""
    return f"_meta/run={run}"


def unit_folder(run: str, stage: str, unit: str) -> str:
    """Where a unit's plan, records and manifest lie."""
    return f"{run_folder(run)}/{stage}/{unit}"


def read_run(folder: Folder, run: str) -> RunRecord:
    """A run's record."""
    return RunRecord.model_validate_json(folder.read(f"{run_folder(run)}/run.json"))


def read_plan(folder: Folder, run: str, stage: str, unit: str) -> Plan | None:
    """A unit's plan, None when it was never begun."""
    path = f"{unit_folder(run, stage, unit)}/plan.json"
    return Plan.model_validate_json(folder.read(path)) if folder.exists(path) else None


def read_manifest(folder: Folder, run: str, stage: str, unit: str) -> Manifest | None:
    """A unit's manifest, None when it is not complete."""
    path = f"{unit_folder(run, stage, unit)}/manifest.json"
    return Manifest.model_validate_json(folder.read(path)) if folder.exists(path) else None


def record_path(run: str, stage: str, unit: str, piece: int) -> str:
    """Where a piece's record lies."""
    return f"{unit_folder(run, stage, unit)}/records/{piece:05d}.json"


def recorded_pieces(folder: Folder, run: str, stage: str, unit: str) -> dict[int, str]:
    """The finished pieces of a unit, and the paths of their records."""
    paths = folder.list(f"{unit_folder(run, stage, unit)}/records")
    return {int(path.rsplit("/", 1)[1].removesuffix(".json")): path for path in paths}


def read_record(folder: Folder, path: str) -> Record:
    """A piece's record."""
    return Record.model_validate_json(folder.read(path))
