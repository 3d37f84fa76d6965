"""Workers that train one model together, on a real Ray, against one."""

import tempfile
from dataclasses import replace
from typing import NamedTuple

from jobs.main_path import run_stages
from jobs.run.context import Run
from jobs.run.opening import open_run
from jobs.run.placement import Placement
from jobs.runners.local import LocalRunner
from jobs.runners.ray import RayRunner
from pipeline.storage.shards import read_shards
from schemas.stages import WHOLE
from tests.benchmarks.measure import Theme, ratios, spread
from tests.benchmarks.python_source import Network, python_source

PLAIN, ONE, TWO = "plain loop", "Ray Train, 1", "Ray Train, 2"
WAYS = {PLAIN: None, ONE: (1, 1), TWO: (2, 2)}


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    updates: int
    batch: int
    ways: tuple[str, ...]


FULL, QUICK = Sizes(3, Network(2, 256), 30, 64, (PLAIN, ONE, TWO)), Sizes(1, Network(1, 8), 4, 8, (PLAIN, TWO))


def run(*, quick: bool) -> Theme:
    """Each in turn; a way's speed is what its last span's row of `metrics` tells."""
    sizes = QUICK if quick else FULL
    speeds: dict[str, list[float]] = {way: [] for way in sizes.ways}
    with tempfile.TemporaryDirectory() as root:
        for turn in range(sizes.rounds):
            for way in sizes.ways[:: -1 if turn % 2 else 1]:
                speeds[way].append(_speed(sizes, f"{root}/{turn}-{len(speeds[way])}-{way}", way))
    plain = [1 / speed for speed in speeds[PLAIN]]
    return Theme(
        title="Training together",
        method=(
            f"The train stage of a {sizes.network} LSTM on Python source: {sizes.updates} updates of "
            f"{sizes.batch} windows after as many that are not timed, a thread each; starting Ray is not timed. "
            f"{sizes.rounds} alternations."
        ),
        header=("way", "k characters/s", "of the plain loop"),
        rows=[
            (way, spread([s / 1000 for s in found]), spread(ratios(plain, [1 / s for s in found])))
            for way, found in speeds.items()
        ],
        notes=["Gradients are summed by gloo over the loopback address, once an update."],
        raw={"characters_per_second": speeds},
    )


def _speed(sizes: Sizes, root: str, way: str) -> float:
    experiment = python_source(
        sizes.network,
        {"train": 4_000, "valid": 32, "probe": 1},
        {"steps": 2 * sizes.updates, "evaluations": 2, "batch_size": sizes.batch},
    )
    job = replace(open_run(experiment, root), placement=Placement(together=WAYS[way]))
    run_stages(job, LocalRunner(), ["generate"])
    if WAYS[way] is None:
        run_stages(job, LocalRunner(), ["train"])
    else:
        with RayRunner(2) as runner:
            run_stages(job, runner, ["train"])
    return _last_speed(job)


def _last_speed(job: Run) -> float:
    metrics = [stored for stored in job.manifest("train", WHOLE).objects if stored.table == "metrics"]
    rows = read_shards(job.folder, metrics, ["train_step", "chars_per_second"]).to_pylist()
    return float(max(rows, key=lambda row: row["train_step"])["chars_per_second"])
