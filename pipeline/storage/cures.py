"""What to type where something that is stored is damaged: whole commands, since who reads may know none."""

from pipeline.storage.folder import Folder
from pipeline.storage.naming import DATA
from pipeline.storage.sealed import unseal
from schemas.command import command
from schemas.errors import StorageError
from schemas.manifest import RunRecord


def make_again(folder: Folder, run: str, stage: str) -> str:
    """What to type to make a stage of a run again, as its run.json tells how the run was begun."""
    path = f"_meta/run={run}/run.json"
    try:
        record = unseal(RunRecord, folder.read(path))
    except StorageError:
        record = RunRecord(run=run, experiment={}, inputs=None)
    return record.make_again(folder.whole_root, stage)


def put_right(folder: Folder, run: str, *, is_note: bool) -> str:
    """What to type where a document lies in the place of another.

    Args:
        folder: the lake.
        run: in whose folder it lies.
        is_note: whether it lies in the place of the run's own run.json.
    """
    if is_note and not any(folder.list(f"{place}/run={run}") for place in DATA):
        gone = command("runs", "rm", run, "--yes", root=folder.whole_root)
        return f"{run} holds no rows, as a copy of another run's folder would: type `{gone}`"
    return "remove that file alone, and type the run's command again"
