"""Objects that are torn, truncated, flipped in a bit or gone: never believed, and the message is the cure.

A lake that is complete up to a stage has one of its objects damaged. Either going on repairs it, or it says
which object is damaged; what nothing reads any more is for the audit to find. Then what is said is done.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from pipeline.storage.folder import Folder
from schemas.stages import STAGES, TABLES_OF
from tests.faults.bench import Bench, check_told, stage_of_any
from tests.faults.forks import Ended

STORAGE_ERROR, AUDIT_ERROR = 5, 3
STEPS = 5  # that a cure may take


def _truncate(path: Path, random: Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: random.randint(1, len(data) - 1)])


def _flip(path: Path, random: Random) -> None:
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def _empty(path: Path, random: Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, random: Random) -> None:
    path.unlink()


DAMAGES: dict[str, Callable[[Path, Random], None]] = {
    "truncated": _truncate,
    "flipped": _flip,
    "emptied": _empty,
    "missing": _remove,
}
# Parts of the paths of every kind of object there is; a run has most of them.
TARGETS = (
    *(f"/{table}/" for stage in STAGES for table in TABLES_OF[stage] if table != "checkpoints"),
    *("/model.safetensors", "/config.json", "/vocabulary.json"),
    *("/manifest.json", "/records/", "/plan.json", "/run.json", "/_meta/lake.json", "/resume/"),
)


def damaged(how: str) -> Callable[[Bench, int], int]:
    """One object of a kind, which the seed chooses, damaged in one way."""

    def scenario(bench: Bench, seed: int) -> int:
        random = Random(f"{how} {seed}")
        targets = [target for target in TARGETS if target == "/resume/" or bench.has(target)]
        target = targets[seed % len(targets)]
        root = _half_trained(bench) if target == "/resume/" else _complete_copy(bench)
        path = random.choice([path for path in Folder(root).list() if target in f"/{path}"])
        if target != "/resume/":
            _cut_after(bench, root, stage_of_any(path), finished=target not in ("/records/", "/plan.json"))
        DAMAGES[how](Path(root, path), random)
        cure(bench, root, path)
        bench.judge(root, was_killed=True)
        return 1

    return scenario


def cure(bench: Bench, root: str, path: str) -> None:
    """Run on, audit, and do what the messages say, until both end well."""
    was_named = False
    for _ in range(STEPS):
        ended = bench.run(root)
        if ended.code == 0:
            ended = bench.forks.run(["audit", bench.undisturbed.run, "--root", root])
            check_told(ended)
            if ended.code == 0:
                return
        assert ended.code in (STORAGE_ERROR, AUDIT_ERROR), ended
        was_named = was_named or path in ended.told
        assert was_named, f"{path} is not named:\n{ended.told}"
        _obey(bench, root, path, ended)
    raise AssertionError(f"{STEPS} times told what to do, and {path} is still no better")


def _obey(bench: Bench, root: str, path: str, ended: Ended) -> None:
    """Type what a message says."""
    if found := re.search(r"--replace (\w+)", ended.told):
        again = bench.run(root, "--replace", found[1])
        assert again.code in (0, STORAGE_ERROR), again
    elif "runs rm" in ended.told:
        removed = bench.forks.run(["runs", "rm", bench.undisturbed.run, "--yes", "--root", root])
        assert removed.code == 0, removed
    elif "remove that file alone" in ended.told:
        Path(root, path).unlink()
    else:
        assert "again" in ended.told, ended


def _complete_copy(bench: Bench) -> str:
    root = bench.new_root()
    shutil.copytree(bench.undisturbed.root, root)
    return root


def _cut_after(bench: Bench, root: str, stage: str, *, finished: bool) -> None:
    """Forget all that came after a stage, and its own manifests when it is not to be finished."""
    meta = Path(root, "_meta", f"run={bench.undisturbed.run}")
    for later in STAGES[STAGES.index(stage) + 1 :]:
        shutil.rmtree(meta / later)
        for table in TABLES_OF[later]:
            shutil.rmtree(Path(root, table))
    if not finished:
        for manifest in (meta / stage).rglob("manifest.json"):
            manifest.unlink()


def _half_trained(bench: Bench) -> str:
    """A lake whose driver was killed when it had left a state to resume from."""
    root = bench.new_root()
    number = next(n for n, path in enumerate(bench.undisturbed.changes, 1) if "/resume/" in path) + 3
    killed = bench.run(root, hooks={"kill_at": [root, number]})
    assert killed.code == -9, killed
    return root
