"""One model on two workers of a real Ray, killed or not, beside the plain loop."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from ray._private.node import Node
from ray.cluster_utils import Cluster

from tests.conftest import digests
from tests.faults.clusters import add_node, ray_cluster, ray_nodes, workers
from tests.faults.forks import Driver, Ended, Forks
from tests.jobs.test_kill import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("clusters")]

SETTINGS = {
    "corpus.train": 500,
    "model.hidden_size": 12,
    "model.seeds": 1,
    "training.steps": 600,
    "training.evaluations": 4,
    "training.accumulate": 2,
    "training.truncate": 8,
}
SECONDS = 240.0  # that a training may take


class Trainings:
    """Trains on a Ray that is there, in processes that are forked."""

    def __init__(self, forks: Forks, cluster: Cluster, nodes: list[Node], generated: Path) -> None:
        self.cluster, self.nodes = cluster, nodes
        self._forks, self._generated = forks, generated
        # Ray Train asks every 2 s how its workers are.
        self._environment = {"RAY_ADDRESS": cluster.address, "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2"}

    def start(self, root: Path, *more: str, stage: str = "train") -> Driver:
        """Begin, with the probe that is the same for all unless the whole run is asked for."""
        if stage == "train":
            shutil.copytree(self._generated, root, dirs_exist_ok=True)
        return self._forks.start(words(root, *more, stage=stage), environment=self._environment)

    def wait(self, driver: Driver) -> Ended:
        """Its end, whatever that is."""
        return self._forks.wait(driver, SECONDS)

    def finish(self, root: Path, *more: str, stage: str = "train") -> str:
        """Train to the end; what was told."""
        return self.end_well(self.start(root, *more, stage=stage))

    def end_well(self, driver: Driver) -> str:
        """What is told by a training that ends well."""
        ended = self.wait(driver)
        assert ended.code == 0, ended.told
        return ended.told


def words(root: Path, *more: str, stage: str) -> list[str]:
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    return [stage, "counting", *settings, "--workers", "2", "--save-every", "0", "--root", str(root), *more]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Iterator[Trainings]:
    generated = tmp_path_factory.mktemp("generated")
    made = forks.run(words(generated, "--until", "generate", "--runner", "local", stage="run"))
    assert made.code == 0, made.told
    with ray_cluster() as cluster, ray_nodes(cluster, 2, cores=1) as (_, nodes):
        yield Trainings(forks, cluster, nodes, generated)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, trainings: Trainings) -> Path:
    root = tmp_path_factory.mktemp("plain")
    trainings.finish(root)
    return root


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory, trainings: Trainings) -> Path:
    root = tmp_path_factory.mktemp("by_two")
    trainings.finish(root, "--data-parallel", "2")
    return root


def trained(root: Path) -> dict[str, str]:
    found = digests(root)
    return {path: digest for path, digest in found.items() if path.startswith(("checkpoints", "metrics"))}


def metrics(root: Path) -> list[dict[str, Any]]:
    paths = sorted(root.glob("metrics/run=*/model=*/*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


@pytest.mark.long("trains by a group of one, after the plain loop")
def test_a_group_of_one_is_the_plain_loop(tmp_path: Path, trainings: Trainings, plain: Path) -> None:
    trainings.finish(tmp_path, "--data-parallel", "1:1")
    assert trained(tmp_path) == trained(plain)


def test_two_workers_do_what_one_does_but_for_rounding(plain: Path, by_two: Path) -> None:
    ones, twos = metrics(plain), metrics(by_two)
    assert {row["workers"] for row in ones} == {1}
    assert {row["workers"] for row in twos} == {2}
    for one, other in zip(ones, twos, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.01)


@pytest.mark.long("Ray Train starts a group, and ends it when its workers refuse")
def test_what_a_worker_refuses_is_told_once(tmp_path: Path, trainings: Trainings) -> None:
    more = ("--until", "train", "--data-parallel", "2", "--set", "training.batch_size=3")
    ended = trainings.wait(trainings.start(tmp_path, *more, stage="run"))
    assert ended.code == 2
    assert "a batch of 3 sequences is too small for 2 workers in 2 parts" in ended.told.splitlines()[-1]


def test_more_workers_than_cores_are_refused(tmp_path: Path, forks: Forks) -> None:
    """By a Ray of one's own, which can never grow."""
    ended = forks.run(words(tmp_path, "--until", "train", "--data-parallel", "3", stage="run"))
    assert ended.code == 2
    told = ended.told.splitlines()[-1]
    assert "training asks for 3 cores and 0 GPUs, and Ray has 2 cores and 0 GPUs here" in told


@pytest.mark.long("a group of two starts twice")
def test_a_worker_that_is_killed_is_replaced_and_the_end_is_the_same(
    tmp_path: Path, trainings: Trainings, by_two: Path
) -> None:
    driver = trainings.start(tmp_path, "--data-parallel", "2")
    # Once the group has left a state that it could go on from.
    wait_for(tmp_path, "_meta/run=*/train/whole/resume/*", driver, seconds=120)
    os.kill(worker_of(trainings.nodes), signal.SIGKILL)
    assert "lost its worker" in trainings.end_well(driver)
    assert trained(tmp_path) == trained(by_two)


@pytest.mark.long("a group of one starts, then one of two")
@pytest.mark.timeout(600)
def test_a_group_grows_when_a_machine_comes(tmp_path: Path, trainings: Trainings) -> None:
    trainings.cluster.remove_node(trainings.nodes.pop())
    try:
        more = ("--data-parallel", "1:2", "--set", "training.steps=2400", "--set", "training.evaluations=20")
        driver = trainings.start(tmp_path, "--until", "train", *more, stage="run")
        wait_for(tmp_path, "metrics/run=*/model=*/*", driver, seconds=120)
        worker = worker_of(trainings.nodes)
        os.kill(worker, signal.SIGSTOP)  # else it might be done before the machine has come
    finally:
        trainings.nodes.append(add_node(trainings.cluster, cores=1))
    slow_down(worker)
    trainings.end_well(driver)
    rows = metrics(tmp_path)
    counts = [row["workers"] for row in rows]
    assert (counts[0], counts[-1], counts) == (1, 2, sorted(counts))
    assert sorted({row["train_step"] for row in rows}) == list(range(0, 2_401, 120))


def slow_down(worker: int, seconds: float = 120) -> None:
    """Let a process work a tenth of the time until it goes, so that Ray has time to see what has come."""
    end = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(worker)
        while time.monotonic() < end and process.status() != psutil.STATUS_ZOMBIE:
            process.resume()
            time.sleep(0.02)
            process.suspend()
            time.sleep(0.18)
        process.resume()


def worker_of(nodes: list[Node], seconds: float = 120) -> int:
    """A process of a group's workers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for node in nodes:
            for process in workers(node, "ray::RayTrainWorker"):
                return process
        time.sleep(0.01)
    raise AssertionError("no worker was seen")
