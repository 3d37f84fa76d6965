"""One model on two workers of a real Ray, killed or not, beside the plain loop."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import digests
from tests.faults.clusters import add_node, ray_cluster
from tests.jobs.stopping import Command, running, wait_for

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

UPDATES = 1_000
SETTINGS = {
    "corpus.train": 500,
    "model.hidden_size": 12,
    "training.steps": UPDATES,
    "training.evaluations": 4,
    "training.accumulate": 2,
    "training.truncate": 8,
}
WORDS = ["train", "counting", "--set", "model.seeds=1", "--workers", "2", "--save-every", "0"]


def command(root: Path, *words: str, stage: str = "train") -> list[str]:
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    return [stage, *WORDS[1:], *settings, "--root", str(root), *words]


def finished(root: Path, *words: str) -> str:
    """Train to the end; what was told."""
    with running(command(root, "--until", "generate", stage="run")) as generate:
        assert generate.process.wait(120) == 0
    with running(command(root, *words)) as train:
        return end_of(train)


def end_of(train: Command) -> str:
    _, told = train.process.communicate(timeout=240)
    assert train.process.returncode == 0, told
    return str(told)


def trained(root: Path) -> dict[str, str]:
    found = digests(root)
    return {path: digest for path, digest in found.items() if path.startswith(("checkpoints", "metrics"))}


def metrics(root: Path) -> list[dict[str, Any]]:
    paths = sorted(root.glob("metrics/run=*/model=*/*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    finished(root)
    return root


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("by_two")
    finished(root, "--data-parallel", "2")
    return root


def test_a_group_of_one_is_the_plain_loop(tmp_path: Path, plain: Path) -> None:
    finished(tmp_path, "--data-parallel", "1:1")
    assert trained(tmp_path) == trained(plain)


def test_two_workers_do_what_one_does_but_for_rounding(plain: Path, by_two: Path) -> None:
    ones, twos = metrics(plain), metrics(by_two)
    assert {row["workers"] for row in ones} == {1}
    assert {row["workers"] for row in twos} == {2}
    for one, other in zip(ones, twos, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.01)


def test_what_a_worker_refuses_is_told_once(tmp_path: Path) -> None:
    words = ("--until", "train", "--data-parallel", "2", "--set", "training.batch_size=3")
    with running(command(tmp_path, *words, stage="run")) as train:
        _, told = train.process.communicate(timeout=240)
    assert train.process.returncode == 2
    assert "a batch of 3 sequences is too small for 2 workers in 2 parts" in told.splitlines()[-1]


def test_more_workers_than_cores_are_refused(tmp_path: Path) -> None:
    with running(command(tmp_path, "--until", "train", "--data-parallel", "3", stage="run")) as train:
        _, told = train.process.communicate(timeout=240)
    assert train.process.returncode == 2
    assert "training asks for 3 cores and 0 GPUs, and Ray has 2 cores and 0 GPUs here" in told.splitlines()[-1]


def test_a_worker_that_is_killed_is_replaced_and_the_end_is_the_same(tmp_path: Path, by_two: Path) -> None:
    with running(command(tmp_path, "--until", "generate", stage="run")) as generate:
        assert generate.process.wait(120) == 0
    with running(command(tmp_path, "--data-parallel", "2")) as train:
        os.kill(worker_of(train, tmp_path), signal.SIGKILL)
        told = end_of(train)
    assert "lost its worker" in told
    assert trained(tmp_path) == trained(by_two)


@pytest.mark.timeout(600)
def test_a_group_grows_when_a_machine_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--data-parallel", "1:2", "--set", "training.steps=4000", "--set", "training.evaluations=20")
    with ray_cluster(1, cores=1) as (cluster, _):
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        with running(command(tmp_path, "--until", "train", *words, stage="run")) as train:
            wait_for(tmp_path, "metrics/run=*/model=*/*", train, seconds=120)
            add_node(cluster, cores=1)
            end_of(train)
    rows = metrics(tmp_path)
    workers = [row["workers"] for row in rows]
    assert (workers[0], workers[-1], workers) == (1, 2, sorted(workers))
    assert sorted({row["train_step"] for row in rows}) == list(range(0, 4_001, 200))


def worker_of(train: Command, root: Path) -> int:
    """A worker's process, once the group has left a state that it could go on from."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if list(root.glob("_meta/run=*/train/whole/resume/*")):
            for process in train.alive():
                if "RayTrainWorker" in Path(f"/proc/{process}/cmdline").read_text():
                    return process
        time.sleep(0.05)
    raise AssertionError("no worker was seen")
