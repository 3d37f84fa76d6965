"""What a question names and the lake does not have is told, from Python and on the command line alike."""

import json
from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.main_path import run_stages
from jobs.run.context import Run
from jobs.runners.local import LocalRunner
from pipeline.queries.lake import Lake
from pipeline.queries.question import find_question, questions
from schemas.errors import IncompleteWarning, UsageError
from tests.conftest import tiny_run

MODEL = {"model": "lstm-2x5-seed0", "layer": 1, "neuron": 3}
GRU = {"model": "gru-1x5-seed0", "layer": 0, "neuron": 2}


@pytest.fixture(scope="module")
def lake(tiny_lake: Run) -> Lake:
    return pipeline.open(tiny_lake.root)


WRONG: list[tuple[str, dict[str, object], str]] = [
    (
        "top_neurons",
        {"hypothesis": "count_aa"},
        r"unknown hypothesis of tiny-\w+ 'count_aa': did you mean 'count_a'",
    ),
    ("top_neurons", {"hypothesis": "is_x"}, r"'is_x': .*known: count_a, is_separator, remaining_b"),
    (
        "top_neurons",
        {"hypothesis": "count_a", "measure": "auc"},
        "measure of count_a 'auc': known: mutual_information, pearson, r_squared, slope, spearman",
    ),
    ("top_neurons", {"hypothesis": "count_a", "measure": "pearsn"}, "did you mean 'pearson'"),
    (
        "top_neurons",
        {"hypothesis": "count_a", "signal": "cell"},
        "unknown signal of tiny-.* did you mean 'cell_state'",
    ),
    (
        "top_neurons",
        {"hypothesis": "count_a", "checkpoint": 500},
        "unknown checkpoint of tiny-.* 500: known: 0, 12",
    ),
    (
        "top_neurons",
        {"hypothesis": "count_a", "run": "tinny"},
        "unknown run 'tinny': did you mean 'tiny'. known: tiny-",
    ),
    ("top_neurons", {"hypothesis": "count_a", "run": ""}, "top_neurons needs run"),
    ("best_neurons", {"checkpoint": 3}, "unknown checkpoint"),
    ("headline_neurons", {"first": "count_a", "second": "remaining"}, "did you mean 'remaining_b'"),
    ("headline_neurons", {"first": "count_b"}, "unknown hypothesis"),
    ("neuron_trace", {**MODEL, "model": "lstm-9x5-seed0"}, "unknown model .*did you mean 'lstm-2x5-seed0'"),
    ("neuron_trace", {**MODEL, "layer": 2}, "lstm-2x5-seed0 has no neuron L2/N3: its last is L1/N4"),
    ("neuron_trace", {**MODEL, "neuron": 5}, "lstm-2x5-seed0 has no neuron L1/N5: its last is L1/N4"),
    ("neuron_trace", {**MODEL, "neuron": -1}, "has no neuron L1/N-1"),
    ("neuron_trace", {**MODEL, "sequence": 5}, r"has no probe sequence 5: they are 140 to 179"),
    ("neuron_text", {**MODEL, "sequence": 180}, "has no probe sequence 180"),
    ("neuron_text", {**GRU, "signal": "cell_state"}, "unknown signal of gru-1x5-seed0 'cell_state'"),
    ("neuron_peaks", {**MODEL, "checkpoint": 11}, "unknown checkpoint of tiny-.* lstm-2x5-seed0 11: known: 0, 12"),
    ("mean_gate_by_char", {**MODEL, "model": ""}, "mean_gate_by_char needs model"),
    ("samples_by_checkpoint", {"model": "lstm"}, "unknown model"),
    ("separating_neurons", {"hypothesis": "is_separators"}, "did you mean 'is_separator'"),
    (
        "separating_neurons",
        {"hypothesis": "count_a"},
        "count_a answers with numbers, and this question is about yes",
    ),
    ("signal_by_value", {**MODEL, "hypothesis": "nope"}, "unknown hypothesis"),
    ("dumped", {"run": "nope"}, "unknown run"),
]


