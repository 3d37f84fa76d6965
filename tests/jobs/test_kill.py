"""kill -9 in the middle of every stage, then the same command again: the same bytes."""

import signal
import time
from pathlib import Path

import pytest

from jobs.run.context import Run
from pipeline.storage.folder import Folder
from schemas.stages import TABLES_OF
from tests.conftest import STAGE_NAMES, digests, do_all, tiny_run
from tests.faults.forks import Driver, Forks
from tests.jobs.conftest import SMALL
from tests.jobs.toml_of import write_toml

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
ENDS_RAY = pytest.mark.long("a Ray starts, and is given time to end")


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_killed_and_resumed_gives_the_same_bytes(
    tmp_path: Path, small_lake: Run, forks: Forks, stage: str
) -> None:
    toml = write_toml(tmp_path / "tiny.toml", small_lake.experiment)
    parts = [f"/{name}/" for name in (stage, *TABLES_OF[stage])]
    for number, when in [moment[1:] for moment in MOMENTS if moment[0] == stage]:
        root = tmp_path / f"{number}-{when}"
        hooks = {"kill_at_object": [parts, number, when]}
        done = forks.run(["run", str(toml), "--root", str(root), "--runner", "local"], hooks)
        assert done.code == -signal.SIGKILL, done.told
        assert not list(root.glob(f"_meta/run=*/{stage}/whole/manifest.json"))
        left = digests(root)
        assert len(left) < len(digests(small_lake.root)), "it was killed after all was done"
        run = tiny_run(root, model=SMALL)
        assert do_all(run) > 0
        assert digests(root) == digests(small_lake.root)
        assert left.items() <= digests(root).items()
        assert do_all(run) == 0


def test_training_goes_on_from_its_last_state(
    tmp_path: Path, small_lake: Run, monkeypatch: pytest.MonkeyPatch
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
    assert digests(run.root) == digests(small_lake.root)
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
@pytest.mark.long("two drivers start a Ray each")
def test_a_ray_driver_killed_while_it_trains_is_resumed(tmp_path: Path, small_lake: Run, forks: Forks) -> None:
    toml, root = write_toml(tmp_path / "tiny.toml", small_lake.experiment), tmp_path / "lake"
    words = ["run", str(toml), "--root", str(root), "--workers", "2"]
    driver = forks.start(words)
    wait_for(root, "checkpoints/**/*.safetensors", driver)
    driver.kill()
    assert forks.wait(driver).code == -signal.SIGKILL
    assert not list(root.glob("_meta/run=*/score/**/manifest.json"))
    done = forks.run(words)
    assert done.code == 0, done.told
    assert digests(root) == digests(small_lake.root)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["local", pytest.param("ray", marks=[pytest.mark.ray, ENDS_RAY])])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_and_no_traceback(
    tmp_path: Path, small_lake: Run, forks: Forks, number: int, code: int, runner: str
) -> None:
    toml, root = write_toml(tmp_path / "tiny.toml", small_lake.experiment), tmp_path / "lake"
    words = ["run", str(toml), "--root", str(root), "--runner", runner, "--set", "training.steps=100000"]
    driver = forks.start(words)
    wait_for(root, "metrics/**/*.parquet", driver)
    driver.signal(number)
    ended = forks.wait(driver, 30)
    assert ended.code == code, ended.told
    assert "Traceback" not in ended.told


def wait_for(root: Path, pattern: str, driver: Driver, seconds: float = 60) -> None:
    """Wait until a lake has an object. Raises AssertionError when the driver has ended before that."""
    end = time.monotonic() + seconds
    while not list(root.glob(pattern)):
        assert driver.runs(), driver.told.read_text()
        assert time.monotonic() < end, f"no {pattern} after {seconds:g} s"
        time.sleep(0.005)
