"""The main path from end to end, on tiny settings: in this process and on Ray, once and again."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

import pipeline
from jobs.driver.attempts import LIMITS, Attempts
from jobs.driver.publish import Call, publish, replace_stage, work_call
from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.main_path import STAGES, run_stages
from jobs.run.context import Run
from jobs.run.opening import note_run
from jobs.run.texts import TextSource
from jobs.runners.base import Runner
from jobs.runners.local import LocalRunner
from jobs.runners.ray import RayRunner
from pipeline.storage.manifests import prepare_lake
from schemas.errors import PiecesFailedError, StorageError, UsageError
from schemas.manifest import StoredObject
from tests.conftest import STAGE_NAMES, digests, do_all, tiny_run


def test_a_second_call_does_nothing(tiny_lake: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(tiny_lake.root).rglob("*.parquet")}
    assert do_all(tiny_lake) == 0
    assert {path: path.stat().st_mtime_ns for path in Path(tiny_lake.root).rglob("*.parquet")} == before


def test_everything_is_written(tiny_lake: Run) -> None:
    lake = pipeline.open(tiny_lake.root)
    steps = lake.fetch(
        "select split, count(distinct sequence) as sequences from steps group by split order by all"
    )
    assert steps.to_pylist() == [
        {"split": "probe", "sequences": 40},
        {"split": "train", "sequences": 120},
        {"split": "valid", "sequences": 20},
    ]
    counts = lake.fetch(
        "select (from steps select count(*) where split = 'probe') as steps, "
        "(from activations select count(*)) as a, "
        "(from predictions select count(*)) as p, (from annotations select count(*)) as h, "
        "(from metrics select count(*)) as m, (from extrapolation select count(*)) as e"
    ).to_pylist()[0]
    assert counts["a"] == counts["steps"] * 5 * (5 * 1 + 5 * 2) * 2  # neurons x cells' layers x checkpoints
    assert counts["p"] == counts["steps"] * 10 * 2
    assert counts["h"] == counts["steps"] * 3
    assert counts["m"] == 10 * (1 + 2 * 3)  # step 0 has no training loss
    assert counts["e"] == 10 * 6


def test_metrics_say_what_they_are(tiny_lake: Run) -> None:
    rows = pipeline.open(tiny_lake.root).fetch("from metrics order by all").to_pylist()
    assert {row["train_step"] for row in rows} == {0, 4, 8, 12}
    for row in rows:
        assert row["bits_per_char"] == pytest.approx(row["loss"] / 0.6931471805599453)
        assert (row["accuracy"] is None) == (row["split"] == "train")
        assert (row["chars_per_second"] is None) == (row["train_step"] == 0)


def test_predictions_agree_with_metrics(tiny_lake: Run) -> None:
    """The probe's mean loss, from the dump, lies near the valid loss of the same checkpoint, from training."""
    rows = (
        pipeline.open(tiny_lake.root)
        .fetch(
            "select m.model, m.train_step, any_value(m.loss) as valid, avg(p.loss) as probe from metrics as m "
            "join predictions as p on p.model = m.model and p.checkpoint = m.train_step where split = 'valid' "
            "group by all"
        )
        .to_pylist()
    )
    assert len(rows) == 20
    assert all(row["probe"] == pytest.approx(row["valid"], rel=0.15) for row in rows)


class RunnerContract:
    """What holds for every runner."""

    runner: Runner

    def test_every_plan_comes_back_once_with_its_failure(self, tmp_path: Path) -> None:
        plans = [str(tmp_path / f"{number}") for number in range(20)]
        with self.runner as runner:
            done = dict(Attempts(runner, touch_unless_7, LIMITS).make(plans))
        assert list(map(str, sorted(tmp_path.iterdir()))) == sorted(p for p in plans if not p.endswith("7"))
        failed = {plan: error for plan, error in done.items() if error is not None}
        assert set(done) == set(plans)
        assert {plan[-1] for plan in failed} == {"7"}
        assert all(isinstance(error, UsageError) and "seven" in str(error) for error in failed.values())

    @pytest.mark.long("on Ray every stage of ten models is as many tasks")
    def test_a_run_gives_the_same_digests(self, tmp_path: Path, tiny_lake: Run) -> None:
        run = tiny_run(tmp_path / "lake")
        with self.runner as runner:
            assert run_stages(run, runner, STAGE_NAMES) == 1 + 1 + 20 + 3 + 60 + 1 + 1  # units of the stages
        assert digests(run.root) == digests(tiny_lake.root)
        assert len(digests(run.root)) > 300


