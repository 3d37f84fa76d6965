"""A disk that is full, has no file left to give, or turns read-only, while a driver works.

Real small file systems where mounting is allowed; elsewhere a limit on the size of files, and permissions.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random

import pytest

from pipeline.storage.folder import Folder
from schemas.stages import STAGES
from tests.faults.bench import Bench

STORAGE_ERROR, USAGE_ERROR = 5, 2
PAGE = 4096  # bytes that tmpfs gives at a time


def full(bench: Bench, seed: int) -> int:
    """No space is left at some point; with more of it, the same command ends well."""
    share = Random(seed).uniform(0.05, 0.8)
    if not can_mount():
        return _no_large_files(bench, share)
    pages = sum(-(-size // PAGE) for size in Folder(bench.undisturbed.root).sizes().values())
    with _disk(bench, f"size={max(1, round(pages * share)) * PAGE}") as root:
        _fails(bench, root, "No space left on device")
        _mount("remount,size=64m", root)
        bench.resume(root)
        bench.judge(root)
    return 1


def no_inodes(bench: Bench, seed: int) -> int:
    """There is space, but no more files can be made."""
    if not can_mount():
        pytest.skip("mounting is not allowed here")
    tree = sum(1 for _ in Path(bench.undisturbed.root).rglob("*"))
    with _disk(bench, f"size=64m,nr_inodes={round(tree * Random(seed).uniform(0.1, 0.9))}") as root:
        _fails(bench, root, "No space left on device")
        _mount("remount,nr_inodes=100000", root)
        bench.resume(root)
        bench.judge(root)
    return 1


def read_only(bench: Bench, seed: int) -> int:
    """The file system turns read-only at some change, as one with a damaged disk does."""
    random = Random(seed)
    if os.geteuid() == 0 and not can_mount():
        pytest.skip("mounting is not allowed here, and root heeds no permissions")
    number = bench.undisturbed.moment(random, STAGES[seed % len(STAGES)])
    if not can_mount():
        root = bench.new_root()
        _fails(bench, root, "ermission denied", read_only_at=[root, number])
        for folder, _, _ in os.walk(root):
            Path(folder).chmod(0o755)
        bench.resume(root)
        bench.judge(root, was_killed=True)
        return 1
    with _disk(bench, "size=64m") as root:
        _fails(bench, root, "Read-only file system", read_only_at=[root, number])
        _mount("remount,rw", root)
        bench.resume(root)
        bench.judge(root, was_killed=True)  # nothing can be tidied up on such a disk
    return 1


@cache
def can_mount() -> bool:
    """Whether small file systems can be made here."""
    place = Path("/tmp") / f"mount-{os.getpid()}"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False, capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", place], check=True)
    except FileNotFoundError:
        return False
    finally:
        place.rmdir()
    return done.returncode == 0


def _no_large_files(bench: Bench, share: float) -> int:
    sizes = sorted(Folder(bench.undisturbed.root).sizes().values())
    root = bench.new_root()
    _fails(bench, root, "File too large", small_files=[sizes[int(share * len(sizes))] - 1])
    bench.resume(root)
    bench.judge(root)
    return 1


def _fails(bench: Bench, root: str, why: str, **hooks: list[object]) -> None:
    """The run ends with the exit code of storage, or of a root that cannot be written, and says why."""
    ended = bench.run(root, hooks=hooks)
    assert ended.code in (STORAGE_ERROR, USAGE_ERROR), ended
    assert why in ended.told, ended
    assert root in ended.told, ended


@contextmanager
def _disk(bench: Bench, options: str) -> Iterator[str]:
    root = bench.new_root()
    Path(root).mkdir()
    _mount(options, root)
    try:
        yield root
    finally:
        subprocess.run(["umount", root], check=True)


def _mount(options: str, root: str) -> None:
    kind = [] if options.startswith("remount") else ["-t", "tmpfs", "none"]
    subprocess.run(["mount", "-o", options, *kind, root], check=True)
