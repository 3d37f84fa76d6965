"""Workers: the same dump by one worker, held to one core or not, and by two, on Ray; the bytes are compared."""

import tempfile
from contextlib import nullcontext
from typing import NamedTuple

from jobs.main_path import run_stages
from jobs.run.context import Run
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from jobs.runners.ray import RayRunner
from schemas.experiment import Experiment
from schemas.manifest import Manifest
from schemas.stages import checkpoint_unit
from tests.benchmarks.measure import Theme, one_core, ratios, seconds, spread
from tests.benchmarks.python_source import WINDOW, Network, python_source

HELD, ONE, TWO = "1, held to one core", "1", "2"


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    windows: int  # of a shard
    shards: int
    sides: tuple[str, ...]


FULL, QUICK = Sizes(5, Network(2, 128), 160, 16, (HELD, ONE, TWO)), Sizes(1, Network(1, 8), 2, 2, (HELD, TWO))


def run(*, quick: bool) -> Theme:
    """Each in turn; each in a Ray of its own, which is warm when the clock starts."""
    sizes = QUICK if quick else FULL
    times: dict[str, list[float]] = {side: [] for side in sizes.sides}
    digests: set[tuple[str, ...]] = set()
    with tempfile.TemporaryDirectory() as root:
        job = open_run(_experiment(sizes), root)
        run_stages(job, LocalRunner(), ["generate", "train"])
        for turn in range(sizes.rounds):
            for side in sizes.sides[:: 1 if turn % 2 else -1]:
                with one_core() if side == HELD else nullcontext():
                    times[side].append(_timed(job, 2 if side == TWO else 1))
                digests.add(tuple(stored.blake3 for stored in _dump(job).objects))
    values = sizes.shards * sizes.windows * WINDOW * sizes.network.values_per_step
    return Theme(
        title="Workers",
        method=(
            f"The dump stage of a {sizes.network} LSTM on Python source, {values / 1e6:.0f} M values in "
            f"{sizes.shards} pieces, on a Ray of one core and of two; starting Ray and its processes is not timed "
            "(all pieces are made, removed, and made again)."
        ),
        header=("workers", "M values/s", "speed-up"),
        rows=[
            (side, spread([values / 1e6 / t for t in took]), spread(ratios(times[HELD], took)))
            for side, took in times.items()
        ],
        notes=[
            "A single worker that is not held to one core packs a block there while it computes the next.",
            f"Dumps with a different digest among all {len(times) * sizes.rounds} runs: {len(digests) - 1}.",
        ],
        raw={"seconds": times, "distinct_digests": len(digests)},
    )


def _timed(job: Run, workers: int) -> float:
    with RayRunner(workers) as runner:
        run_stages(job, runner, ["dump"], replace="dump")
        return seconds(lambda: run_stages(job, runner, ["dump"], replace="dump"))


def _dump(job: Run) -> Manifest:
    (model,) = job.models
    (checkpoint,) = job.experiment.dumped_checkpoints
    return job.manifest("dump", checkpoint_unit(model.name, checkpoint))


def _experiment(sizes: Sizes) -> Experiment:
    return python_source(
        sizes.network,
        {"train": 8_000, "valid": 32, "probe": sizes.shards * sizes.windows},
        {"steps": 20, "evaluations": 1},
        dump={"sequences_per_shard": sizes.windows},
    )