def touch_unless_7(path: str) -> None:
    if path.endswith("7"):
        raise UsageError("seven is refused")
    Path(path).touch()


class TestLocalRunner(RunnerContract):
    runner = LocalRunner()


@pytest.mark.ray
class TestRayWithOneWorker(RunnerContract):
    runner = RayRunner(workers=1)


@pytest.mark.ray
class TestRayWithTwoWorkers(RunnerContract):
    runner = RayRunner(workers=2)

    def test_it_writes_nothing_into_the_home_folder(self) -> None:
        with self.runner:
            pass
        assert not Path(os.environ["HOME"], ".ray").exists()


def test_a_hypothesis_or_a_checkpoint_is_added_and_disturbs_nothing(tmp_path: Path) -> None:
    small = {"cell": ["lstm"], "layers": [1]}
    score = {"hypotheses": ["count_a"], "headline": []}
    run = tiny_run(tmp_path / "lake", model=small, dump={"checkpoints": "last"}, score=score)
    do_all(run)
    before = digests(run.root)
    more = tiny_run(run.root, model=small, score={"hypotheses": ["count_a", "next_is_b"], "headline": []})
    assert more.id == run.id
    assert do_all(more) > 0
    after = digests(run.root)
    assert {path: digest for path, digest in after.items() if path in before} == before
    new = {path.split("/")[0] for path in set(after) - set(before)}
    assert new == {"activations", "predictions", "annotations", "definitions", "scores"}


def test_other_settings_stop_with_the_choice_and_replace_takes_it(tmp_path: Path) -> None:
    small = {"cell": ["lstm"], "layers": [1]}
    run = tiny_run(tmp_path / "lake", model=small)
    do_all(run)
    before = digests(run.root)
    half = tiny_run(run.root, model=small, dump={"precision": "half"})
    with pytest.raises(UsageError) as caught:
        do_all(half)
    assert "dump.precision was 'exact', now 'half'" in str(caught.value)
    assert "type --replace dump to make it again" in str(caught.value)
    assert digests(run.root) == before
    run_stages(half, LocalRunner(), STAGE_NAMES, replace="dump")
    after = digests(run.root)
    assert set(after) == set(before)
    changed = {path.split("/")[0] for path in after if after[path] != before[path]}
    assert changed == {"activations", "predictions", "scores"}
    values = pipeline.open(run.root).fetch("select distinct cell_state from activations")["cell_state"].to_numpy()
    assert (values.view("uint32") & 0x1FFF == 0).all()


def test_replacing_a_stage_with_the_same_settings_gives_the_same_bytes(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "lake", model={"cell": ["gru"], "layers": [1]})
    do_all(run)
    before = digests(run.root)
    replace_stage(run, "train")
    assert {path.split("/")[0] for path in digests(run.root)} == {"runs", "steps", "annotations", "definitions"}
    do_all(run)
    assert digests(run.root) == before


@pytest.mark.parametrize(
    ("victim", "stage"),
    [
        ("steps/**/split=train/*.parquet", "train"),
        ("checkpoints/**/checkpoint=12/model.safetensors", "dump"),
        ("activations/**/*.parquet", "score"),
        ("annotations/**/*.parquet", "score"),
    ],
)
def test_a_changed_object_stops_the_stage_that_reads_it(tmp_path: Path, victim: str, stage: str) -> None:
    run = tiny_run(tmp_path / "lake", model={"cell": ["lstm"], "layers": [1]}, dump={"checkpoints": "last"})
    run_stages(run, LocalRunner(), STAGE_NAMES[: STAGE_NAMES.index(stage)])
    path = next(Path(run.root).glob(victim))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=f"{path.name} has changed since it was written"):
        run_stages(run, LocalRunner(), [stage])
    assert not list(Path(run.root).glob(f"_meta/run=*/{stage}/**/manifest.json"))


