"""SIGINT and SIGTERM: an end in order and soon, or by force; then the same command goes on.

The bounds are generous, for busy machines; `python -m tests.jobs.stopping` measures (docs/s3.md has its table).
"""

import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from jobs.__main__ import main
from jobs.run.context import Run
from tests.conftest import REPOSITORY, digests
from tests.faults.forks import Forks
from tests.jobs.stopping import QUERIES, running, wait_for
from tests.jobs.toml_of import write_toml

BOUND = 15.0  # seconds; 3 are promised on a machine that is not busy
LOCAL, RAY = ["--runner", "local"], ["--workers", "2"]

# A command that never listens: what must hold of any.
DEAF = """
import time
from jobs.process import interruption

def deaf():
    told = False
    while True:
        try:
            if not told:  # in here, so that the signal cannot come before there is something to catch it
                print("ready", flush=True)
                told = True
            time.sleep(60)
        except KeyboardInterrupt:
            print("heard", flush=True)

interruption.SECONDS = {patience}
with interruption.interruptible():
    try:
        deaf()
    except KeyboardInterrupt:  # the second signal, when it comes just after the first was heard: as in main()
        interruption.end()
"""


def test_a_signal_that_another_handler_took_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ray's handler, in place while it starts, makes a SystemExit of SIGTERM."""

    def taken(_options: object) -> int:
        raise SystemExit(int(signal.SIGTERM))

    codes: list[int] = []

    def leave(code: int) -> NoReturn:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("jobs.__main__._do", taken)
    monkeypatch.setattr("jobs.process.interruption._descendants", set)
    monkeypatch.setattr("os._exit", leave)
    with pytest.raises(SystemExit):
        main(["runs"])
    assert codes == [143]
    assert "the same command goes on" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.long("on Ray: one starts and is stopped, the run goes on, nothing may be left")
@pytest.mark.parametrize(
    ("how", "stage", "number"),
    [
        (LOCAL, "train", signal.SIGTERM),
        (LOCAL, "dump", signal.SIGINT),
        pytest.param(RAY, "generate", signal.SIGINT, marks=pytest.mark.ray),  # while Ray starts
        pytest.param(RAY, "train", signal.SIGTERM, marks=pytest.mark.ray),
    ],
)
def test_a_run_ends_soon_leaves_nothing_and_goes_on(
    tmp_path: Path, small_lake: Run, forks: Forks, how: list[str], stage: str, number: int
) -> None:
    toml, root = write_toml(tmp_path / "tiny.toml", small_lake.experiment), tmp_path / "lake"
    words = ["run", str(toml), "--root", str(root), *how]
    with running(words) as command:
        wait_for(root, f"_meta/run=*/{stage}/**/plan.json", command)
        stopped = command.stop(number, seconds=BOUND)
    assert stopped.code == 128 + number
    assert stopped.told.endswith("unrolled: stopped; the same command goes on from here\n")
    assert "Traceback" not in stopped.told
    ended = forks.run(words)
    assert ended.code == 0, ended.told
    assert "has a driver" not in ended.told, "it need not wait for the lease"
    assert digests(root) == digests(small_lake.root)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("a Ray starts, and is killed as it stops")
def test_a_second_signal_leaves_nothing_of_ray(tmp_path: Path, small_lake: Run) -> None:
    toml, root = write_toml(tmp_path / "tiny.toml", small_lake.experiment), tmp_path / "lake"
    words = ["run", str(toml), "--root", str(root), *RAY, "--set", "training.steps=100000"]
    with running(words) as command:
        wait_for(root, "metrics/**/*.parquet", command)
        stopped = command.stop(signal.SIGINT, again=0.1, seconds=BOUND)
    assert stopped.code == 130, stopped
    assert "Traceback" not in stopped.told


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES, ids=["rows that stream", "a sum", "a sort"])
def test_a_query_ends_soon(tiny_lake: Run, query: str) -> None:
    with running(["sql", query, "--root", tiny_lake.root, "--format", "csv"]) as command:
        with pytest.raises(subprocess.TimeoutExpired):
            command.process.wait(2)
        stopped = command.stop(signal.SIGTERM, seconds=BOUND)
    assert stopped.code == 143, stopped
    assert stopped.told == "unrolled: stopped; the same command goes on from here\n"


@pytest.mark.parametrize("patience", [0.2, 600])
def test_what_does_not_end_in_order_is_ended(patience: float) -> None:
    """After some seconds, or at once by a second signal; the code is the first one's."""
    deaf = subprocess.Popen(
        [sys.executable, "-c", DEAF.format(patience=patience)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    with deaf:
        assert deaf.stdout
        assert deaf.stdout.readline() == "ready\n"
        deaf.send_signal(signal.SIGTERM)
        assert deaf.stdout.readline() == "heard\n"
        if patience > 1:
            deaf.send_signal(signal.SIGINT)
        assert deaf.wait(BOUND) == 143
