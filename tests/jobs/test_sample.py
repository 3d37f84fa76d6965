"""`unrolled sample` on a run in a lake, and the stage in which every checkpoint writes."""

import json

import pytest

import pipeline
from jobs.__main__ import main
from jobs.context import Run
from tests.conftest import do_all, tiny_run

Capture = pytest.CaptureFixture[str]


def sample(run: Run, capsys: Capture, *words: str) -> str:
    assert main(["sample", run.id, "--root", run.root, *words]) == 0
    return capsys.readouterr().out


def test_the_same_command_writes_the_same_text(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--model", "lstm-2x5-seed0", "--prompt", "aa", "--length", "30", "--temperature", "1.2")
    once = sample(tiny_lake, capsys, *words)
    assert once == sample(tiny_lake, capsys, *words)
    assert once != sample(tiny_lake, capsys, *words, "--seed", "1")
    assert once.startswith("aa")
    assert len(once) == 2 + 30 + 1


def test_rows_say_who_wrote_what(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--checkpoint", "0", "--samples", "3", "--greedy", "--length", "5", "--json")
    rows = json.loads(sample(tiny_lake, capsys, *words))
    assert [row["sample"] for row in rows] == [0, 1, 2]
    assert {(row["model"], row["checkpoint"], row["temperature"]) for row in rows} == {
        ("feedforward-1x5-seed0", 0, 0)
    }
    assert len({row["text"] for row in rows}) == 1


def test_a_line_ends_the_text(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--checkpoint", "0", "--samples", "9", "--temperature", "3", "--length", "40", "--json")
    lines = [row["text"] for row in json.loads(sample(tiny_lake, capsys, *words, "--line"))]
    whole = [row["text"] for row in json.loads(sample(tiny_lake, capsys, *words))]
    assert lines == [text.partition("\n")[0] + ("\n" if "\n" in text else "") for text in whole]


def test_every_checkpoint_has_written(tiny_lake: Run, capsys: Capture) -> None:
    told = sample(tiny_lake, capsys, "--stored", "--model", "gru-1x5-seed0")
    assert told.index("checkpoint 0,") < told.index("checkpoint 12,")
    lake = pipeline.open(tiny_lake.root)
    rows = lake.fetch("select distinct model, checkpoint, length(text) as n, prompt from samples").to_pylist()
    assert len(rows) == 10 * 2
    assert {(row["n"], row["prompt"]) for row in rows} == {(12, "a")}


def test_what_it_did_while_it_wrote_is_a_run_like_any_other(tmp_path: str, capsys: Capture) -> None:
    run = tiny_run(tmp_path, model={"cell": ["lstm"], "layers": [2]})
    do_all(run)
    words = ("--prompt", "aaX", "--length", "6", "--samples", "2", "--greedy", "--dump", "--json")
    text = json.loads(sample(run, capsys, *words))[0]["text"]
    lake = pipeline.open(run.root)
    (dumped,) = [name for name in lake.catalog.runs if name.startswith("tiny_samples-")]
    rows = lake.fetch("select sequence, step, char from steps where run = $run order by all", {"run": dumped})
    assert "".join(rows["char"].to_pylist()) == 2 * ("aaX" + text)
    written = lake.fetch(
        "select count(*) as n, count(cell_state) as states from activations where run = $run", {"run": dumped}
    ).to_pylist()
    assert written == [{"n": 2 * 9 * 10, "states": 2 * 9 * 10}]
    predicted = "select predicted from predictions where run = $run and sequence = 0 order by step"
    followed = "".join(lake.fetch(predicted, {"run": dumped})["predicted"].to_pylist())
    assert followed[2:-1] == text  # greedy: what it thought most probable is what it wrote
    assert not lake.audit(dumped).to_pandas().violations.any()


BAD = [
    (["--prompt", "q"], "the prompt holds 'q', which the model never saw; it knows Xab"),
    (["--model", "lstm-9x5-seed0"], "unknown model 'lstm-9x5-seed0'"),
    (["--checkpoint", "7"], "unknown checkpoint '7'"),
    (["--top-k", "9"], "top_k is 9, and there are 4 characters"),
]


@pytest.mark.parametrize(("words", "told"), BAD)
def test_mistakes_are_told(tiny_lake: Run, capsys: Capture, words: list[str], told: str) -> None:
    assert main(["sample", tiny_lake.id, "--root", tiny_lake.root, *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--length", "0"], ["--temperature", "-1"], ["--samples", "none"]])
def test_numbers_that_are_none(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sample", "tiny", *words])
