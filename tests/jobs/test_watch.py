"""What is seen of a training from outside."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread
from tensorboardX.proto.event_pb2 import Event

from jobs.driver.watch import TrainingWatch
from jobs.main_path import run_stages
from jobs.process.progress import Live, Progress
from jobs.run.context import Run
from jobs.run.placement import HERE, Placement
from jobs.runners.local import LocalRunner
from pipeline.storage.folder import Folder
from tests.conftest import tiny_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("watch")
    run = tiny_run(folder / "lake", model={"cell": ["lstm"], "layers": [1, 2]})
    run = replace(run, placement=Placement(tensorboard=str(folder / "events")))
    run_stages(run, LocalRunner(), ["generate", "train"])
    return run


def test_it_tells_how_far_training_is(trained: Run) -> None:
    live = TrainingWatch(replace(trained, placement=HERE))()
    assert live.done == 24  # two models of 12 updates
    assert live.remark.startswith("lstm-")
    assert "bits/char" in live.remark
    assert "characters/s" in live.remark


def test_the_picture_lies_in_the_run_s_folder(trained: Run) -> None:
    picture = imread(Path(trained.root, f"_meta/run={trained.id}/training.png"))
    assert picture.shape == (400, 700, 4)
    assert (picture[..., :3] < 0.5).any()


def test_tensorboard_gets_every_evaluation(trained: Run) -> None:
    found: dict[str, set[int]] = {}
    for path in Path(trained.placement.tensorboard).rglob("events.*"):
        data = path.read_bytes()
        while data:  # length in 8 bytes, its checksum in 4, the event, its checksum in 4
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            for value in event.summary.value:
                found.setdefault(f"{path.parent.name} {value.tag}", set()).add(event.step)
            data = data[16 + size :]
    assert found["lstm-1x5-seed0 bits_per_char/valid"] == {0, 4, 8, 12}
    assert found["lstm-2x5-seed0 bits_per_char/train"] == {4, 8, 12}


def test_a_command_that_goes_on_counts_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Of three pieces of 100, one was finished and one begun when it started."""
    seen = iter([150.0, 225.0, 150.0, 150.0])

    def watch(*, last: bool = False) -> Live:
        return Live(next(seen))

    with Progress("train", 200.0, "updates", watch, before=100.0):
        pass
    assert capsys.readouterr().err.startswith("train         50%")
    with Progress("train", 200.0, "updates", watch, before=100.0) as progress:
        progress.add(100.0)  # the one that had been begun
    assert capsys.readouterr().err.startswith("train         33%")


def test_a_run_without_metrics_is_at_its_beginning(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    assert TrainingWatch(run)(last=True) == (0.0, "")
    assert not Folder(run.root).exists(f"_meta/run={run.id}/training.png")
