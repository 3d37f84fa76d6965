"""Memory: the peak of a dump of 10 shards against one of 100 shards of the same size, each in a fresh process.

Generate and train are done before, by this process. The peak is Linux's VmHWM, the most resident memory of the
fresh process. `getrusage`'s ru_maxrss would not do: it begins at the peak of the process that started this one.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from jobs.main_path import run_stages
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from schemas.experiment import Experiment
from tests.benchmarks.measure import Theme, number, ratios, spread
from tests.benchmarks.python_source import WINDOW, Network, python_source

REPOSITORY = Path(__file__).parent.parent.parent
STATUS = Path("/proc/self/status")


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    train: int  # windows
    windows: int  # of a shard
    shards: tuple[int, int]


FULL = Sizes(2, Network(2, 128), 10_000, 40, (10, 100))
QUICK = Sizes(1, Network(1, 8), 8_000, 2, (2, 4))


def run(*, quick: bool) -> Theme:
    """Both dumps, in turn."""
    sizes = QUICK if quick else FULL
    before: list[float] = []
    peaks: dict[int, list[float]] = {count: [] for count in sizes.shards}
    with tempfile.TemporaryDirectory() as root:
        for count in sizes.shards:
            run_stages(open_run(_experiment(sizes, count), root), LocalRunner(), ["generate", "train"])
        for _ in range(sizes.rounds):
            for count in sizes.shards:
                imported, peak = _dump_in_fresh_process(root, count, quick=quick)
                before.append(imported)
                peaks[count].append(peak)
    few, many = sizes.shards
    values = sizes.windows * WINDOW * sizes.network.values_per_step
    growth = ratios(peaks[many], peaks[few])
    return Theme(
        title="Memory",
        method=(
            f"The dump stage of a {sizes.network} LSTM on Python source, {sizes.windows} windows of {WINDOW} "
            f"({values / 1e6:.1f} M values) a shard, in a fresh process: {few} shards, then {many}, "
            f"{sizes.rounds} times. The peak is VmHWM of that process."
        ),
        header=("shards", "values, M", "peak, MB"),
        rows=[
            ("none (imports only)", "0", spread(before)),
            *((str(count), number(count * values / 1e6), spread(peaks[count])) for count in sizes.shards),
        ],
        notes=[f"{many} shards / {few} shards: {number(median(growth))} times the peak."],
        raw={"imports": before, "peaks": {str(count): found for count, found in peaks.items()}},
    )


def _experiment(sizes: Sizes, shards: int) -> Experiment:
    return python_source(
        sizes.network,
        {"train": sizes.train, "valid": 32, "probe": shards * sizes.windows},
        {"steps": 20, "evaluations": 1},
        dump={"sequences_per_shard": sizes.windows},
    )


def _dump_in_fresh_process(root: str, shards: int, *, quick: bool) -> tuple[float, float]:
    """Peaks in MB: when the modules are imported, and when the dump is done."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", root, str(shards), "quick" if quick else "full"]
    answer = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    imported, peak = json.loads(answer.stdout)
    return imported, peak


def _peak() -> float:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1000  # the system counts in kB


def _dump(root: str, shards: int, size: str) -> None:
    """What the fresh process does; an earlier dump of the same run is made again."""
    imported = _peak()
    experiment = _experiment(QUICK if size == "quick" else FULL, shards)
    run_stages(open_run(experiment, root), LocalRunner(), ["dump"], replace="dump")
    print(json.dumps([imported, _peak()]))


if __name__ == "__main__":
    _dump(sys.argv[1], int(sys.argv[2]), sys.argv[3])
