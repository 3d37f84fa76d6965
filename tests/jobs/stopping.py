"""Stop a command by a signal, somewhere in a stage, and see what is left: `python -m tests.jobs.stopping`.

It prints a row for each way to run `counting`, and for `sql`: seconds from the signal to the end of the process,
and to the end of the last process that it had started. After each stop the same command goes on, and must end with
the digests of a run that nothing disturbed.
"""

import argparse
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
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.conftest import REPOSITORY, digests

MARK = "STOPPING_MARK"  # the variable by which a command's processes are known, down to Ray's workers
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
STAGES = ("generate", "train", "dump", "annotate", "score", "extrapolate")
EXPERIMENT = ("counting", "--set", "training.steps=600")
# Minutes of rows from one query: read one after another, and computed in one go.
QUERIES = (
    "select a.range + b.range as n from range(1000000) a, range(1000000) b",
    "select sum(a.range * b.range) as n from range(10000000) a, range(1000000) b",
    "select a.range as n from range(1000000) a, range(1000000) b order by hash(a.range + b.range)",
)


class Stopped(NamedTuple):
    """How a command ended."""

    stage: str
    signal: int
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

    def stop(self, number: int, stage: str, again: float | None = None, seconds: float = 60) -> Stopped:
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
        return Stopped(stage, number, self.process.returncode, ended, time.monotonic() - started, told)

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
    while not next(root.glob(pattern), None):
        assert command.process.poll() is None, command.process.communicate()[1]
        assert time.monotonic() < end, f"no {pattern} after {seconds:g} s"
        time.sleep(0.002)


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
        words = [*run_words(lake, ["--runner", "local"]), "--until", stage]
        with running(words) as command:
            wait_for(lake, f"_meta/run=*/{stage}/**/plan.json", command)
            started = time.monotonic()
            assert command.process.wait() == 0
            seconds[stage] = time.monotonic() - started
    return lakes, digests(lake), seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.jobs.stopping", description=__doc__)
    parser.add_argument("--times", type=int, default=4, help="stops in each stage, and of each query (4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="of: local, ray 1, ray 2, sql")
    given = parser.parse_args()
    ways: dict[str, list[str]] = {"local": ["--runner", "local"]}
    ways |= {f"ray {n}": ["--workers", str(n)] for n in (1, 2)}
    random = Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        lakes, whole, seconds = prepared(Path(name))
        print({stage: round(took, 1) for stage, took in seconds.items()}, flush=True)
        for way, how in ways.items():
            if not given.only or way in given.only:
                # Ray starts once the first piece is there.
                longer = 0.0 if way == "local" else 4.0
                stops = [
                    _stopped_run(
                        lakes[stage], how, stage, random.uniform(0, seconds[stage] + longer), whole, random
                    )
                    for stage in STAGES
                    for _ in range(given.times)
                ]
                _tell(way, stops)
        if not given.only or "sql" in given.only:
            _tell("sql", [_stopped_query(query, random) for query in QUERIES for _ in range(given.times)])


def _stopped_run(
    lake: Path, how: list[str], stage: str, moment: float, whole: dict[str, str], random: Random
) -> Stopped:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "lake"
        shutil.copytree(lake, root)
        with running(run_words(root, how)) as command:
            wait_for(root, f"_meta/run=*/{stage}/**/plan.json", command)
            end = time.monotonic() + moment
            while time.monotonic() < end and command.process.poll() is None:
                time.sleep(0.001)
            if command.process.poll() is not None:
                return _stopped_run(lake, how, stage, moment / 2, whole, random)
            stopped = command.stop(random.choice([signal.SIGINT, signal.SIGTERM]), stage)
        leases = sorted(str(path.name) for path in root.glob("_meta/run=*/lease/*"))
        print(
            f"  {stage} +{moment:.2f}s {stopped.seconds:.2f} {stopped.all_seconds:.2f} {stopped.code} {leases}",
            flush=True,
        )
        assert stopped.code == CODES[signal.Signals(stopped.signal)], stopped
        assert "Traceback" not in stopped.told, stopped.told
        assert not leases
        with running(run_words(root, ["--runner", "local"])) as command:
            _, told = command.process.communicate()
            assert command.process.returncode == 0, told
        assert "has a driver" not in told
        assert digests(root) == whole
    return stopped


def _stopped_query(query: str, random: Random) -> Stopped:
    with tempfile.TemporaryDirectory() as name:
        lake = Path(name) / "_meta" / "lake.json"
        lake.parent.mkdir()
        lake.write_text('{"format_version": 2}')
        with running(["sql", query, "--root", name, "--format", "csv"]) as command:
            time.sleep(random.uniform(0.8, 3))
            stopped = command.stop(random.choice([signal.SIGINT, signal.SIGTERM]), query[:20])
    print(
        f"  {query[:30]} {stopped.seconds:.2f} {stopped.all_seconds:.2f} {stopped.code} {stopped.told[-200:]!r}",
        flush=True,
    )
    return stopped


def _tell(way: str, stops: list[Stopped]) -> None:
    ends, alls = [stop.seconds for stop in stops], [stop.all_seconds for stop in stops]
    print(
        f"| {way} | {len(stops)} | {statistics.median(ends):.2f} | {max(ends):.2f} | "
        f"{statistics.median(alls):.2f} | {max(alls):.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
