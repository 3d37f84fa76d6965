"""What a person types and reads."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.queries.names import match_run
from schemas.errors import UsageError
from tests.conftest import do_all, tiny_run
from tests.jobs.toml_of import write_toml


@pytest.fixture(scope="module")
def toml(tmp_path_factory: pytest.TempPathFactory, tiny_lake: Run) -> str:
    return str(write_toml(tmp_path_factory.mktemp("toml") / "tiny.toml", tiny_lake.experiment))


class Typed:
    """Types a command at the tiny lake; keeps what came out."""

    def __init__(self, capsys: pytest.CaptureFixture[str], root: str) -> None:
        self.capsys, self.root = capsys, root

    def __call__(self, *words: str, code: int = 0, root: str | None = None) -> str:
        assert main([*words, "--root", root or self.root]) == code
        out, self.err = self.capsys.readouterr()
        return out


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], tiny_lake: Run) -> Typed:
    return Typed(capsys, tiny_lake.root)


def test_run_says_that_there_is_nothing_to_do_and_answers_again(typed: Typed, toml: str, tiny_lake: Run) -> None:
    out = typed("run", toml, "--runner", "local")
    assert f"nothing to do: {tiny_lake.id} has all of generate, train," in typed.err
    for heading in ("Does it do its task?", "Which neuron follows count_a and remaining_b?", "What was written?"):
        assert heading in out
    assert "\033[" not in out, "no colour when this is no terminal"
    picture = Path(out.split("Picture: ")[1].splitlines()[0])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture == Path(tiny_lake.root, f"_meta/run={tiny_lake.id}/answer.png")
    commands = [line.strip() for line in out.split("Type next:")[1].splitlines() if line.strip()]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_answer_names_the_models_that_it_does_not_list(typed: Typed, tmp_path: Path) -> None:
    """A GRU of which only a gate was dumped has no state to follow anything; nor has what is always NULL."""
    run = tiny_run(
        tmp_path / "lake",
        model={"cell": ["lstm", "gru"], "layers": [1]},
        dump={"signals": ["cell_state", "update_gate"]},
        score={"hypotheses": ["count_a", "remaining_b", "is_separator", "next_is_b"]},
        sample={"length": 0},
    )
    toml = str(write_toml(tmp_path / "tiny.toml", run.experiment))
    never = "score.define=[{name='never', sql=\"case when char = 'q' then 1 end\"}]"
    words = ["run", toml, "--runner", "local", "--set", never]
    headline, each = typed(*words, root=run.root).split("Which neuron follows each hypothesis best?")
    told = "  not listed, as no measure is defined (not dumped, or it never changes): "
    assert [line for line in headline.splitlines() if line.startswith("  lstm-1x5-seed0 ")]
    assert f"{told}model gru-1x5-seed0\n" in headline
    assert f"{told}hypothesis never\n" in each
    null = f"  never is NULL at every step of {run.id}'s probe split: there is nothing to measure against it\n"
    notes = each.split("What is there to know of the hypotheses?\n\n")[1]
    next_b = "  next_is_b says what comes next: a neuron that follows it predicts rather than remembers\n"
    assert notes.startswith(f"{next_b}{null}\n")

    out = typed(*words, "--set", 'score.headline=["never"]', root=run.root)
    assert f"Which neuron follows never?\n\n{told}model lstm-1x5-seed0, gru-1x5-seed0\n{null}" in out


def test_until_and_single_stages(typed: Typed, toml: str, tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    small = ["--runner", "local", "--set", "model.cell=rnn", "--set", "model.layers=1"]
    assert typed("run", toml, *small, "--until", "generate", root=lake) == ""
    assert "lacks train" in typed("runs", root=lake)
    typed("dump", toml, *small, root=lake, code=2)
    assert f"has not finished train (whole): type `unrolled train {toml} --set model.cell=rnn" in typed.err
    for stage in ("train", "dump", "annotate", "score", "extrapolate"):
        typed(stage, toml, *small, root=lake)
    assert "lacks sample" in typed("runs", root=lake)
    typed("run", toml, *small, root=lake)  # a stage without a command of its own
    assert "complete" in typed("runs", root=lake)


def test_plan_tells_the_cost_and_writes_nothing(typed: Typed, toml: str, tmp_path: Path, tiny_lake: Run) -> None:
    lake = tmp_path / "lake"
    out = typed("run", toml, "--plan", root=str(lake))
    assert not lake.exists()
    assert f"{tiny_lake.id} in {lake}, of which --plan writes nothing" in typed.err
    planned = {line.split()[0]: line.split() for line in out.splitlines()[2:]}
    assert list(planned) == ["generate", "train", "dump", "annotate", "score", "extrapolate", "sample"]
    rows = {"generate": 0, "dump": 0, "score": 0, "extrapolate": 0, "annotate": 0, "train": 0}
    listed = json.loads(
        typed("sql", 'select "table", sum(rows) as rows from shards group by all', "--format", "json")
    )
    made = {row["table"]: int(row["rows"]) for row in listed if row["table"]}
    rows["generate"], rows["dump"] = made["steps"], made["activations"] + made["predictions"]
    rows["annotate"], rows["extrapolate"] = made["annotations"], made["extrapolation"]
    rows["sample"] = made["samples"]
    for stage in ("generate", "dump", "annotate", "extrapolate", "sample"):
        shown = float(planned[stage][planned[stage].index("do") + 1])
        assert shown == pytest.approx(rows[stage], rel=0.1), stage
    assert "done" in typed("run", toml, "--plan")


def test_runs_are_listed_shown_and_removed(typed: Typed, tmp_path: Path, tiny_lake: Run) -> None:
    assert tiny_lake.id in typed("runs")
    listed = json.loads(typed("runs", "ls", "--json"))
    assert [(row["run"], row["status"]) for row in listed] == [(tiny_lake.id, "complete")]
    assert '"maximum": 4' in typed("runs", "show", "tiny")
    assert json.loads(typed("runs", "show", "tiny", "--json"))["status"] == "complete"

    run = tiny_run(tmp_path / "lake", model={"cell": ["rnn"], "layers": [1]})
    do_all(run)
    assert "activations" in typed("runs", "rm", "tiny", root=run.root)
    assert "would go" in typed.err
    assert "complete" in typed("runs", root=run.root)
    assert "activations" in typed("runs", "rm", "tiny", "--yes", root=run.root)
    assert "is gone" in typed.err


def test_top_lists_neurons(typed: Typed, tiny_lake: Run) -> None:
    out = typed("top", tiny_lake.id, "--hypothesis", "count_a", "--signal", "cell_state", "--limit", "3")
    told = ["measure", "value", "held_out", "null_value", "untrained", "q_value", "texts"]
    assert out.splitlines()[0].split() == ["model", "checkpoint", "neuron", "signal", *told]
    assert len(out.splitlines()) == 5
    rows = json.loads(typed("top", "tiny", "--hypothesis", "is_separator", "--json"))
    assert all(0 <= row["value"] <= 1 and row["measure"] == "auc" for row in rows), "it says yes or no"
    names = ("model", "checkpoint", "layer", "neuron", "signal", "measure", "value", "held_out", "null_value")
    assert {*names, "null", "p_value", "q_value", "n"} <= set(rows[0])


def test_top_says_that_a_count_is_the_position(typed: Typed) -> None:
    """Every text of a^n X b^n begins with its a's: whatever counts them may be a clock."""
    rows = json.loads(typed("top", "tiny", "--hypothesis", "count_a", "--signal", "cell_state", "--json"))
    assert "nothing there is below q = 0.05" in typed.err
    assert "count_a is confounded with position" in typed.err
    assert {(row["null"], row["q_value"]) for row in rows if row["q_value"] is not None} == {("permuted", 1)}