class Number(BaseModel):
    n: int


def test_failed_pieces_withhold_the_manifest_and_the_next_call_does_only_them(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "lake")
    run_stages(run, LocalRunner(), ["generate"])
    done: list[int] = []
    broken = {1, 3}

    def work(piece: Piece[Number]) -> list[StoredObject]:
        if piece.index in broken:
            raise RuntimeError(f"piece {piece.index}")
        done.append(piece.index)
        return []

    unit = Unit("whole", {}, [], [Number(n=n) for n in range(5)])
    stage = Stage("extrapolate", lambda _: [unit], each(work), measure="pieces")
    with pytest.raises(PiecesFailedError, match=r"2 of 5 pieces failed, the first with RuntimeError: piece 1"):
        publish(run, stage, LocalRunner())
    manifest = Path(run.root, f"_meta/run={run.id}/extrapolate/whole/manifest.json")
    assert not manifest.exists()
    assert done == [0, 2, 4]
    broken.clear()
    assert publish(run, stage, LocalRunner()) == 1
    assert done == [0, 2, 4, 1, 3]
    assert manifest.exists()


def test_a_shard_that_has_gone_withholds_the_manifest(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "lake")
    generate = STAGES[0]
    unit = generate.units(run)[0]

    def work(piece: Piece[BaseModel]) -> list[StoredObject]:
        (objects,) = generate.work([piece])
        Path(run.root, objects[0].path).unlink()
        return objects

    prepare_lake(run.folder)
    note_run(run)
    with pytest.raises(StorageError, match=r"part-00000\.parquet has gone: type --replace generate"):
        publish(run, Stage("generate", lambda _: [unit], each(work), measure="sequences"), LocalRunner())


def test_a_stage_by_itself_says_what_it_needs(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "lake")
    with pytest.raises(UsageError, match=r"there is no lake at"):
        run_stages(run, LocalRunner(), ["train"])
    assert not Path(run.root).exists()
    prepare_lake(run.folder)
    note_run(run)
    with pytest.raises(UsageError, match=r"has not finished generate \(whole\): type `unrolled generate tiny"):
        run_stages(run, LocalRunner(), ["train"])
    run_stages(run, LocalRunner(), ["generate"])
    with pytest.raises(UsageError, match=r"has not finished train \(whole\): type `unrolled train tiny"):
        run_stages(run, LocalRunner(), ["dump"])


