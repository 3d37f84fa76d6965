"""Fixtures: a home of its own, a tiny experiment, and one lake that it fills once a session."""

import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, settings

from jobs.main_path import STAGES, run_stages
from jobs.run.context import Run
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from pipeline.storage.folder import Folder
from schemas.parse import parse_experiment
from tests.s3 import BUCKET, localbucket_server, moto_server, s3_environment

pytest_plugins = ["tests.scheduling"]

# A contract's tests are inherited by every member on purpose; without a database nothing is replayed wrongly.
INHERITED = [HealthCheck.differing_executors]
for profile, examples in (("dev", 25), ("ci", 100), ("deep", 2000)):
    settings.register_profile(
        profile, max_examples=examples, deadline=None, database=None, suppress_health_check=INHERITED
    )
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# As the stages do. Two threads on a tiny network mostly wait for one another, tenfold on a busy machine.
torch.set_num_threads(1)

REPOSITORY = Path(__file__).parent.parent
STAGE_NAMES = [stage.name for stage in STAGES]

# Every cell, one and two layers; small enough to train in seconds.
TINY = {
    "name": "tiny",
    "task": {"name": "counting", "maximum": 4},
    "corpus": {"train": 120, "valid": 20, "probe": 40},
    "model": {
        "cell": ["feedforward", "rnn", "lstm", "gru", "peephole_lstm"],
        "layers": [1, 2],
        "hidden_size": [5],
    },
    "training": {"steps": 12, "batch_size": 16, "checkpoints": 2, "evaluations": 3},
    "dump": {"checkpoints": "all", "sequences_per_shard": 15},
    "score": {"hypotheses": ["count_a", "remaining_b", "is_separator"], "headline": ["count_a", "remaining_b"]},
    "extrapolate": {"maximum": 6, "samples": 2},
    "sample": {"length": 12, "samples": 2, "prompt": "a"},
}


def tiny_run(root: Path | str, **sections: Mapping[str, object]) -> Run:
    """The tiny experiment in a lake, some of its sections changed; a section with a name is another one."""
    document: dict[str, Any] = dict(TINY)
    for name, changes in sections.items():
        document[name] = changes if "name" in changes else {**document[name], **changes}
    return open_run(parse_experiment(document, "tiny"), str(root))


def do_all(run: Run) -> int:
    """Every stage in this process; the number of units that had to be published."""
    return run_stages(run, LocalRunner(), STAGE_NAMES)


def digests(root: Path | str) -> dict[str, str]:
    """What a lake's manifests list, by path; two tables hold clock readings and are compared by their rows."""
    folder, found = Folder(str(root)), {}
    for manifest in folder.list("_meta"):
        if not manifest.endswith("/manifest.json"):
            continue
        for stored in json.loads(folder.read(manifest))["objects"]:
            if stored["table"] == "runs":
                found[stored["path"]] = "one row"
            elif stored["table"] == "metrics":
                rows = pq.read_table(pa.BufferReader(folder.read(stored["path"])))
                found[stored["path"]] = str(rows.drop(["chars_per_second"]).to_pylist())
            else:
                found[stored["path"]] = stored["blake3"]
    return found


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray and matplotlib write into the home folder; ours stays as it is. No cluster or credential leaks in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        for name in os.environ:
            if name.startswith(("AWS_", "UNROLLED_")) or name == "RAY_ADDRESS":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def tiny_lake(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run of the tiny experiment; tests only read it."""
    run = tiny_run(tmp_path_factory.mktemp("tiny") / "lake")
    do_all(run)
    return run


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run with two of everything, for stores where each shard costs requests; tests only read it."""
    run = tiny_run(
        tmp_path_factory.mktemp("small") / "lake",
        model={"cell": ["lstm", "gru"], "layers": [2]},
        dump={"sequences_per_shard": 20},
    )
    do_all(run)
    return run


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of an S3 server that lives as long as the session."""
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def localbucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an S3 server of another make."""
    with localbucket_server(tmp_path_factory.mktemp("localbucket")) as endpoint:
        yield endpoint


@pytest.fixture
def s3_root(s3_server: str, tmp_path: Path) -> Iterator[str]:
    """A root on S3 of this test alone; its server and keys are in the environment, as a user sets them."""
    with s3_environment(s3_server):
        yield f"s3://{BUCKET}/{tmp_path.name}-{uuid.uuid4().hex[:8]}"
