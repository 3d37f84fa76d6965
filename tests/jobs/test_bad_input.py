"""What a person may type or give that is wrong: each gets one clear line, and changes nothing."""

from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.run.context import Run
from schemas import FORMAT_VERSION
from tests.conftest import tree

BAD: list[tuple[list[str], str]] = [
    (["run", "countin"], "unknown experiment 'countin': did you mean 'counting'?"),
    (["run", "{tmp}/no.toml"], "there is no file {tmp}/no.toml to read the experiment from"),
    (["run", "{tmp}/broken.toml"], "broken.toml is not TOML"),
    (["run", "counting", "--set", "task.name=countin"], "unknown task 'countin': did you mean 'counting'?"),
    (["run", "counting", "--set", "model.cell=lsmt"], "unknown model.cell.0 'lsmt': did you mean 'lstm'?"),
    (["run", "counting", "--set", "training.stepz=4"], "unknown key training.stepz: did you mean training.steps?"),
    (["run", "counting", "--set", "training.steps=many"], "training.steps should be a valid integer, not 'many'"),
    (["run", "counting", "--set", "task.maximum=0"], "task.maximum should be greater than 0, not 0"),
    (["run", "{tmp}/plain.toml"], "bracket_depth reads code, and the files' names do not tell the language"),
    (["run", "{tmp}/ruby.toml"], "round_depth reads code, and cannot tell the strings and comments of Ruby (.rb)"),
    (["run", "counting", "--set", "score.language=c_like"], "c_like is not one language: write auto, or which it"),
    (["run", "counting", "--set", "score.language=jva"], "unknown score.language 'jva': did you mean 'java'?"),
    (["run", "{tmp}/zeros.toml"], "zeros.txt is binary (a zero byte at 3)"),
    (
        ["run", "{tmp}/few.toml", "--set", "task.maximum_document=99"],
        "few.txt is larger than task.maximum_do",
    ),
    (["run", "{tmp}/few.toml", "--set", "task.maximum_vocabulary=5"], "has 9 different characters, more than"),
    (
        ["run", "{tmp}/few.toml", "--set", 'task.documents="csv"'],
        "few.txt has no column 'text', only 'some words'",
    ),
    (["run", "counting", "--data-parallel", "2:1"], "takes a number of workers or a range, as 4 or 2:8"),
    (["run", "counting", "--data-parallel", "2", "--runner", "local"], "leave --runner local out"),
    (["run", "counting", "--gpus-per-worker", "0.7"], "a share 1/k, as 0.5 or 0.25"),
    (["run", "counting", "--gpus-per-worker", "inf"], "a share 1/k, as 0.5 or 0.25"),
    (["run", "counting", "--gpus-per-worker", "99", "--runner", "local"], "torch finds none here"),
    (["run", "counting", "--tensorboard", "{tmp}/few.txt/events"], "few.txt/events cannot be written: Not a dir"),
    (["run", "{tmp}/plain.toml", "--set", 'sample.stop="z"', "--set", "sample.length=9"], "the stop holds 'z'"),
    (["run", "{tmp}/plain.toml", "--set", "sample.top_k=99", "--set", "sample.length=9"], "top_k is 99"),
    (["run", "counting", "--set", "steps"], "--set takes section.key=value, not 'steps'"),
    (["run", "counting", "--set", "name.x=1"], "name is a value, not a section"),
    (
        ["run", "counting", "--set", 'score.hypotheses=["count_b"]', "--set", "score.headline=[]"],
        "unknown hypothesis 'count_b': did you mean 'count_a'?",
    ),
    (["run", "counting", "--set", 'score.hypotheses=["count_aa", "remaining_b"]'], "'count_aa': did you mean 'co"),
    (
        ["run", "counting", "--set", 'score.headline=["count_aa"]'],
        "unknown score.headline 'count_aa': did you mean",
    ),
    (["run", "{tmp}/empty.toml"], "task.files: there is no {tmp}/empty.txt"),
    (["run", "{tmp}/none.toml"], "the corpus is empty: no file matches task.files"),
    (["run", "{tmp}/latin.toml"], 'latin.txt is not UTF-8 (byte 3): set task.not_utf8 = "replace" or "skip"'),
    (
        ["run", "{tmp}/few.toml"],
        "holds 4 sequences in 1 document, and 3 splits need 3, for no document lies in two: give more files, or",
    ),
    (["run", "counting", "--root", "{tmp}/broken.toml/lake"], "cannot be written: Not a directory"),
    (["run", "counting", "--root", "{tmp}/other"], f"has format version 99, this unrolled reads {FORMAT_VERSION}"),
    (["sql", "select 1", "--root", "{tmp}/other"], f"has format version 99, this unrolled reads {FORMAT_VERSION}"),
    (["sql", "select 1", "--root", "{tmp}/nothing"], "there is no lake at"),
    (["sql", "select * from nowhere"], "Catalog Error: Table with name nowhere does not exist!"),
    (["sql", "copy models to '{tmp}/x.csv'"], "only SELECT is allowed, not COPY"),
    (["sql", "create table x as from models"], "only SELECT is allowed, not CREATE"),
    (["sql"], "give one query"),
    (["sql", "-f", "{tmp}/no.sql"], "cannot read"),
    (["sql", "-f", "top_neuron"], "unknown question 'top_neuron': did you mean 'top_neurons'?"),
    (["sql", "-f", "top_neurons"], "top_neurons needs run, hypothesis"),
    (["sql", "select 1", "--set", "x"], "--set takes name=value, not 'x'"),
    (["top", "tinny", "--hypothesis", "count_a"], "unknown run 'tinny': did you mean 'tiny'? known: tiny-"),
    (["top", "tiny", "--hypothesis", "count_aa"], " 'count_aa': did you mean 'count_a'? known: "),
    (
        ["top", "tiny", "--hypothesis", "is_x"],
        " 'is_x': known: count_a, is_separator, remaining_b",
    ),
    (
        ["top", "tiny", "--hypothesis", "count_a", "--signal", "cell"],
        " 'cell': did you mean 'cell_state'? known: c",
    ),
    (["top", "tiny", "--hypothesis", "count_a", "--checkpoint", "500"], " 500: known: 0, 12"),
    (
        ["show", "tiny", "lstm-1x5-seed9", "L0/N0"],
        " 'lstm-1x5-seed9': did you mean 'lstm-1x5-seed0'?",
    ),
    (["show", "tiny", "lstm-1x5-seed0", "N0"], "a neuron is given as L0/N7 (layer 0, neuron 7), not 'N0'"),
    (["show", "tiny", "lstm-1x5-seed0", "L0/N5"], "lstm-1x5-seed0 has no neuron L0/N5: its last is L0/N4"),
    (
        ["show", "tiny", "gru-1x5-seed0", "L0/N0", "--signal", "cell_state"],
        "unknown signal of gru-1x5-seed0 'cell_state'",
    ),
    (["show", "tiny", "lstm-1x5-seed0", "L0/N0", "--checkpoint", "7"], "5-seed0 7: known: 0, 12"),
    (["show", "tiny", "lstm-1x5-seed0", "L0/N0", "--sequence", "5"], "no probe sequence 5: they are 140 to 179"),
    (["runs", "rm"], "which run?"),
    (["audit", "tinny"], "unknown run 'tinny': did you mean 'tiny'? known: tiny-"),
    (["audit", "tiny", "--model", "lstm-1x5-seed9"], "unknown model 'lstm-1x5-seed9'"),
    (["audit", "tiny", "--checkpoint", "7"], "checkpoint 7 was not dumped; known: 0, 12"),
    (
        ["top", "tiny", "--hypothesis", "count_a", "--measure", "auc"],
        "measure of count_a 'auc': known: mutual_information, pearson, r_squared, slope, spearman",
    ),
    (["sql", "-f", "dumped", "--set", "run=nope"], "unknown run 'nope'"),
    (["sql", "select error('late') from range(900000) where range = 800000"], "late"),
]


