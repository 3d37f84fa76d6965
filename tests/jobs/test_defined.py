"""Hypotheses of one's own, from the experiment's file to the scores."""

from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.commands.notes import hypothesis_notes
from schemas.errors import UsageError
from schemas.measures import MEASURES

SMALL = """
name = "mine"
[task]
name = "counting"
[corpus]
train = 40
valid = 10
probe = 30
[model]
hidden_size = [4]
[training]
steps = 10
checkpoints = 1
[score]
hypotheses = ["next_is_b", "count_a"]
"""
BY_PYTHON = """
from dataclasses import dataclass

import numpy as np

def next_is_b(text):
    return [text[step + 1] == "b" if step + 1 < len(text) else None for step in range(len(text))]

def fails(text):
    return [1 / 0 for _ in text]

def short(text):
    return []

def words(text):
    return list(text)

def mixed(text):
    return [character if character != "b" else 1 for character in text]

def half(text):
    return ["\\ud83d"] * len(text)

def huge(text):
    return [10 ** 400] * len(text)

def seven(text):
    return [7] * len(text)

@dataclass
class Kind:
    letter: "str"

def by_numpy(text):
    return np.array([character == Kind("b").letter for character in text])
"""
PYTHON = '[[score.define]]\nname = "by_python"\npython = "mine.py:next_is_b"\nyes_no = true\n'
NUMBERS = PYTHON.replace("yes_no = true\n", "")
SQL = """[[score.define]]\nname = "by_sql"\nsql = "target = 'b'"\nyes_no = true\n"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(BY_PYTHON)
    return tmp_path


def run(folder: Path, defined: str, *words: str) -> int:
    (folder / "mine.toml").write_text(SMALL + defined)
    return main(["run", "mine.toml", "--root", "lake", "--runner", "local", *words])


def test_the_same_hypothesis_in_python_and_sql_is_scored_as_the_shipped_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, PYTHON + SQL) == 0
    assert "train has 40 sequences, fewer than training.batch_size = 64" in capsys.readouterr().err
    lake = pipeline.open("lake")
    columns = "model, checkpoint, layer, neuron, signal, measure, value, held_out, null_value, p_value"
    shipped, by_python, by_sql = (
        lake.fetch(f"select {columns} from scores where hypothesis = '{name}' order by all")
        for name in ("next_is_b", "by_python", "by_sql")
    )
    assert len(shipped) == 4 * 6 * 6
    assert shipped.equals(by_python)
    assert shipped.equals(by_sql)
    assert main(["top", "mine", "--hypothesis", "by_python", "--root", "lake"]) == 0
    told = capsys.readouterr()
    assert "by_python says what comes next" in told.err
    assert "by_python says" not in told.out
    (folder / "mine.py").unlink()
    assert main(["top", "mine", "--hypothesis", "by_pyton", "--root", "lake"]) == 2
    assert " 'by_pyton': did you mean 'by_python'?" in capsys.readouterr().err


def test_a_definition_that_changed_is_noticed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, PYTHON) == 0
    (folder / "mine.py").write_text(BY_PYTHON.replace("None", "False"))
    assert run(folder, PYTHON) == 2
    assert "annotate.definition was" in capsys.readouterr().err
    assert run(folder, PYTHON, "--replace", "annotate") == 0


TWO = PYTHON + PYTHON.replace('"by_python"', '"by_numpy"').replace(":next_is_b", ":by_numpy")


def written(folder: Path) -> dict[str, int]:
    """When each object below the tables and records of hypotheses was written."""
    places = ("annotations", "definitions", "scores", "_meta/*/annotate", "_meta/*/score")
    files = [path for place in places for path in (folder / "lake").glob(f"{place}/**/*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def test_a_change_of_one_function_makes_that_hypothesis_again_and_no_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, TWO + SQL) == 0
    before = written(folder)
    (folder / "mine.py").write_text(BY_PYTHON.replace('== "b" if', '!= "b" if') + "\n# a remark\n")
    capsys.readouterr()
    assert run(folder, TWO + SQL) == 2
    assert "already has annotate hypothesis=by_python with other settings" in capsys.readouterr().err
    assert run(folder, TWO + SQL, "--replace", "annotate") == 0
    after = written(folder)
    assert set(after) == set(before)
    again = {path for path in after if after[path] != before[path]}
    assert again == {path for path in after if "hypothesis=by_python/" in path}

    scores = (
        pipeline.open("lake")
        .fetch(
            "select hypothesis, value from scores where measure = 'auc' and hypothesis in ('by_python', 'by_sql') "
            "order by hypothesis, layer, neuron, signal"
        )["value"]
        .to_pylist()
    )
    flipped, kept = scores[: len(scores) // 2], scores[len(scores) // 2 :]
    assert flipped == pytest.approx([1 - value for value in kept], abs=1e-5)
    assert run(folder, TWO + SQL) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_a_change_of_the_expression_or_of_yes_no_does_the_same(folder: Path) -> None:
    assert run(folder, PYTHON + SQL) == 0
    before = written(folder)
    assert run(folder, PYTHON + SQL.replace("yes_no = true\n", ""), "--replace", "annotate") == 0
    again = {path for path, when in written(folder).items() if before.get(path) != when}
    assert again == {path for path in before if "hypothesis=by_sql/" in path}
    measures = "select distinct measure from scores where hypothesis = 'by_sql' order by all"
    assert pipeline.open("lake").fetch(measures)["measure"].to_pylist() == sorted(
        {*MEASURES} - {"auc", "eta_squared"}
    )


def test_what_has_not_changed_is_replaced_as_a_whole(folder: Path) -> None:
    assert run(folder, PYTHON + SQL) == 0
    before = written(folder)
    assert run(folder, PYTHON + SQL, "--replace", "annotate") == 0
    after = written(folder)
    assert set(after) == set(before)
    assert not {path for path in after if after[path] == before[path]}


def test_a_definition_rests_beside_its_annotations(folder: Path) -> None:
    """The one that made them, wherever it was given; the note of how the run was begun has none."""
    assert run(folder, PYTHON) == 0
    changed = BY_PYTHON.replace("None", "False")
    (folder / "mine.py").write_text(changed)
    assert run(folder, PYTHON, "--replace", "annotate") == 0
    by_flag = "score.define=[{name='is_b', sql=\"char = 'b'\", yes_no=true}]"
    words = ["--set", by_flag, "--set", 'score.hypotheses=["next_is_b"]', "--root", "lake", "--runner", "local"]
    assert main(["run", "mine.toml", *words]) == 0

    lake = pipeline.open("lake")
    rows = lake.fetch("select * exclude (run, digest) from definitions order by hypothesis").to_pylist()
    names = ("hypothesis", "origin", "yes_no", "definition", "source")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("by_python", "python", True, "mine.py:next_is_b", changed),
        ("count_a", "shipped", False, None, None),
        ("is_b", "sql", True, "char = 'b'", None),
        ("next_is_b", "shipped", True, None, None),
    ]
    plans = {m.plan.unit: m.plan for m in lake.catalog.manifests[next(iter(lake.catalog.runs))]}
    for row in lake.fetch("from definitions").to_pylist():
        assert plans[f"hypothesis={row['hypothesis']}"].settings.get("definition") == row["digest"]
    (record,) = lake.catalog.runs.values()
    assert "define" not in record.experiment["score"]  # type: ignore[operator]
    assert "by_python" in str(record.experiment["score"])
    assert "def next_is_b" not in lake.fetch("select config from runs")["config"][0].as_py()


def test_what_a_model_writes_is_read_by_the_latest_definition(folder: Path) -> None:
    assert run(folder, SQL) == 0
    assert run(folder, SQL.replace("target = 'b'", "char = 'a'"), "--replace", "annotate") == 0
    assert main(["write", "mine", "--prompt", "aXb", "--length", "2", "--dump", "--root", "lake"]) == 0
    found = (
        pipeline.open("lake")
        .run("mine_samples")
        .fetch(
            "select char = 'a' as expected, value from annotations join steps using (run, sequence, step) "
            "where hypothesis = 'by_sql' order by step"
        )
    )
    assert [float(row) for row in found["expected"].to_pylist()] == found["value"].to_pylist()
    assert found["value"].to_pylist()[:3] == [1, 0, 0]


BAD = [
    (PYTHON.replace("mine.py", "none.py"), "score.define: cannot read"),
    (PYTHON.replace("next_is_b", "next"), "mine.py has no function 'next'; it has dataclass, next_is_b, fails"),
    (PYTHON.replace("next_is_b", "fails"), "by_python (mine.py:fails) fails with ZeroDivisionError"),
    (PYTHON.replace("next_is_b", "short"), "gives 0 values for 7 characters"),
    (PYTHON.replace("next_is_b", "words"), "gives 'a', and yes_no = true says that it gives 0 or 1"),
    (NUMBERS.replace("next_is_b", "mixed"), "by_python (mine.py:mixed) gives both text and numbers"),
    (NUMBERS.replace("next_is_b", "half"), "gives '\\ud83d': a number, bool, text or None is needed"),
    (NUMBERS.replace("next_is_b", "huge"), "0000: a number, bool, text or None is needed"),
    (PYTHON.replace("next_is_b", "seven"), "gives 7, and yes_no = true says that it gives 0 or 1"),
    (PYTHON.replace("mine.py:next_is_b", "mine.py"), "python is file.py:function, not 'mine.py'"),
    (PYTHON.replace("by_python", "count_a"), "score.define: count_a is a hypothesis that there is"),
    (PYTHON + PYTHON, "score.define has a name twice"),
    (PYTHON + 'sql = "1"\n', "needs one of python and sql"),
    (SQL.replace("target", "colour"), 'Referenced column "colour" not found'),
    (SQL.replace("= 'b'", "="), "is no SQL expression over steps"),
    (SQL.replace("target = 'b'", "[1]"), "gives INTEGER[], not a number, boolean or VARCHAR"),
    (
        SQL.replace("target = 'b'", "1.0 / step").replace("yes_no = true", ""),
        "gives infinite values or NaN: let it give NULL",
    ),
    (SQL.replace("target = 'b'", "char"), "gives VARCHAR, against its yes_no = true"),
    (PYTHON.replace("by_python", "next_is_7"), "score.define: next_is_7 is a hypothesis that there is"),
    (SQL.replace("target = 'b'", "(select max(a) from 'mine.py')"), "is no SQL expression over steps"),
]


@pytest.mark.parametrize(("defined", "told"), BAD, ids=[told[:24] for _, told in BAD])
def test_what_cannot_work_is_told_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], defined: str, told: str
) -> None:
    assert run(folder, defined) == 2
    assert told in capsys.readouterr().err
    assert not Path("lake").exists()


def test_python_that_is_none_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text("def next_is_b(text:\n")
    assert run(folder, PYTHON) == 2
    assert "mine.py cannot be imported: SyntaxError" in capsys.readouterr().err


def test_numpy_may_give_the_values(folder: Path) -> None:
    assert run(folder, PYTHON.replace("next_is_b", "by_numpy"), "--until", "annotate") == 0
    rows = pipeline.open("lake").fetch(
        "select distinct char, value from annotations join steps using (run, sequence, step) "
        "where hypothesis = 'by_python' order by all"
    )
    assert {tuple(row.values()) for row in rows.to_pylist()} == {("\n", 0.0), ("X", 0.0), ("a", 0.0), ("b", 1.0)}


def test_a_text_in_no_known_language_may_have_a_hypothesis_by_sql(folder: Path) -> None:
    (folder / "lines.txt").write_text("".join(f"line {number}\n" for number in range(200)))
    text = 'name = "mine"\n[task]\nname = "text"\nfiles = ["lines.txt"]\ndocuments = "line"\n'
    (folder / "mine.toml").write_text(
        text
        + SMALL.partition('name = "counting"\n')[2].replace('hypotheses = ["next_is_b", "count_a"]\n', "")
        + SQL
    )
    assert main(["run", "mine.toml", "--root", "lake", "--runner", "local"]) == 0
    assert pipeline.open("lake").fetch("select distinct hypothesis from scores").to_pylist() == [
        {"hypothesis": "by_sql"}
    ]


def test_a_hypothesis_that_is_null_everywhere_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    never = "case when char = 'Z' then 1 end"
    assert run(folder, SQL.replace("target = 'b'", never)) == 0
    lake = pipeline.open("lake")
    assert lake.fetch("select sum(n) from scores where hypothesis = 'by_sql'").to_pylist()[0].popitem()[1] == 0
    for measure in ("pearson", "spearman", "auc"):
        assert main(["top", "mine", "--hypothesis", "by_sql", "--measure", measure, "--root", "lake"]) == 2
        err = capsys.readouterr().err
        assert f"by_sql is NULL at every step of {next(iter(lake.catalog.runs))}'s probe split" in err
    always = SQL.replace("target = 'b'", "true")
    assert run(folder, always, "--replace", "annotate") == 0
    assert main(["top", "mine", "--hypothesis", "by_sql", "--root", "lake"]) == 2
    assert "by_sql is the same at each of the " in capsys.readouterr().err


def test_sql_gives_one_value_a_step_or_fails_late(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, SQL.replace("target = 'b'", "step")) != 0
    assert "gives other values than 0 and 1, against its yes_no = true" in capsys.readouterr().err


def test_text_names_categories_by_python_and_sql(folder: Path) -> None:
    by_sql = SQL.replace("target = 'b'", "char").replace("yes_no = true\n", "")
    assert run(folder, NUMBERS.replace("next_is_b", "words") + by_sql) == 0
    lake = pipeline.open("lake")
    said = lake.fetch(
        "select distinct category = char as same, value from annotations join steps using (run, sequence, step) "
        "where hypothesis in ('by_python', 'by_sql')"
    )
    assert said.to_pylist() == [{"same": True, "value": None}]
    answers = lake.run("mine").ask("hypothesis_answers").to_pylist()
    kinds = {"by_python": "category", "by_sql": "category", "count_a": "number", "next_is_b": "yes_no"}
    assert {row["hypothesis"]: row["kind"] for row in answers} == kinds

    place = {"run": "mine", "model": "lstm-1x4-seed0", "layer": 0, "neuron": 1, "hypothesis": "by_sql"}
    rows = lake.ask("signal_by_value", **place)
    assert rows["category"].to_pylist() == ["\n", "X", "a", "b"]
    assert rows["hypothesis_value"].null_count == 4
    steps = "select count(*) from steps where split = 'probe'"
    assert sum(rows["steps"].to_pylist()) == lake.fetch(steps)[0][0].as_py()
    with pytest.raises(UsageError, match="by_sql names a category, and this question is about yes and no"):
        lake.ask("separating_neurons", run="mine", hypothesis="by_sql")


LATE = """
def late(text):
    if "X" in text:
        raise KeyError(text[:3])
    return [0] * len(text)

