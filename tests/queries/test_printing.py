"""What a person prints at a prompt or in a notebook is short, and says what it is."""

import pytest

import pipeline
from jobs.run.context import Run
from pipeline.queries.lake import Lake
from pipeline.queries.question import questions
from pipeline.tasks.vocabulary import Vocabulary
from schemas.tables import TABLES

LONGEST = 400


@pytest.fixture(scope="module")
def lake(tiny_lake: Run) -> Lake:
    return pipeline.open(tiny_lake.root)


def test_everything_has_a_short_form(lake: Lake, tiny_lake: Run) -> None:
    run = tiny_lake.id
    said = {
        repr(lake): f"<Lake {tiny_lake.root}: 1 run, 1 complete>",
        repr(lake.folder): f"<Folder {tiny_lake.root}>",
        repr(tiny_lake): f"<Run {run} in {tiny_lake.root}>",
        repr(lake.catalog.runs[run]): f"<RunRecord {run}>",
        repr(questions()["model_answers"]): "<Question model_answers(run): ",
        repr(TABLES["metrics"]): "<Table metrics(run, model, ",
        repr(Vocabulary([str(k) for k in range(50_000)])): "<Vocabulary of 50000: '0', '1', ",
        repr(lake.catalog): "<Catalog of 1 runs, ",
        repr(lake.catalog.manifests[run][0]): "<Manifest of ",
    }
    for told, expected in said.items():
        assert told.startswith(expected)
        assert len(told) < LONGEST
    assert "'maximum'" not in repr(tiny_lake.experiment.task)
    assert repr(tiny_lake.experiment.dump) == "DumpSettings(checkpoints='all', sequences_per_shard=15)"
    assert len(repr(questions())) < LONGEST * len(questions())


def test_an_answer_shows_its_first_rows_and_says_so(lake: Lake) -> None:
    many, none = lake.sql("select step from steps order by all"), lake.sql("select 1 as n where false")
    assert repr(many).endswith("the first 20 rows")
    assert many._repr_html_().count("<tr>") == 21
    assert "the first 20 rows" in many._repr_html_()
    assert "n" in repr(none)
    assert none._repr_html_() == "<table><thead><tr><th>n</th></tr></thead><tbody></tbody></table>"


def test_a_notebook_gets_no_html_of_a_text(lake: Lake) -> None:
    told = lake.sql("select '<b>&' as \"<i>\", 1.0 as x, null as nothing, repeat('y', 999) as long")._repr_html_()
    assert "&lt;b&gt;&amp;" in told
    assert "<th>&lt;i&gt;</th>" in told
    assert "None" not in told
    assert "y" * 201 not in told
    assert lake._repr_html_().count("<td") == 2


def test_a_notebook_shows_no_fraction_as_a_whole_number(lake: Lake) -> None:
    told = lake.sql("select 0.9999999::double as r, 1::double as one, 0.25::double as part")._repr_html_()
    assert [f">{number}</td>" in told for number in ("0.9999999", "1", "0.25")] == [True] * 3


def test_a_plan_is_drawn_as_duckdb_draws_it(lake: Lake) -> None:
    plan = lake.sql("explain select count(*) from steps")
    assert len(repr(plan).splitlines()) > 5
    assert plan._repr_html_().startswith("<pre>┌")
