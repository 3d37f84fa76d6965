"""A lease on a run, so that two drivers do not do the same work. No byte depends on it: shards are created once.

    _meta/run=R/lease/00001.json             who holds it, created once; the highest number holds
    _meta/run=R/lease/<holder>.beat          written again every few seconds

No clock is compared with another: a holder is gone when its beat has not changed for a while on the watcher's own
clock that only goes forward, or at once when it was a process of this machine that has ended.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.storage.folder import Folder
from pipeline.storage.manifests import NUMBERED, run_folder
from schemas.errors import LeaseError, StorageError

# Seconds between beats, and without one until a holder counts as gone: on a disk, and where requests are paid for.
LOCAL, REMOTE = (1.0, 6.0), (5.0, 30.0)


class Lease:
    """Held while the `with` block runs."""

    def __init__(
        self, folder: Folder, run: str, tell: Callable[[str], None] = lambda _: None, *, wait: bool = False
    ) -> None:
        """Prepare.

        Args:
            folder: the lake.
            run: the run's id.
            tell: is given a line when there is something to wait for.
            wait: until another driver is done, rather than raise.
        """
        self._folder, self._run, self._tell, self._wait = folder, run, tell, wait
        self._place = _place(run)
        self._beat, self._patience = LOCAL if folder.is_local else REMOTE
        self._holder = uuid.uuid4().hex
        self._number = 0
        self._lost = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        """Take it. Raises LeaseError when another driver is alive and `wait` was not asked for."""
        while not self._take():
            pass
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back, with what earlier holders left."""
        self._stop.set()
        self._thread.join(self._beat)
        with suppress(StorageError):  # it expires
            numbers = _numbers(self._folder, self._run)
            if self._number == max(numbers, default=0):
                mine = [_path(self._run, number) for number in numbers if number <= self._number]
                self._folder.remove_all([*self._beats(), *mine])

    def check(self) -> None:
        """Raise LeaseError when another driver has taken over, as after this one was held up for long."""
        if self._lost:
            raise LeaseError(self._lost)

    def confirm(self) -> None:
        """The same, but look now: before something that cannot be undone."""
        self._look()
        self.check()

    def _take(self) -> bool:
        numbers = _numbers(self._folder, self._run)
        last = max(numbers, default=0)
        if last and not self._is_gone(last):
            return False
        self._number = last + 1
        self._pulse(0)
        return self._folder.create(_path(self._run, self._number), json.dumps(self._identity()).encode())

    def _is_gone(self, number: int) -> bool:
        """Watch a holder until it is known to be alive or gone; give whether it is gone."""
        data = self._folder.read_if_there(_path(self._run, number))
        if data is None:
            return False  # given back just now: look again
        holder = _parsed(data)
        if _has_ended(holder):
            return True

        who = f"process {holder.get('process')} on {holder.get('host')}, since {holder.get('since')}"
        self._tell(f"{self._run} has a driver ({who}): watching for up to {self._patience:g} s whether it lives")

        path, started = f"{self._place}/{holder.get('holder')}.beat", time.monotonic()
        first = self._folder.read_if_there(path)

        while time.monotonic() - started < self._patience:
            time.sleep(self._beat / 2)
            beat = self._folder.read_if_there(path)
            if self._folder.read_if_there(_path(self._run, number)) is None:
                return False
            if beat != first:
                if not self._wait:
                    raise LeaseError(
                        f"another driver works on {self._run} ({who}): let it end, or stop it, or add --wait"
                    )
                first, started = beat, time.monotonic()
        return True

    def _keep(self) -> None:
        """Beat until the block ends, and notice a successor."""
        count = 0
        while not self._stop.wait(self._beat):
            count += 1
            with suppress(StorageError):  # the store may be away for a while; the next beat tells
                self._look()
                if self._lost:
                    return
                self._pulse(count)

    def _look(self) -> None:
        if max(_numbers(self._folder, self._run), default=0) != self._number:
            self._lost = f"another driver has taken {self._run} over; what this one finished is kept"

    def _pulse(self, count: int) -> None:
        self._folder.replace(f"{self._place}/{self._holder}.beat", str(count).encode())

    def _identity(self) -> dict[str, object]:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        return {"holder": self._holder, "since": since, **_this_process()}

    def _beats(self) -> list[str]:
        return [path for path in self._folder.list(self._place) if path.endswith(".beat")]


def is_held(folder: Folder, run: str) -> bool:
    """Whether a driver may be at work on a run: there is a lease, and its process is not known to have ended."""
    numbers = _numbers(folder, run)
    data = folder.read_if_there(_path(run, max(numbers))) if numbers else None
    return data is not None and not _has_ended(_parsed(data))


def _place(run: str) -> str:
    return f"{run_folder(run)}/lease"


def _path(run: str, number: int) -> str:
    return f"{_place(run)}/{number:05d}.json"


def _numbers(folder: Folder, run: str) -> list[int]:
    names = [path.rsplit("/", 1)[1] for path in folder.list(_place(run))]
    return [int(name.removesuffix(".json")) for name in names if NUMBERED.fullmatch(name)]


def _this_process() -> dict[str, object]:
    return {"host": platform.node(), "machine": _machine(), "process": os.getpid(), "began": _began(os.getpid())}


def _has_ended(holder: dict[str, object]) -> bool:
    """Whether a holder was a process of this machine that is no more. A number may be another's by now."""
    if holder.get("machine") != _machine() or not _machine():
        return False
    return _began(int(str(holder["process"]))) != holder["began"]


def _machine() -> str:
    """The boot of this machine and its processes' name space (a container has its own); empty when unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(process: int) -> str | None:
    """When a process began, in ticks since boot; None when there is none, or one that only waits to be counted."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _parsed(data: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(data)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