def mixed_late(text):
    return [character if character in "aX" else 1 for character in text] if "X" in text else [0] * len(text)
"""


@pytest.mark.parametrize(
    ("defined", "told"),
    [
        (PYTHON.replace("next_is_b", "late"), "by_python (mine.py:late) fails with KeyError: 'a"),
        (NUMBERS.replace("next_is_b", "mixed_late"), "by_python (mine.py:mixed_late) gives both text and numbers"),
        (SQL.replace("target = 'b'", "step // 3"), "by_sql gives other values than 0 and 1, against its yes_no"),
        (
            SQL.replace("target = 'b'", "if(step > 2, char, '1')::int"),
            "by_sql: if(step > 2, char, '1')::int is no",
        ),
    ],
    ids=["raises", "mixes", "sql gives 2", "sql fails"],
)
def test_what_fails_on_the_data_stops_no_other(
    folder: Path, capsys: pytest.CaptureFixture[str], defined: str, told: str
) -> None:
    (folder / "mine.py").write_text(BY_PYTHON + LATE)
    assert run(folder, defined) == 0
    printed = capsys.readouterr().out
    assert f"\n  {told}" in printed
    assert ": it is NULL everywhere\n" in printed
    name = told.split(maxsplit=1)[0].rstrip(":")
    lake = pipeline.open("lake")
    found = lake.fetch(
        f"select count(*), count(value), count(category) from annotations where hypothesis = '{name}'"
    )
    steps = lake.fetch("select count(*) from steps where split = 'probe'")[0][0].as_py()
    assert [column[0].as_py() for column in found.columns] == [steps, 0, 0]
    assert lake.fetch("select count(value) > 0 from scores where hypothesis = 'count_a'")[0][0].as_py()
    assert main(["top", "mine", "--hypothesis", name, "--root", "lake"]) == 2
    assert capsys.readouterr().err.startswith(f"unrolled: {told}")


def test_a_shard_that_fails_is_noted_and_the_others_have_their_values(folder: Path) -> None:
    """Of 4,100 sequences the probe split has two shards; the second begins 4,096 after 50 of the other splits."""
    (folder / "mine.toml").write_text(
        SMALL.replace("probe = 30", "probe = 4100")
        + SQL.replace("target = 'b'", "if(sequence < 50 + 4096, step, 1e308 * 10)").replace("yes_no = true\n", "")
    )
    assert main(["run", "mine.toml", "--root", "lake", "--runner", "local", "--until", "annotate"]) == 0
    lake = pipeline.open("lake").run("mine")
    found = lake.fetch(
        "select count(*), count(distinct sequence) from annotations where hypothesis = 'by_sql' and value is null"
    )
    assert found[1][0].as_py() == 4
    notes = lake.fetch("select note from definitions where hypothesis = 'by_sql' order by note")[
        "note"
    ].to_pylist()
    assert notes == ["by_sql gives infinite values or NaN: let it give NULL there, as with nullif(…, 0)", None]
    line = hypothesis_notes(lake, next(iter(lake.catalog.runs)))["by_sql"]
    assert line == f"{notes[0]}: it is NULL over 1 shard of the probe split"


NOTED = {  # an expression, and what is to know of it; n is 1 to 12 in "aaXbb\\n"
    "target": "says what comes next",
    "target = 'b'": "says what comes next",
    "char": "",
    "char = 'X'": "",
    "step": "",
    "case when char = 'a' then target end": "says what comes next",
    "case when sequence = 50 and step < 3 then step end": "",
    "null": "is NULL at every step of",
    "case when char = 'b' then 'yes' end": "is the same at each of the ",
}


def test_what_may_mislead_is_told_of_each(folder: Path) -> None:
    defined = "".join(f'[[score.define]]\nname = "h{number}"\nsql = "{sql}"\n' for number, sql in enumerate(NOTED))
    few = (("few_yes", "sequence = 50 and step < 3"), ("few_no", "not (sequence = 50 and step < 4)"))
    defined += "".join(f'[[score.define]]\nname = "{n}"\nsql = "{sql}"\nyes_no = true\n' for n, sql in few)
    assert run(folder, defined, "--until", "annotate") == 0
    lake = pipeline.open("lake")
    (mine,) = lake.catalog.runs
    notes = hypothesis_notes(lake, mine)
    for number, (sql, told) in enumerate(NOTED.items()):
        assert notes.get(f"h{number}", "").startswith(f"h{number} {told}" if told else ""), sql
        assert bool(told) == (f"h{number}" in notes), sql
    steps = lake.fetch("select count(*) from steps where split = 'probe'")[0][0].as_py()
    assert notes["few_yes"] == f"few_yes says yes at 3 of {steps} steps: so few may be met by chance"
    assert notes["few_no"] == f"few_no says no at 4 of {steps} steps: so few may be met by chance"
    assert "next_is_b" in notes
    assert "count_a" not in notes
    answers = {row["hypothesis"]: row for row in lake.ask("hypothesis_answers", run=mine).to_pylist()}
    assert (answers["few_yes"]["steps"], answers["few_yes"]["answers"], answers["few_yes"]["yes_steps"]) == (
        steps,
        2,
        3,
    )
    assert {answers[f"h{number}"]["answers"] for number in (0, 2)} == {4}, "the newline, a, b and X"
    assert hypothesis_notes(lake, mine, "few_no") == {"few_no": notes["few_no"]}
