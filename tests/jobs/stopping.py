"""Stop a command by a signal, somewhere in a stage, and see what is left: `python -m tests.jobs.stopping`.

It prints a row for each way to run `counting`, and for `sql`: seconds from the signal to the end of the process,
and to the end of the last process that it had started. After each stop the same command goes on, and must end with
the digests of a run that nothing disturbed.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from schemas import FORMAT_VERSION
from tests.conftest import REPOSITORY, digests

MARK = "STOPPING_MARK"  # the variable by which a command's processes are known, down to Ray's workers
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
STAGES = ("generate", "train", "dump", "annotate", "score", "extrapolate")  # of `counting`, which samples nothing
WAYS = {
    "`--runner local`": ("--runner", "local"),
    "Ray, `--workers 1`": ("--workers", "1"),
    "Ray, `--workers 2`": ("--workers", "2"),
}
RAY_STARTS = 4.0  # seconds, once there is a piece to do
EXPERIMENT = ("counting", "--set", "training.steps=600")
# Minutes of rows from one query: read one after another, and computed in one go.
QUERIES = (
    "select a.range + b.range as n from range(1000000) a, range(1000000) b",
    "select sum(a.range * b.range) as n from range(10000000) a, range(1000000) b",
    "select a.range as n from range(1000000) a, range(1000000) b order by hash(a.range + b.range)",
)


class Stopped(NamedTuple):
    """How a command ended."""

    code: int
    seconds: float  # from the signal to the end of its process
    all_seconds: float  # to the end of the last process that it had started
    told: str  # on stderr


class Command:
    """A command that runs, with all processes that it starts."""

    def __init__(self, words: Sequence[str], stdout: int = subprocess.DEVNULL) -> None:
        self._mark = f"{MARK}={uuid.uuid4().hex}".encode()
        name, _, value = self._mark.decode().partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobs", *words],
            env={**os.environ, name: value, "PYTHONUNBUFFERED": "1"},
            cwd=REPOSITORY,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def stop(self, number: int, again: float | None = None, seconds: float = 60) -> Stopped:
        """Send a signal, once more after some seconds if that is given, and wait for the end of all."""
        started = time.monotonic()
        self.process.send_signal(number)
        if again is not None:
            time.sleep(again)
            self.process.send_signal(number)
        _, told = self.process.communicate(timeout=seconds)
        ended = time.monotonic() - started
        while self.alive():
            assert time.monotonic() - started < seconds, self.alive()
            time.sleep(0.01)
        return Stopped(self.process.returncode, ended, time.monotonic() - started, told)

    def alive(self) -> list[int]:
        """The processes that are left of it."""
        found = []
        for place in Path("/proc").iterdir():
            try:
                if place.name.isdecimal() and self._mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
            except OSError:  # it has just ended, or is a zombie
                continue
        return found

    def kill(self) -> None:
        """End what is left, by its process ids."""
        for process in self.alive():
            os.kill(process, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(words: Sequence[str], stdout: int = subprocess.DEVNULL) -> Iterator[Command]:
    """A command; nothing of it is left at the end."""
    command = Command(words, stdout)
    try:
        yield command
    finally:
        command.kill()


def wait_for(root: Path, pattern: str, command: Command, seconds: float = 60) -> None:
    """Wait for an object of a lake to appear. Raises AssertionError when the command ends before that."""
    end = time.monotonic() + seconds
    while not _is_there(root, pattern):
        assert command.process.poll() is None, command.process.communicate()[1]
        assert time.monotonic() < end, f"no {pattern} after {seconds:g} s"
        time.sleep(0.002)


def _is_there(root: Path, pattern: str) -> bool:
    try:
        return next(root.glob(pattern), None) is not None
    except FileNotFoundError:  # a folder came and went while it was looked through
        return False


def run_words(root: Path, how: Sequence[str]) -> list[str]:
    """What is typed to run the experiment."""
    return ["run", *EXPERIMENT, "--root", str(root), *how]


def prepared(folder: Path) -> tuple[dict[str, Path], dict[str, str], dict[str, float]]:
    """For each stage a lake that has all before it; the digests of a whole run; how long each stage takes."""
    lakes, seconds = {}, {}
    lake = folder / "whole"
    for stage in STAGES:
        lakes[stage] = folder / f"before-{stage}"
        if lake.exists():
            shutil.copytree(lake, lakes[stage])
        else:
            lakes[stage].mkdir()
        words = [*run_words(lake, WAYS["`--runner local`"]), "--until", stage]
        with running(words) as command:
            wait_for(lake, f"_meta/run=*/{stage}/**/plan.json", command)
            started = time.monotonic()
            assert command.process.wait() == 0
            seconds[stage] = time.monotonic() - started
    return lakes, digests(lake), seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.jobs.stopping", description=__doc__)
    parser.add_argument(
        "--times", type=int, default=4, help="stops in each stage, and twice so many of a query (4)"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    random = Random(given.seed)
    print("| what | stops | median s | longest s | last process: median s | longest s | lease not given back |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        lakes, whole, seconds = prepared(Path(name))
        for way, how in WAYS.items():
            longer = RAY_STARTS if "--workers" in how else 0.0
            moments = [
                (stage, random.uniform(0, seconds[stage] + longer)) for stage in STAGES for _ in range(given.times)
            ]
            _tell(
                way, [_stopped_run(lakes[stage], how, stage, moment, whole, random) for stage, moment in moments]
            )
    _tell("`sql`", [(_stopped_query(query, random), False) for query in QUERIES for _ in range(2 * given.times)])


def _stopped_run(
    lake: Path, how: Sequence[str], stage: str, moment: float, whole: dict[str, str], random: Random
) -> tuple[Stopped, bool]:
    """Stop it so many seconds after a stage's plan; how it ended, and whether it left its lease.

    When it had ended before, earlier.
    """
    number = random.choice(list(CODES))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "lake"
        shutil.copytree(lake, root)
        with running(run_words(root, how)) as command:
            wait_for(root, f"_meta/run=*/{stage}/**/plan.json", command)
            with suppress(subprocess.TimeoutExpired):
                command.process.wait(moment)
                return _stopped_run(lake, how, stage, moment / 2, whole, random)
            stopped = command.stop(number)
        if stopped.code in (0, -number):  # it was done already, and Python about to end
            return _stopped_run(lake, how, stage, moment / 2, whole, random)
        assert stopped.code == CODES[number], stopped
        assert "Traceback" not in stopped.told, stopped.told
        leaves_lease = bool(list(root.glob("_meta/run=*/lease/*")))
        with running(run_words(root, WAYS["`--runner local`"])) as command:
            _, told = command.process.communicate()
            assert command.process.returncode == 0, told
        assert "has a driver" not in told, told
        assert digests(root) == whole
    return stopped, leaves_lease


def _stopped_query(query: str, random: Random) -> Stopped:
    number = random.choice(list(CODES))
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "_meta").mkdir()
        (Path(name) / "_meta" / "lake.json").write_text(json.dumps({"format_version": FORMAT_VERSION}))
        with running(["sql", query, "--root", name, "--format", "csv"]) as command:
            with suppress(subprocess.TimeoutExpired):
                command.process.wait(random.uniform(0.8, 3))
            stopped = command.stop(number)
    assert stopped.code == CODES[number], stopped
    assert "Traceback" not in stopped.told, stopped.told
    return stopped


def _tell(way: str, stops: Sequence[tuple[Stopped, bool]]) -> None:
    ends, alls = [stop.seconds for stop, _ in stops], [stop.all_seconds for stop, _ in stops]
    figures = [f"{figure(times):.2f}" for times in (ends, alls) for figure in (statistics.median, max)]
    print(f"| {' | '.join([way, str(len(stops)), *figures, str(sum(left for _, left in stops))])} |", flush=True)


if __name__ == "__main__":
    main()