def test_an_experiments_name_is_its_runs_whatever_else_begins_so() -> None:
    known = ["java_source-aaaa1111", "java_source-small-1234abcd", "java_source-small-9999abcd"]
    assert match_run("java_source", known, "") == known[0]
    assert match_run("java_source-small-1", known, "") == known[1]
    for several in ("java_source-small", "java"):
        with pytest.raises(UsageError, match=r"begins \d runs"):
            match_run(several, known, "")


def test_show_draws_texts(typed: Typed, tmp_path: Path) -> None:
    path = tmp_path / "neuron.png"
    assert typed("show", "tiny", "lstm-1x5-seed0", "L0/N4", "--picture", str(path)) == f"{path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")
    nowhere = str(tmp_path / "none" / "neuron.png")
    typed("show", "tiny", "lstm-1x5-seed0", "L0/N4", "--picture", nowhere, code=2)
    assert f"cannot write {nowhere}: No such file or directory" in typed.err


def test_show_prints_texts(typed: Typed) -> None:
    out = typed("show", "tiny", "lstm-1x5-seed0", "L0/N4", "--signal", "forget_gate", "--limit", "2")
    assert out.startswith("lstm-1x5-seed0 L0/N4 forget_gate, checkpoint 12: 0 is 0, 9 is 1\n")
    assert len([line for line in out.splitlines() if line.endswith("⏎")]) == 2
    rows = json.loads(typed("show", "tiny", "gru-2x5-seed0", "L1/N0", "--json"))
    assert all(len(row["text"]) == len(row["values"]) for row in rows)
    assert len({row["text"] for row in rows}) == len(rows) == 4


