"""One model's training in a lake: states in the middle of a span, and an early end."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from jobs.driver.stage import Piece
from jobs.main_path import run_stages
from jobs.run.context import Run
from jobs.run.placement import Placement, parse_gpus, parse_together
from jobs.runners.local import LocalRunner
from jobs.stages import train
from pipeline.storage.folder import Folder
from pipeline.training.trainer import Trainer
from schemas.errors import StorageError, UsageError
from tests.conftest import digests, tiny_run

ONE = {"cell": ["lstm"], "layers": [1]}


def trained(run: Run) -> Run:
    run_stages(run, LocalRunner(), ["generate", "train"])
    return run


def test_a_state_in_the_middle_of_a_span_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = {"steps": 12, "evaluations": 1, "checkpoints": 1}
    straight = trained(tiny_run(tmp_path / "straight", model=ONE, training=training))
    monkeypatch.setattr("jobs.course.STRETCH_SECONDS", 0.0)  # a look at the clock after every update
    run = tiny_run(tmp_path / "killed", model=ONE, training=training)
    run = replace(run, placement=Placement(save_minutes=0.0))
    spans: list[tuple[int, int]] = []
    advance = Trainer.advance

    def watched(self: Trainer, train_step: int) -> None:
        spans.append((self.train_step, train_step))
        if len(spans) == 7:
            raise KeyboardInterrupt
        advance(self, train_step)

    monkeypatch.setattr(Trainer, "advance", watched)
    with pytest.raises(KeyboardInterrupt):
        trained(run)
    trained(run)
    assert spans == [(at, at + 1) for at in (*range(7), *range(6, 12))]
    assert digests(run.root) == digests(straight.root)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocabulary.json"])
def test_what_rotted_of_a_killed_training_is_not_adopted(tmp_path: Path, name: str) -> None:
    """Neither by an attempt that begins anew, nor by one that goes on from a state behind the checkpoint."""
    run = tiny_run(tmp_path / "lake", model=ONE)
    states: list[bytes] = []
    replace_there = Folder.replace

    def kept(folder: Folder, path: str, data: bytes) -> None:
        states.append(data)
        replace_there(folder, path, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "replace", kept)
        trained(run)
    expected, unit = digests(run.root), Path(run.root, f"_meta/run={run.id}/train/whole")
    path = max(Path(run.root).glob(f"checkpoints/**/checkpoint=0/{name}"))
    right = path.read_bytes()
    for state in (b"", states[-1]):
        (unit / "manifest.json").unlink()
        (unit / "records/00000.json").unlink()
        (unit / "resume").mkdir(exist_ok=True)
        (unit / "resume/lstm-1x5-seed0.safetensors").write_bytes(state)
        path.write_bytes(right[:-9] + bytes([right[-9] ^ 1]) + right[-8:])
        with pytest.raises(StorageError, match=rf"{path} is damaged .*: remove that file alone, and type"):
            trained(run)
        path.write_bytes(right)
        trained(run)
        assert digests(run.root) == expected


def failing_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The second call of `advance` fails as CUDA makes it fail."""
    advance, calls = Trainer.advance, []

    def watched(self: Trainer, train_step: int) -> None:
        calls.append(train_step)
        if len(calls) == 2:
            raise error
        advance(self, train_step)

    monkeypatch.setattr(Trainer, "advance", watched)


def test_a_gpu_that_is_lost_costs_an_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = trained(tiny_run(tmp_path / "straight", model=ONE))
    failing_once(monkeypatch, torch.AcceleratorError("CUDA error: an illegal memory access\nmore"))
    run = trained(tiny_run(tmp_path / "lost", model=ONE))
    assert digests(run.root) == digests(straight.root)
    assert "an attempt lost its GPU (CUDA error: an illegal memory access); the next" in capsys.readouterr().err


def test_a_gpu_without_room_is_told_with_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_once(monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    with pytest.raises(
        UsageError, match=r"no room for lstm: raise training\.accumulate, or lower .*allocate 2 GiB"
    ):
        trained(tiny_run(tmp_path, model=ONE))


def test_what_a_group_has_trained_on_gpus_is_published_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that waits for the group runs wherever a core is free."""
    run = tiny_run(tmp_path, model=ONE)
    run_stages(run, LocalRunner(), ["generate"])
    plan = train.units(run)[0].plan(run, "train")
    piece = Piece(run, "train", plan.unit, 0, plan.fingerprint, run.models[0], 1.0)
    alone = train.work(piece)
    asked: list[Placement] = []
    monkeypatch.setattr("jobs.runners.together.call_together", lambda _, __, placement: asked.append(placement))
    grouped = replace(piece, run=replace(run, placement=Placement(together=(2, 99), gpus=1.0)))
    assert train.work(grouped) == alone
    assert asked[0].together == (2, run.experiment.training.batch_size)


def test_a_plan_tells_what_differs_from_the_defaults_alone(tmp_path: Path) -> None:
    """So a setting that is added later does not make what is there another thing."""
    run = tiny_run(tmp_path, model=ONE, training={"clip": 1.0})
    run_stages(run, LocalRunner(), ["generate"])
    settings = train.units(run)[0].settings
    assert settings["steps"] == 12
    assert not {"clip", "patience", "truncate"} & set(settings)


def test_training_that_no_longer_helps_ends_and_keeps_the_best_weights(tmp_path: Path) -> None:
    # A rate that throws the weights about: the first evaluations are soon not bettered.
    settings = {"steps": 60, "evaluations": 20, "checkpoints": 3, "learning_rate": 3.0, "patience": 2}
    run = trained(tiny_run(tmp_path, model=ONE, training=settings))
    paths = sorted(Path(run.root).glob("metrics/run=*/model=*/*.parquet"))
    valid = [row for path in paths for row in pq.read_table(path).to_pylist() if row["split"] == "valid"]
    losses = [row["loss"] for row in valid]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 21
    kept = {
        int(path.parent.name.split("=")[1]): path.read_bytes()
        for path in Path(run.root).glob("checkpoints/**/model.safetensors")
    }
    assert set(kept) == {0, 30, 60}
    late = [weights for train_step, weights in kept.items() if train_step > valid[-1]["train_step"]]
    assert late
    assert len(set(late)) == 1
    assert run_stages(run, LocalRunner(), ["generate", "train"]) == 0


@pytest.mark.parametrize(("text", "bounds"), [("4", (4, 4)), ("2:8", (2, 8)), ("1:1", (1, 1))])
def test_workers_that_train_together(text: str, bounds: tuple[int, int]) -> None:
    assert parse_together(text) == bounds


@pytest.mark.parametrize("text", ["0", "3:2", "-1", "two", "1:", ":2"])
def test_no_number_of_workers(text: str) -> None:
    with pytest.raises(UsageError, match="as 4 or 2:8"):
        parse_together(text)


@pytest.mark.parametrize(("text", "gpus"), [("0", 0), ("1", 1), ("2", 2), ("0.5", 0.5), ("0.33", 1 / 3)])
def test_gpus_of_a_worker(text: str, gpus: float) -> None:
    assert parse_gpus(text) == gpus


@pytest.mark.parametrize("text", ["-1", "0.7", "1.5", "half"])
def test_shares_that_do_not_tile_a_gpu(text: str) -> None:
    with pytest.raises(UsageError, match="a share 1/k"):
        parse_gpus(text)