def test_files_that_change_while_a_run_goes_on_are_noticed(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.py").write_text(f"print('{name}')\n" * 100)
    text: dict[str, object] = {"name": "text", "files": [str(tmp_path / "*.py")], "window": 16}
    small: dict[str, dict[str, object]] = {
        "task": text,
        "corpus": {"train": 20, "valid": 5, "probe": 5},
        "model": {"cell": ["rnn"], "layers": [1]},
        "score": {"hypotheses": [], "headline": []},
        "sample": {"prompt": "print"},
    }
    run = tiny_run(tmp_path / "lake", **small)
    do_all(run)
    assert pipeline.open(run.root).catalog.status[run.id] == "complete"
    (tmp_path / "a.py").write_text("print('d')\n" * 100)
    assert tiny_run(run.root, **small).id != run.id
    assert isinstance(run.source, TextSource)
    with pytest.raises(UsageError, match="have changed since the run began"):
        replace(run.source, surveyed=None).survey()
    begun = tiny_run(tmp_path / "other", **small)
    (tmp_path / "b.py").write_text("print('e')\n" * 100)
    with pytest.raises(UsageError, match="have changed since the run began"):
        do_all(begun)


def test_a_zombies_pieces_of_another_plan_are_never_published(tmp_path: Path) -> None:
    """An old worker goes on after --replace: its record and shards carry the old plan's fingerprint."""
    small = {"cell": ["lstm"], "layers": [1]}
    exact = tiny_run(tmp_path / "lake", model=small, dump={"checkpoints": "last"})
    half = tiny_run(tmp_path / "lake", model=small, dump={"checkpoints": "last", "precision": "half"})
    run_stages(exact, LocalRunner(), STAGE_NAMES[:2])
    dump = STAGES[2]
    unit = dump.units(exact)[0]
    old = unit.plan(exact, "dump")
    zombie = Piece(exact, "dump", unit.name, 0, old.fingerprint, unit.pieces[0], 1.0)
    work_call(dump.work, Call((zombie,)))
    with pytest.raises(StorageError, match="changed from outside while it was made: type --replace dump"):
        run_stages(half, LocalRunner(), ["dump"])
    Path(exact.root, f"_meta/run={exact.id}/dump/{unit.name}/records/00000.json").unlink()
    with pytest.raises(StorageError, match="was written under another plan"):
        run_stages(half, LocalRunner(), ["dump"])
    run_stages(half, LocalRunner(), ["dump"], replace="dump")
    assert pipeline.open(half.root).catalog.missing_stage(half.id) == "annotate"


def test_replacing_asks_for_what_it_needs_before_it_takes_anything_away(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "lake", model={"cell": ["rnn"], "layers": [1]})
    do_all(run)
    before = digests(run.root)
    with pytest.raises(UsageError, match="must be among the stages to do: score"):
        run_stages(run, LocalRunner(), ["score"], replace="train")
    assert digests(run.root) == before
    fewer = tiny_run(run.root, model={"cell": ["rnn"], "layers": [1]}, dump={"checkpoints": "last"})
    run_stages(fewer, LocalRunner(), STAGE_NAMES, replace="dump")
    assert pipeline.open(run.root).catalog.status == {run.id: "complete"}


def test_the_lake_of_one_shard_answers_too(tmp_path: Path) -> None:
    """DuckDB 1.5.5 has an internal error on min and max of a partition column over one file."""
    one = {"sequences_per_shard": 0, "checkpoints": "last"}
    run = tiny_run(tmp_path / "lake", model={"cell": ["lstm"], "layers": [1]}, dump=one)
    do_all(run)
    lake = pipeline.open(run.root)
    assert lake.fetch("select max(checkpoint) as c from activations").to_pylist() == [{"c": 12}]
    assert lake.fetch("select max(model) as m from models").to_pylist() == [{"m": "lstm-1x5-seed0"}]
    place = {"run": run.id, "model": "lstm-1x5-seed0", "layer": 0, "neuron": 0}
    for question in ("neuron_trace", "neuron_text", "neuron_peaks", "mean_gate_by_char"):
        assert len(lake.ask(question, **place)) > 0


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("a head with its job server starts, then a job with a driver")
def test_a_head_started_by_hand_does_the_same_work(tmp_path: Path, tiny_lake: Run) -> None:
    """`ray start --head`, then `ray job submit … python -m jobs run …`, as on a cluster."""
    from tests.jobs.head import ray_head
    from tests.jobs.toml_of import write_toml

    repository = Path(__file__).parents[2]
    with ray_head(tmp_path) as address:
        lake, experiment = tmp_path / "lake", write_toml(tmp_path / "tiny.toml", tiny_lake.experiment)
        words = ["--address", address, "--working-dir", str(repository), "--", sys.executable, "-m", "jobs"]
        job = ["ray", "job", "submit", *words, "run", str(experiment), "--root", str(lake)]
        for _ in range(10):
            done = subprocess.run(job, check=False, capture_output=True, text=True, timeout=300)
            if "No available agent" not in done.stderr:  # which comes up later than the dashboard
                break
            time.sleep(3)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Which neuron follows count_a and remaining_b?" in done.stdout
    assert digests(lake) == digests(tiny_lake.root)


def test_a_stage_whose_plan_is_damaged_is_replaced_as_a_whole(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, model={"cell": ["rnn"], "layers": [1]})
    do_all(run)
    before = digests(run.root)
    plan = next(Path(run.root).glob("_meta/run=*/score/**/plan.json"))
    plan.write_bytes(plan.read_bytes()[:-9])
    with pytest.raises(StorageError, match="--replace score"):
        do_all(run)
    run_stages(run, LocalRunner(), STAGE_NAMES, replace="score")
    assert digests(run.root) == before
