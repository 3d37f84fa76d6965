"""What to type where something that is stored is damaged: whole commands, since who reads may know none."""

from pipeline.storage.folder import Folder
from pipeline.storage.sealed import unseal
from schemas.command import command
from schemas.errors import StorageError
from schemas.manifest import RunRecord
from schemas.tables import TABLES


def make_again(folder: Folder, run: str, stage: str) -> str:
    """What to type to make a stage of a run again, as its run.json tells how the run was begun."""
    path = f"_meta/run={run}/run.json"
    try:
        record = unseal(RunRecord, folder.read(path))
    except StorageError:
        record = RunRecord(run=run, experiment={}, inputs=None)
    return f"{record.again(_root(folder), '--replace', stage)} to make it again"


def put_right(folder: Folder, run: str, *, is_note: bool) -> str:
    """What to type where a document lies in the place of another.

    Args:
        folder: the lake.
        run: in whose folder it lies.
        is_note: whether it lies in the place of the run's own run.json.
    """
    if is_note and not any(folder.list(f"{place}/run={run}") for place in (*TABLES, "checkpoints")):
        gone = command("runs", "rm", run, "--yes", root=_root(folder))
        return f"{run} holds no rows, as a copy of another run's folder would: type `{gone}`"
    return "remove that file alone, and type the run's command again"


def _root(folder: Folder) -> str:
    return folder.address("").rstrip("/") or "/"
