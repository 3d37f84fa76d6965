"""`unrolled write` on a run in a lake, and the stage in which every checkpoint writes."""

import json
from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from tests.conftest import do_all, tiny_run

Capture = pytest.CaptureFixture[str]


def write(run: Run, capsys: Capture, *words: str) -> str:
    assert main(["write", run.id, "--root", run.root, *words]) == 0
    return capsys.readouterr().out


def test_the_same_command_writes_the_same_text(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--model", "lstm-2x5-seed0", "--prompt", "aa", "--length", "30", "--temperature", "1.2")
    once = write(tiny_lake, capsys, *words)
    assert once == write(tiny_lake, capsys, *words)
    assert once != write(tiny_lake, capsys, *words, "--seed", "1")
    assert once.startswith("aa")
    assert len(once) == 2 + 30 + 1


def test_rows_say_who_wrote_what(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--checkpoint", "0", "--samples", "3", "--greedy", "--length", "5", "--json")
    rows = json.loads(write(tiny_lake, capsys, *words))
    assert [row["sample"] for row in rows] == [0, 1, 2]
    assert {(row["model"], row["checkpoint"], row["temperature"]) for row in rows} == {
        ("feedforward-1x5-seed0", 0, 0)
    }
    assert len({row["text"] for row in rows}) == 1


def test_a_line_ends_the_text(tiny_lake: Run, capsys: Capture) -> None:
    words = ("--checkpoint", "0", "--samples", "9", "--temperature", "3", "--length", "40", "--json")
    lines = [row["text"] for row in json.loads(write(tiny_lake, capsys, *words, "--line"))]
    whole = [row["text"] for row in json.loads(write(tiny_lake, capsys, *words))]
    assert lines == [text.partition("\n")[0] + ("\n" if "\n" in text else "") for text in whole]


def test_every_checkpoint_has_written(tiny_lake: Run, capsys: Capture) -> None:
    told = write(tiny_lake, capsys, "--stored", "--model", "gru-1x5-seed0")
    assert told.index("checkpoint 0,") < told.index("checkpoint 12,")
    lake = pipeline.open(tiny_lake.root)
    rows = lake.fetch("select distinct model, checkpoint, length(text) as n, prompt from samples").to_pylist()
    assert len(rows) == 10 * 2
    assert {(row["n"], row["prompt"]) for row in rows} == {(12, "a")}


def test_what_it_did_while_it_wrote_is_a_run_like_any_other(tmp_path: str, capsys: Capture) -> None:
    run = tiny_run(tmp_path, model={"cell": ["lstm"], "layers": [2]})
    do_all(run)
    words = ("--prompt", "aaX", "--length", "6", "--samples", "2", "--greedy", "--dump", "--json")
    text = json.loads(write(run, capsys, *words))[0]["text"]
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


def test_what_it_wrote_is_read_as_its_own_texts_are(tmp_path: Path, capsys: Capture) -> None:
    for number in range(8):
        (tmp_path / f"{number}.py").write_text(f"# a comment {number}\nx = 'a string'\n" * 9)
    defined = {"name": "is_a", "sql": "char = 'a'", "yes_no": True}
    run = tiny_run(
        tmp_path / "lake",
        task={"name": "text", "files": [f"{tmp_path}/*.py"], "window": 64},
        corpus={"train": 0, "valid": 2, "probe": 2},
        model={"cell": ["lstm"], "layers": [1]},
        extrapolate={"maximum": 1},
        score={"hypotheses": ["in_comment"], "headline": [], "define": [defined]},
        sample={"length": 0},
    )
    do_all(run)
    words = ("--prompt", "x\n# a", "--length", "3", "--seed", "5", "--dump")
    write(run, capsys, *words)
    write(run, capsys, *words)
    lake = pipeline.open(run.root)
    (dumped,) = [name for name in lake.catalog.runs if "_samples-" in name]
    said = "select value from annotations where run = $run and hypothesis = $name order by sequence, step"
    comment, is_a = (
        [row["value"] for row in lake.fetch(said, {"run": dumped, "name": name}).to_pylist()]
        for name in ("in_comment", "is_a")
    )
    assert comment[:5] == [0, 0, 1, 1, 1]
    assert is_a[:5] == [0, 0, 0, 0, 1]
    (row,) = lake.fetch("select prompt, seed, text from samples where run = $run", {"run": dumped}).to_pylist()
    chars = lake.fetch("select char from steps where run = $run order by step", {"run": dumped})[
        "char"
    ].to_pylist()
    assert (row["seed"], row["prompt"] + row["text"]) == (5, "".join(chars))


BAD = [
    (["--prompt", "q"], "the prompt holds 'q', which the model never saw; it knows Xab"),
    (["--model", "lstm-9x5-seed0"], "unknown model 'lstm-9x5-seed0'"),
    (["--checkpoint", "7"], "unknown checkpoint '7'"),
    (["--top-k", "9"], "top_k is 9, and there are 4 characters"),
]


@pytest.mark.parametrize(("words", "told"), BAD)
def test_mistakes_are_told(tiny_lake: Run, capsys: Capture, words: list[str], told: str) -> None:
    assert main(["write", tiny_lake.id, "--root", tiny_lake.root, *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--length", "0"], ["--temperature", "-1"], ["--samples", "none"], ["--seed", "-1"]]
)
def test_numbers_that_are_none(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["write", "tiny", *words])
