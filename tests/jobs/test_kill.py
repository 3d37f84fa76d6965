"""kill -9 in the middle of every stage, then the same command again: the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.run.context import Run
from pipeline.storage.folder import Folder
from tests.conftest import STAGE_NAMES, digests, do_all, tiny_run
from tests.jobs.toml_of import write_toml

SMALL = {"cell": ["lstm", "peephole_lstm"], "layers": [2]}
REPOSITORY = Path(__file__).parents[2]

# The Nth object of a stage, counted from its plan: among its shards, its records, its manifest.
MOMENTS = [
    ("generate", 2, "before"),
    ("generate", 3, "during"),
    ("generate", 7, "after"),
    ("train", 3, "during"),
    ("train", 9, "after"),
    ("train", 14, "before"),
    ("dump", 2, "before"),
    ("dump", 9, "during"),
    ("dump", 10, "after"),
    ("annotate", 3, "during"),
    ("annotate", 4, "after"),
    ("score", 2, "before"),
    ("score", 5, "during"),
    ("extrapolate", 3, "after"),
    ("extrapolate", 6, "before"),
    ("sample", 2, "during"),
    ("sample", 3, "after"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = tiny_run(tmp_path_factory.mktemp("undisturbed") / "lake", model=SMALL)
    do_all(run)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_killed_and_resumed_gives_the_same_bytes(tmp_path: Path, undisturbed: Run, stage: str) -> None:
    toml = write_toml(tmp_path / "tiny.toml", undisturbed.experiment)
    for number, when in [moment[1:] for moment in MOMENTS if moment[0] == stage]:
        root = tmp_path / f"{number}-{when}"
        script = [sys.executable, "-m", "tests.jobs.killed", str(toml), str(root), stage, str(number), when]
        done = subprocess.run(script, check=False, capture_output=True, text=True, cwd=REPOSITORY)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not list(root.glob(f"_meta/run=*/{stage}/whole/manifest.json"))
        left = digests(root)
        assert len(left) < len(digests(undisturbed.root)), "it was killed after all was done"
        run = tiny_run(root, model=SMALL)
        assert do_all(run) > 0
        assert digests(root) == digests(undisturbed.root)
        assert left.items() <= digests(root).items()
        assert do_all(run) == 0


def test_training_goes_on_from_its_last_state(
    tmp_path: Path, undisturbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was trained before the kill is not trained again."""
    from pipeline.training.trainer import Trainer

    run = tiny_run(tmp_path / "lake", model=SMALL)
    starts: list[int] = []
    advance = Trainer.advance

    def watched(self: Trainer, train_step: int) -> object:
        starts.append(self.train_step)
        if starts.count(8) == 1 and self.train_step == 8:
            raise KeyboardInterrupt  # as a signal would, between two evaluations
        return advance(self, train_step)

    monkeypatch.setattr(Trainer, "advance", watched)
    with pytest.raises(KeyboardInterrupt):
        do_all(run)
    do_all(run)
    killed = starts.index(8)
    assert starts[: killed + 1] == sorted(set(starts[: killed + 1]))
    assert starts[killed + 1] == 8
    assert digests(run.root) == digests(undisturbed.root)
    assert not list(Path(run.root).glob("_meta/**/*.safetensors")), "the state goes once the stage is published"


def test_no_state_outlives_the_manifest_of_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny_run(tmp_path / "lake")
    create = Folder.create

    def ends_behind_the_manifest(folder: Folder, path: str, data: bytes) -> bool:
        made = create(folder, path, data)
        if "/train/" in path and path.endswith("/manifest.json"):
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(Folder, "create", ends_behind_the_manifest)
    with pytest.raises(KeyboardInterrupt):
        do_all(run)
    assert not list(Path(run.root).glob("_meta/**/*.safetensors"))


@pytest.mark.slow
@pytest.mark.ray
def test_a_ray_driver_killed_while_it_trains_is_resumed(tmp_path: Path, tiny_lake: Run) -> None:
    toml = write_toml(tmp_path / "tiny.toml", tiny_lake.experiment)
    root = tmp_path / "lake"
    command = [sys.executable, "-m", "jobs", "run", str(toml), "--root", str(root), "--workers", "2"]
    driver = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 60
    while not list(root.glob("checkpoints/**/*.safetensors")):
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.005)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not list(root.glob("_meta/run=*/score/**/manifest.json"))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert digests(root) == digests(tiny_lake.root)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("runner", ["local", "ray"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_and_no_traceback(
    tmp_path: Path, undisturbed: Run, number: int, code: int, runner: str
) -> None:
    toml = write_toml(tmp_path / "tiny.toml", undisturbed.experiment)
    root = tmp_path / "lake"
    command = [sys.executable, "-m", "jobs", "run", str(toml), "--root", str(root), "--runner", runner]
    command += ["--set", "training.steps=100000"]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(root.glob("metrics/**/*.parquet")):
        assert time.monotonic() < end
        time.sleep(0.05)
    job.send_signal(number)
    _, told = job.communicate(timeout=30)
    assert job.returncode == code, told
    assert "Traceback" not in told