@pytest.mark.parametrize(("question", "given", "told"), WRONG, ids=[f"{q} {g}"[:50] for q, g, _ in WRONG])
def test_a_name_that_is_not_there_is_told_by_both_doors(
    lake: Lake, capsys: pytest.CaptureFixture[str], question: str, given: dict[str, object], told: str
) -> None:
    given = {"run": "tiny", **given}
    with pytest.raises(UsageError, match=told):
        lake.ask(question, **given)
    words = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    with pytest.raises(UsageError) as caught:
        lake.ask(question, **given)
    assert main(["sql", "-f", question, *words, "--root", lake.folder.root]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"unrolled: {caught.value}\n")


@pytest.mark.parametrize("name", questions())
def test_python_takes_the_start_of_a_runs_id_as_the_command_line_does(
    lake: Lake, tiny_lake: Run, name: str
) -> None:
    given = {"first": "count_a", "hypothesis": "is_separator", **MODEL}
    wanted = {parameter.name for parameter in find_question(name).parameters}
    given = {key: value for key, value in given.items() if key in wanted}
    answers = [lake.ask(name, run=run, **given) for run in ("tiny", tiny_lake.id[:-2], tiny_lake.id)]
    assert len(answers[0]) > 0
    assert answers[0] == answers[1] == answers[2]


def test_empty_because_nothing_is_so_is_an_answer(lake: Lake) -> None:
    assert len(lake.run("tiny", "last").fetch("from documents")) == 0


def test_a_signal_left_out_is_the_state_that_the_cell_has(lake: Lake) -> None:
    for name in ("neuron_text", "neuron_peaks"):
        for place, signal in ((MODEL, "cell_state"), (GRU, "hidden_state")):
            answer = lake.ask(name, run="tiny", **place)
            assert len(answer) > 0
            assert answer == lake.ask(name, run="tiny", **place, signal=signal)


def test_what_a_run_has_not_got_to_yet_is_told(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, model={"cell": ["rnn"], "layers": [1]}, sample={"length": 0})
    run_stages(run, LocalRunner(), ["generate", "train"])
    lake = pipeline.open(run.root)
    with pytest.raises(UsageError, match="has no score yet: to go on, type"):
        lake.ask("best_neurons", run="tiny")
    with pytest.raises(UsageError, match="has no dump yet: to go on, type"):
        lake.ask("neuron_trace", run="tiny", model="rnn-1x5-seed0", layer=0, neuron=0)
    with pytest.raises(UsageError, match="has no samples: its experiment asks for none"):
        lake.ask("samples_by_checkpoint", run="tiny")
    with pytest.warns(IncompleteWarning, match="is incomplete"):
        assert len(lake.ask("model_answers", run="tiny")) == 1


def test_an_own_question_may_name_its_parameters(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.sql").write_text(
        "-- question: How many?\n-- parameter which run: the run\n-- parameter net model: the model\n"
        "-- tables: metrics\n"
        "select count(*) as n from metrics where run = $which and model = $net and split = 'valid'\n"
    )
    words = ["sql", "-f", str(tmp_path / "own.sql"), "--root", lake.folder.root, "--format", "json", "--set"]
    assert main([*words, "which=tiny", "--set", "net=gru-1x5-seed0"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 4}]
    assert main([*words, "which=tiny", "--set", "net=gru-1x5-seed1"]) == 2
    assert "unknown model of tiny" in capsys.readouterr().err


@pytest.mark.parametrize(
    "header", ["", "-- question: How many?\n-- parameter run text: the run's id\n-- tables: metrics\n"]
)
def test_a_file_of_ones_own_takes_the_start_of_an_id(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str
) -> None:
    (tmp_path / "own.sql").write_text(f"{header}select count(*) as n from models where run = $run\n")
    words = ["sql", "-f", str(tmp_path / "own.sql"), "--root", lake.folder.root, "--format", "json", "--set"]
    assert main([*words, "run=tiny"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 10}]
    assert main([*words, "run=tinny"]) == 2
    assert "unknown run 'tinny': did you mean 'tiny'?" in capsys.readouterr().err


def test_an_audit_from_python_takes_the_start_of_an_id_too(lake: Lake) -> None:
    lines = lake.audit("tiny", "rnn-1x5-seed0", 12).to_pylist()
    assert {line["violations"] for line in lines} == {0}
    with pytest.raises(UsageError, match="unknown run 'tinny'"):
        lake.audit("tinny")
