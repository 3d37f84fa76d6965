"""What happens inside a driver's process: watch what it does to files, and strike at the Nth such moment.

Python tells audit hooks of every file that is opened, linked, renamed or removed, whoever asks for it, so nothing
here knows how the lake is written.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MOVES = ("os.link", "os.rename")
DAY = 86_400.0


def watch(root: str, see: Callable[[str], object]) -> None:
    """Call `see` with the path before each change to a file below the root; a lease's heartbeat is left out."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        path = _changed(event, arguments)
        if path.startswith(root) and "/lease" not in path:
            see(path.removeprefix(root).strip("/"))

    sys.addaudithook(hook)


def record(root: str, into: str) -> None:
    """Write the paths into a file, one a line."""
    log = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    watch(root, lambda path: os.write(log, f"{path}\n".encode()))


def kill_at(root: str, number: int) -> None:
    """Die by kill -9 before the Nth change."""
    _at(root, number, lambda: os.kill(os.getpid(), signal.SIGKILL))


def kill_at_object(parts: list[str], number: int, when: str) -> None:
    """Die by kill -9 at the Nth object with one of the parts in its path.

    When: `before` (the bytes are ready, none is written), `during` (written, not yet under its name) or `after`.
    """
    from pipeline.storage.folder import Folder

    create, link, seen = Folder.create, os.link, 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(folder: Folder, path: str, data: bytes) -> bool:
        nonlocal seen
        seen += any(part in f"/{path}" for part in parts)
        if seen != number:
            return create(folder, path, data)
        if when == "before":
            die()
        if when == "during":
            os.link = lambda *_: die()
        made = create(folder, path, data)
        if when == "after":
            die()
        os.link = link
        return made

    Folder.create = counted  # type: ignore[method-assign, assignment]


def stop_at(root: str, number: int) -> None:
    """Stand still before the Nth change, until somebody says go on."""
    _at(root, number, lambda: os.kill(os.getpid(), signal.SIGSTOP))


def read_only_at(root: str, number: int) -> None:
    """The file system becomes read-only before the Nth change, or after it when no file is open."""
    _at(root, number, lambda: make_read_only(root))


def make_read_only(root: str) -> bool:
    """A mount is mounted again; without the right to mount, its permissions go. Whether it worked."""
    if os.path.ismount(root):
        done = subprocess.run(["mount", "-o", "remount,ro", root], check=False, capture_output=True)
        return done.returncode == 0
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o555)
    return True


def small_files(size: int) -> None:
    """No file can grow beyond a size: what stands in for a full disk where nothing can be mounted."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def jump_clock(seconds: list[float]) -> None:
    """Every reading of the wall clock jumps to and fro by these."""
    real, count = time.time, 0

    def jumping() -> float:
        nonlocal count
        count += 1
        return real() + seconds[count % len(seconds)]

    time.time = jumping


def shorten_pauses(seconds: float) -> None:
    """Nothing waits longer than this before it tries again; how often it tries stays as it is."""
    from botocore.retries.standard import ExponentialBackoff

    from jobs.driver import attempts
    from jobs.stages import train

    usual = ExponentialBackoff.delay_amount
    ExponentialBackoff.delay_amount = lambda backoff, context: min(seconds, usual(backoff, context))
    for limits in (attempts.LIMITS, train.LIMITS):
        object.__setattr__(limits, "longest_pause", seconds)


HOOKS: dict[str, Callable[..., None]] = {
    "record": record,
    "kill_at": kill_at,
    "kill_at_object": kill_at_object,
    "stop_at": stop_at,
    "read_only_at": read_only_at,
    "small_files": small_files,
    "jump_clock": jump_clock,
    "shorten_pauses": shorten_pauses,
}


def _at(root: str, number: int, strike: Callable[[], object]) -> None:
    """Strike before the Nth change; again before the next while it gives False."""
    seen, done = 0, False

    def see(_path: str) -> None:
        nonlocal seen, done
        seen += 1
        if seen >= number and not done:
            done = strike() is not False

    watch(root, see)


def _changed(event: str, arguments: tuple[object, ...]) -> str:
    """The path that an event changes, empty when it changes none."""
    if event in MOVES:
        return str(arguments[1])
    if event in ("os.remove", "os.mkdir", "os.rmdir"):
        return str(arguments[0])
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        return str(arguments[0])
    return ""
