"""`last` is a checkpoint wherever a number is, and what is neither is told."""

import json

import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.queries.lake import Lake
from pipeline.queries.question import find_question
from schemas.errors import UsageError, unknown

MODEL = "lstm-2x5-seed0"


@pytest.fixture(scope="module")
def lake(small_lake: Run) -> Lake:
    return pipeline.open(small_lake.root)


ASKED: list[tuple[str, dict[str, object]]] = [
    ("top_neurons", {"hypothesis": "count_a"}),
    ("best_neurons", {}),
    ("samples_by_checkpoint", {}),
    ("samples_by_checkpoint", {"model": MODEL}),
    ("neuron_trace", {"model": MODEL, "layer": 1, "neuron": 2, "sequence": 150}),
    ("separating_neurons", {"hypothesis": "is_separator"}),
]


@pytest.mark.parametrize(("question", "given"), ASKED)
def test_a_question_takes_last_as_the_number_of_the_last(
    lake: Lake, question: str, given: dict[str, object]
) -> None:
    found = lake.ask(question, run="tiny", checkpoint="last", **given)
    assert found == lake.ask(question, run="tiny", checkpoint=12, **given)
    assert len(found)


@pytest.mark.parametrize(
    "words",
    [
        ["top", "tiny", "--hypothesis", "count_a", "--json"],
        ["show", "tiny", MODEL, "L0/N1", "--limit", "1"],
        ["write", "tiny", "--length", "5", "--json"],
        ["write", "tiny", "--stored", "--json"],
        ["audit", "tiny", "--model", MODEL, "--json"],
    ],
)
def test_a_command_takes_last_as_the_number_of_the_last(
    small_lake: Run, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--checkpoint", "last", "--root", small_lake.root]) == 0
    last = capsys.readouterr().out
    assert main([*words, "--checkpoint", "12", "--root", small_lake.root]) == 0
    assert capsys.readouterr().out == last
    if words[-1] == "--json":
        assert json.loads(last)


def test_an_audit_of_the_last_checkpoints_is_of_nothing_else(lake: Lake) -> None:
    assert lake.audit("tiny", checkpoint="last") == lake.audit("tiny", checkpoint=12)


def test_what_is_no_checkpoint_is_told(lake: Lake) -> None:
    with pytest.raises(UsageError, match=r"unknown checkpoint 'lst': did you mean 'last'. known: 0, 12"):
        lake.run("tiny", checkpoint="lst")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"unknown checkpoint '6.5': known: 0, 12"):
        lake.run("tiny", checkpoint="6.5")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown checkpoint 6: known: 0, 12"):
        lake.run("tiny", checkpoint="6")  # type: ignore[arg-type]
    at = lake.run("tiny", checkpoint="12")  # type: ignore[arg-type]
    assert at.fetch("from scores order by all") == lake.run("tiny", 12).fetch("from scores order by all")
    with pytest.raises(UsageError, match=r"parameter checkpoint is a whole number below 2.63, or last, not 'lst'"):
        lake.ask("best_neurons", run="tiny", checkpoint="lst")
    assert str(unknown("layer", "a", [1, 2])) == "unknown layer 'a': known: 1, 2"


def test_a_part_of_a_lake_is_printed_as_what_it_is(lake: Lake, small_lake: Run) -> None:
    start = f"<Lake {lake.catalog.root}: {small_lake.id}"
    assert repr(lake.run("tiny")) == f"{start}, complete>"
    assert repr(lake.run("tiny", "last")) == f"{start}, checkpoint last, complete>"
    assert repr(lake.run("tiny", 12).run("tiny")) == f"{start}, checkpoint 12, complete>"
    assert f"{small_lake.id}, checkpoint 0, complete" in lake.run("tiny", 0)._repr_html_()


@pytest.mark.parametrize("limit", [0, -3, 10**30, "1e3", 2**63])
def test_a_limit_that_is_none_is_told_before_it_is_asked(limit: object) -> None:
    for name in ("top_neurons", "neuron_text", "neuron_peaks", "separating_neurons"):
        (parameter,) = (one for one in find_question(name).parameters if one.name == "limit")
        with pytest.raises(UsageError, match=r"parameter limit is a whole number from 1 to 2.63 - 1, not "):
            parameter.read(limit)
        assert parameter.read("3") == 3


def test_a_number_beyond_every_table_is_told_as_one(lake: Lake) -> None:
    with pytest.raises(UsageError, match=r"parameter sequence is a whole number below 2.63, not 1000"):
        lake.ask("neuron_trace", run="tiny", model=MODEL, layer=0, neuron=0, sequence=10**40)