def test_a_picture_is_a_png_in_the_runs_folder_unless_a_file_is_named(typed: Typed, tmp_path: Path) -> None:
    place = "show", "tiny", "lstm-1x5-seed0", "L0/N4"
    for wrong in ("foo.txt", "foo", "foo.pdf"):
        typed(*place, "--picture", str(tmp_path / wrong), code=2)
        assert f"name it {tmp_path}/foo.png, not {tmp_path}/{wrong}" in typed.err
    typed(*place, "--picture", "--json", code=2)
    assert not list(tmp_path.iterdir())
    lake = tmp_path / "lake"
    copytree(typed.root, lake)
    path = Path(typed(*place, "--signal", "input_gate", "--picture", root=str(lake)).strip())
    assert path.parent.parent == next(lake.glob("_meta/run=*"))
    assert path.name == "lstm-1x5-seed0-L0N4-input_gate-12.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert typed("audit", "tiny", "--model", "lstm-1x5-seed0", root=str(lake))
    assert typed("gc", "--dry-run", root=str(lake)) == ""


def test_every_picture_of_a_neuron_has_one_scale(typed: Typed, tiny_lake: Run) -> None:
    query = (
        "select max(abs(cell_state)) as widest from activations "
        "where model = 'lstm-1x5-seed0' and neuron = 4 and checkpoint = 12"
    )
    (row,) = json.loads(typed("sql", query, "--format", "json"))
    scales = {typed("show", "tiny", "lstm-1x5-seed0", "L0/N4", "--limit", n).splitlines()[0] for n in ("1", "3")}
    widest = f"{row['widest']:.3g}"
    assert scales == {f"lstm-1x5-seed0 L0/N4 cell_state, checkpoint 12: 0 is -{widest}, 9 is {widest}"}


def test_show_begins_where_it_was_asked_to_or_says_that_it_cannot(typed: Typed, tiny_lake: Run) -> None:
    place = "tiny", "lstm-1x5-seed0", "L0/N4", "--limit", "1"
    assert "sequence 150\n" in typed("show", *place, "--sequence", "150")
    for nowhere in ("5", "180"):
        for form in ([], ["--json"]):
            typed("show", *place, "--sequence", nowhere, *form, code=2)
            assert f"has no probe sequence {nowhere}: they are 140 to 179" in typed.err


def test_a_picture_needs_the_name_of_a_file(typed: Typed) -> None:
    typed("show", "tiny", "lstm-1x5-seed0", "L0/N4", "--picture", ".", code=2)
    assert "--picture takes the name of a file, such as neuron.png" in typed.err


def test_sql_in_every_format(typed: Typed, tmp_path: Path) -> None:
    query = "select model, layers, null as nothing from models order by model limit 2"
    expected = [
        {"model": "feedforward-1x5-seed0", "layers": 1, "nothing": None},
        {"model": "feedforward-2x5-seed0", "layers": 2, "nothing": None},
    ]
    assert "feedforward-2x5-seed0" in typed("sql", query)
    assert json.loads(typed("sql", query, "--format", "json")) == expected
    assert json.loads(typed("sql", "from models where false", "--format", "json")) == []
    script = [sys.executable, "-m", "jobs", "sql", query, "--root", typed.root, "--format"]
    text = subprocess.run([*script, "csv"], check=True, capture_output=True, text=True).stdout
    assert [row["model"] for row in csv.DictReader(io.StringIO(text))] == [row["model"] for row in expected]
    data = subprocess.run([*script, "parquet"], check=True, capture_output=True).stdout
    assert pq.read_table(pa.BufferReader(data)).to_pylist() == expected