@pytest.mark.parametrize(("words", "told"), BAD, ids=[" ".join(words[:4]) for words, _ in BAD])
def test_bad_input_gets_one_clear_line_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_lake: Run, words: list[str], told: str
) -> None:
    (tmp_path / "broken.toml").write_text("name = ")
    (tmp_path / "latin.txt").write_bytes(b"abc\xe9" * 100)
    (tmp_path / "few.txt").write_text("some words\n" * 40)
    (tmp_path / "zeros.txt").write_bytes(b"abc\0" * 100)
    (tmp_path / "plain.txt").write_text("".join(f"some {n} words\n" for n in range(40)))
    text = 'name = "{0}"\n[task]\nname = "text"\nfiles = ["{1}/{0}.txt"]\n'
    (tmp_path / "none.toml").write_text(
        text.format("*", tmp_path).replace('name = "*"', 'name = "none"').replace("*.txt", "*.none")
    )
    for name in ("empty", "latin", "few", "zeros", "plain"):
        (tmp_path / f"{name}.toml").write_text(text.format(name, tmp_path))
    with (tmp_path / "plain.toml").open("a") as file:
        sizes = "[corpus]\ntrain = 5\nvalid = 1\nprobe = 1\n"
        file.write(f'documents = "line"\n{sizes}[score]\nhypotheses = ["bracket_depth"]\n')
    (tmp_path / "a.rb").write_text("".join(f"f {n}\n" for n in range(40)))
    with (tmp_path / "ruby.toml").open("w") as file:
        file.write(f'{text.format("ruby", tmp_path).replace("ruby.txt", "a.rb")}documents = "line"\n{sizes}')
        file.write('[score]\nhypotheses = ["round_depth"]\n')
    (tmp_path / "other" / "_meta").mkdir(parents=True)
    (tmp_path / "other" / "_meta" / "lake.json").write_text('{"format_version": 99}')
    reads = words[0] in ("sql", "top", "show", "runs", "audit")
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    if "--root" not in words:
        words += ["--root", tiny_lake.root if reads else str(tmp_path / "lake")]
    before = tree(tmp_path) | tree(Path(tiny_lake.root))
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    error = [line for line in err.splitlines() if line.startswith("unrolled: ")]
    assert len(error) == 1
    assert told.replace("{tmp}", str(tmp_path)) in err
    assert "Traceback" not in err
    assert tree(tmp_path) | tree(Path(tiny_lake.root)) == before
