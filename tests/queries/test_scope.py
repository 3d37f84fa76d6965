"""One run of a lake by itself, against the whole lake filtered by hand."""

import json
from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.queries.lake import Lake
from pipeline.queries.scope import Checkpoint
from schemas.errors import UsageError
from schemas.tables import TABLES
from tests.conftest import do_all, tiny_run


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two runs in one lake, each with two checkpoints."""
    root = tmp_path_factory.mktemp("two") / "lake"
    model = {"cell": ["lstm", "rnn"], "layers": [1]}
    runs = [tiny_run(root, model=model), tiny_run(root, model=model, training={"steps": 9})]
    for run in runs:
        do_all(run)
    return runs


@pytest.fixture(scope="module")
def lake(two: list[Run]) -> Lake:
    return pipeline.open(two[0].root)


@pytest.mark.parametrize("table", [*TABLES, "shards"])
def test_every_table_of_a_run_is_the_lakes_filtered(lake: Lake, two: list[Run], table: str) -> None:
    for run in two:
        expected = lake.fetch(f"from {table} where run = $run order by all", {"run": run.id})
        assert lake.run(run.id).fetch(f"from {table} order by all") == expected
        assert len(expected) or table == "documents"


@pytest.mark.parametrize("table", ["activations", "predictions", "scores", "samples", "extrapolation", "metrics"])
def test_the_last_checkpoint_is_each_models_last(lake: Lake, two: list[Run], table: str) -> None:
    for run, last in zip(two, (12, 9), strict=True):
        only = f"and checkpoint = {last}" if table != "metrics" else ""
        expected = lake.fetch(f"from {table} where run = $run {only} order by all", {"run": run.id})
        assert len(expected) > 0
        assert lake.run(run.id, "last").fetch(f"from {table} order by all") == expected
        if table != "extrapolation":
            assert lake.run(run.id, checkpoint=last).fetch(f"from {table} order by all") == expected


def test_a_mean_no_longer_mixes_runs_and_checkpoints(lake: Lake, two: list[Run]) -> None:
    query = "select avg(loss) as loss from predictions"
    means = [lake.run(run.id, "last").sql(query).fetchone() for run in two]
    by_hand = [
        lake.fetch(f"{query} where run = '{run.id}' and checkpoint = {last}")["loss"][0].as_py()
        for run, last in zip(two, (12, 9), strict=True)
    ]
    assert [mean[0] for mean in means if mean] == by_hand
    assert len({*by_hand, lake.fetch(query)["loss"][0].as_py()}) == 3


def test_questions_of_a_run_need_no_run(lake: Lake, two: list[Run]) -> None:
    for run in two:
        part = lake.run(run.id)
        assert part.ask("dumped") == lake.ask("dumped", run=run.id)
        given = {"hypothesis": "count_a", "limit": 5}
        assert part.ask("top_neurons", **given) == lake.ask("top_neurons", run=run.id, **given)
        assert part.run(run.id[:-1]).ask("dumped") == part.ask("dumped")
    with pytest.raises(UsageError, match="unknown run"):
        lake.run(two[0].id).ask("dumped", run=two[1].id)
    with pytest.raises(UsageError, match="'tiny' begins 2 runs"):
        lake.run("tiny")
    with pytest.raises(UsageError, match="unknown checkpoint 10: known: 0, 12"):
        lake.run(two[0].id, 10)
    with pytest.raises(UsageError, match=r"unknown checkpoint of .* 0: known: 12"):
        lake.run(two[0].id, "last").ask("best_neurons", checkpoint=0)


def test_a_run_and_its_checkpoint_are_audited_alike(lake: Lake, two: list[Run]) -> None:
    lines = lake.run(two[0].id).audit(two[0].id).to_pylist()
    assert lines == lake.audit(two[0].id).to_pylist()
    assert {line["violations"] for line in lines} == {0}
    checkpoints: tuple[Checkpoint, ...] = (0, 12, "last")
    for checkpoint in checkpoints:
        part = lake.run(two[0].id, checkpoint)
        alone = {line["invariant"]: line for line in part.audit("tiny").to_pylist()}
        assert {line["violations"] for line in alone.values()} == {0}
        assert alone["complete"]["rows_checked"] == len(part.fetch("from activations"))
        assert part.fetch("select status from runs").to_pylist() == [{"status": "complete"}]


def test_sql_takes_a_run_and_a_checkpoint(lake: Lake, two: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    def typed(*words: str, code: int = 0) -> str:
        assert main(["sql", *words, "--root", two[0].root, "--format", "json"]) == code
        out, err = capsys.readouterr()
        return err if code else out

    query = "select distinct run, checkpoint from scores order by all"
    found = json.loads(typed("--run", two[1].id, query))
    assert found == [{"run": two[1].id, "checkpoint": 0}, {"run": two[1].id, "checkpoint": 9}]
    assert json.loads(typed("--run", two[1].id, "--checkpoint", "last", query)) == found[1:]
    assert json.loads(typed("--run", two[1].id, "--checkpoint", "0", query)) == found[:1]
    assert json.loads(typed("--run", two[1].id, "-f", "dumped"))
    assert "unknown checkpoint 12: known: 0, 9" in typed("--run", two[1].id, "--checkpoint", "12", query, code=2)
    assert "--checkpoint is of one run: give --run too" in typed("--checkpoint", "last", query, code=2)
    with pytest.raises(SystemExit, match="2"):
        main(["sql", "--run", "tiny", "--checkpoint", "lst", query])
    assert "--checkpoint: invalid checkpoint value: 'lst'" in capsys.readouterr().err
    assert "unknown run 'counting'" in typed("--run", "counting", query, code=2)


def test_a_remote_lake_has_runs_too(tmp_path: Path) -> None:
    run = tiny_run("memory://scope/lake", model={"cell": ["rnn"], "layers": [1]})
    do_all(run)
    part = pipeline.open(run.root).run("tiny", "last")
    assert part.fetch("select distinct checkpoint from activations").to_pylist() == [{"checkpoint": 12}]