def test_sql_from_files_and_questions(
    typed: Typed, tmp_path: Path, tiny_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.sql").write_text("select count(*) as n from models where cell = $cell\n")
    out = typed("sql", "-f", str(tmp_path / "own.sql"), "--set", "cell=gru", "--format", "json")
    assert json.loads(out) == [{"n": 2}]
    out = typed("sql", "-f", "dumped", "--set", f"run={tiny_lake.id}", "--format", "json")
    assert json.loads(out)
    monkeypatch.setenv("COLUMNS", "200")
    assert "Which neurons follow a hypothesis best, and how far is that from chance?" in typed(
        "sql", "--questions"
    )


def test_audit_tells_what_holds_and_what_does_not(typed: Typed, tmp_path: Path) -> None:
    model = "lstm-1x5-seed0"
    lines = json.loads(typed("audit", "tiny", "--model", model, "--checkpoint", "12", "--json"))
    assert {line["violations"] for line in lines} == {0}
    assert all(line["rows_checked"] for line in lines)
    assert "h = o * tanh(c)" in typed("audit", "tiny", "--model", model)
    lake = tmp_path / "lake"
    copytree(typed.root, lake)
    shard = next(lake.glob(f"activations/**/model={model}/checkpoint=12/layer=0/*.parquet"))
    rows = pq.ParquetFile(shard).read()
    pq.write_table(
        rows.set_column(rows.column_names.index("input_gate"), "input_gate", rows["forget_gate"]), shard
    )
    assert "digests" in typed("audit", "tiny", "--model", model, root=str(lake), code=3)
    error = typed.err.splitlines()[-1]
    assert "digests (1), " in error
    assert f"{shard.name} has changed" in error
    assert "type the command that began it, with --replace dump to make it again" in error


def test_tables_of_sentences_are_as_wide_as_the_terminal(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 133):
        monkeypatch.setenv("COLUMNS", str(columns))
        for words in (["sql", "--questions"], ["audit", "tiny", "--model", "lstm-1x5-seed0"]):
            lines = typed(*words).splitlines()
            assert columns - 20 < max(map(len, lines)) <= columns


def test_a_plan_is_printed_in_lines(typed: Typed) -> None:
    lines = typed("sql", "explain select count(*) from steps").splitlines()
    assert len(lines) > 10
    assert lines[0].startswith("┌")
    assert json.loads(typed("sql", "explain from steps", "--format", "json"))[0]["explain_key"] == "physical_plan"


def test_what_csv_and_json_have_no_form_for(typed: Typed) -> None:
    query = "select sum(2) as whole, [1, 2] as list, 'nan'::float as nothing, date '2026-01-02' as day"
    told = {"whole": 2, "list": [1, 2], "nothing": None, "day": "2026-01-02"}
    assert json.loads(typed("sql", query, "--format", "json")) == [told]
    script = [sys.executable, "-m", "jobs", "sql", query, "--root", typed.root, "--format", "csv"]
    lines = subprocess.run(script, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[1] == '2,"[1, 2]",nan,"2026-01-02"'


def test_json_loses_no_digit_and_has_a_text_for_every_key(typed: Typed) -> None:
    exact = "12345678901234567890123456789.012345678"
    query = f"select '{exact}'::decimal(38, 9) as long, 0.25::decimal(9, 2) as short, 7::decimal(9, 2) as whole"
    assert json.loads(typed("sql", query, "--format", "json")) == [{"long": exact, "short": 0.25, "whole": 7}]
    query = "select map {[1, 2]: 'x'} as lists, map {{'a': 1}: 'y'} as structs, map {3: 'z'} as numbers"
    told = {"lists": {"[1, 2]": "x"}, "structs": {"{'a': 1}": "y"}, "numbers": {"3": "z"}}
    assert json.loads(typed("sql", query, "--format", "json")) == [told]
    assert (
        "[1, 2]"
        in subprocess.run(
            [sys.executable, "-m", "jobs", "sql", query, "--root", typed.root, "--format", "csv"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )


def test_a_root_that_cannot_keep_a_lake_is_refused(typed: Typed, toml: str) -> None:
    typed("run", toml, root="memory://x", code=2)
    assert "a lake in memory ends with the command" in typed.err
    assert main(["runs", "--root", ""]) == 2
    assert "the root is empty: give a folder or a URI" in typed.capsys.readouterr().err


def test_a_bug_is_one_line(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.commands.questions.top", lambda _: 1 / 0)
    typed("top", "tiny", "--hypothesis", "count_a", code=1)
    assert typed.err == "unrolled: a bug: ZeroDivisionError: division by zero; --debug shows where\n"


def test_what_was_not_dumped_is_not_shown(typed: Typed, tmp_path: Path) -> None:
    lstm = {"cell": ["lstm"], "layers": [1]}
    run = tiny_run(tmp_path / "lake", model=lstm, dump={"signals": ["hidden_state"], "checkpoints": "last"})
    do_all(run)
    assert typed("show", "tiny", "lstm-1x5-seed0", "L0/N0", root=run.root).startswith(
        "lstm-1x5-seed0 L0/N0 hidden_state"
    )
    typed("show", "tiny", "lstm-1x5-seed0", "L0/N0", "--signal", "forget_gate", root=run.root, code=2)
    assert "unknown signal of lstm-1x5-seed0 'forget_gate': known: hidden_state" in typed.err


def test_a_long_answer_is_cut_on_screen_and_says_so(typed: Typed) -> None:
    out = typed("sql", "from activations")
    assert len(out.splitlines()) == 202
    assert "the first 200 rows; --format csv, json or parquet gives them all" in typed.err


def test_reading_only_the_head_is_no_error(tiny_lake: Run) -> None:
    command = f"{sys.executable} -m jobs sql 'from activations' --format json --root {tiny_lake.root} | head -3"
    done = subprocess.run(command, shell=True, check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""
