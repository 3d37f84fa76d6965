"""`unrolled` in processes of their own that start at once: one process imports everything, and forks.

    with Forks(folder) as forks:
        driver = forks.start(["run", "tiny.toml", "--root", "lake"], hooks={"kill_at": ["lake", 40]})
        forks.wait(driver).code     # -9

A request is a line of JSON on the forking process's input, its reply a line on its output.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.hooks import HOOKS

REPOSITORY = Path(__file__).parents[2]
SECONDS = 110.0  # how long a driver may take


@dataclass(frozen=True)
class Driver:
    """A process that was started."""

    pid: int
    told: Path  # its standard output and error

    def signal(self, number: int) -> None:
        """Send it a signal. It is not yet waited for, so its id is still its own."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)

    def state(self) -> str:
        """What the kernel says of it, in a letter: T when it is stopped, Z when it has ended."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def runs(self) -> bool:
        """Whether it has not ended yet; only until it is waited for."""
        return self.state() != "Z"


@dataclass(frozen=True)
class Ended:
    """How a driver ended, and what it told."""

    code: int  # negative: the signal that ended it
    told: str


class Forks:
    """Starts drivers; entered before the first, and what still runs when it is left is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._running: set[int] = set()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        self._process.communicate(timeout=30)

    def start(
        self,
        arguments: Sequence[str],
        hooks: Mapping[str, Sequence[object]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Driver:
        """Start `unrolled` with arguments, its hooks in place, some variables besides our own."""
        self._started += 1
        told = self._folder / f"{self._started}.txt"
        told.touch()  # the driver may be killed before it opens it
        pid = self._ask(
            start=list(arguments),
            hooks=dict(hooks or {}),
            environment={**os.environ, **(environment or {})},
            told=str(told),
        )
        self._running.add(pid)
        return Driver(pid, told)

    def wait(self, driver: Driver, seconds: float = SECONDS) -> Ended:
        """Wait for a driver's end. Raises TimeoutError, when it is killed, if it takes too long."""
        code = self._ask(wait=driver.pid, seconds=seconds)
        if code is None:
            driver.kill()
            code = self._ask(wait=driver.pid, seconds=10)
            self._running.discard(driver.pid)
            raise TimeoutError(f"still running after {seconds:g} s:\n{driver.told.read_text()}")
        self._running.discard(driver.pid)
        return Ended(code, driver.told.read_text())

    def run(
        self,
        arguments: Sequence[str],
        hooks: Mapping[str, Sequence[object]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Start, and wait for the end."""
        return self.wait(self.start(arguments, hooks, environment))

    def _ask(self, **request: object) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Import what a driver needs, then fork one for each request."""
    import jobs.__main__
    import jobs.commands.audit
    import jobs.commands.questions
    import jobs.commands.runs
    import jobs.commands.stages  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        reply = _fork(request) if "start" in request else _wait(request["wait"], request["seconds"])
        print(json.dumps(reply), flush=True)


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _become_driver(request)
        finally:
            os._exit(code)
    return pid


def _become_driver(request: dict[str, Any]) -> int:
    from jobs.__main__ import main as unrolled

    os.setsid()  # a Ctrl-C on the tests is not the driver's
    told = os.open(request["told"], os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (told, 1), (told, 2)):
        os.dup2(ours, theirs)
    os.environ.clear()
    os.environ.update(request["environment"])
    for name, arguments in request["hooks"].items():
        HOOKS[name](*arguments)
    try:
        return unrolled(request["start"])
    except SystemExit as ended:  # argparse
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  # what Python itself would print
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


if __name__ == "__main__":
    main()
