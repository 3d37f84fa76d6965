"""The views and questions over a real lake, against the same facts worked out in another way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import pipeline
from jobs.run.context import Run
from jobs.run.reading import read_model, read_sequences
from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.queries.lake import Lake
from pipeline.queries.question import find_question, parse_question, questions
from pipeline.queries.statement import read_statement
from pipeline.storage.folder import Folder
from schemas import FORMAT_VERSION
from schemas.errors import IncompleteWarning, UsageError
from schemas.signals import CELL_SIGNALS
from schemas.tables import TABLES
from tests.conftest import do_all, tiny_run, tree
from tests.models.by_loop import by_loop


@pytest.fixture(scope="module")
def lake(tiny_lake: Run) -> Lake:
    return pipeline.open(tiny_lake.root)


def one(lake: Lake, query: str) -> Any:
    return lake.fetch(query).to_pylist()[0].popitem()[1]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_view_with_its_columns(lake: Lake, table: str) -> None:
    found = lake.fetch(f"from {table} limit 1")
    expected = [column.name for column in TABLES[table].columns]
    assert found.column_names == (["run", *expected[1:], "status"] if table == "runs" else expected)
    assert len(found) == (table != "documents"), "only a text has documents"


def test_a_plain_duckdb_session_sees_the_same_rows(lake: Lake, tiny_lake: Run) -> None:
    plain = duckdb.connect()
    for table in ("activations", "predictions", "annotations", "steps", "scores"):
        columns = ", ".join(f'"{column.name}"' for column in TABLES[table].stored)  # one is called null
        files = f"read_parquet('{tiny_lake.root}/{table}/**/*.parquet', hive_partitioning = true)"
        theirs = plain.sql(f"select {columns} from {files} order by all").to_arrow_table()
        ours = lake.fetch(f"select {columns} from {table} order by all")
        assert len(ours) > 0
        assert ours.equals(theirs)


def test_only_parquet_lies_below_a_table(tiny_lake: Run) -> None:
    for table in set(TABLES) - {"documents"}:  # of a text alone
        files = [path for path in Path(tiny_lake.root, table).rglob("*") if path.is_file()]
        assert files
        assert {path.suffix for path in files} == {".parquet"}


def test_every_value_is_what_the_checkpoint_computes(lake: Lake, tiny_lake: Run) -> None:
    """From the weights on disk, one sequence at a time, to the rows in SQL."""
    probe = read_sequences(tiny_lake, "probe")
    for spec in tiny_lake.experiment.model.grid():
        model, _ = read_model(tiny_lake, spec.name, 12)
        assert isinstance(model, RecurrentLM)
        for place in (0, 17, 39):
            tokens = torch.from_numpy(probe.take(place, place + 1).tokens[None].astype("int64"))
            layers, _ = by_loop(model, tokens)
            for layer, signals in enumerate(layers):
                stored = lake.fetch(
                    "select * from activations where model = $model and checkpoint = 12 and layer = $layer "
                    "and sequence = $sequence order by step, neuron",
                    {"model": spec.name, "layer": layer, "sequence": int(probe.ids[place])},
                )
                for name, values in signals.items():
                    flat = values.detach()[0].reshape(-1).tolist()
                    assert stored[name].to_pylist() == pytest.approx(flat, abs=1e-6)


def test_answers_open_in_pandas_polars_and_arrow(lake: Lake) -> None:
    relation = lake.sql("select model, layers from models order by model")
    frame, frames, arrow = relation.df(), relation.pl(), relation.to_arrow_table()
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(frames, pl.DataFrame)
    assert frame["model"].tolist() == frames["model"].to_list() == arrow["model"].to_pylist()
    assert len(frame) == 10


def test_an_answer_is_read_as_often_as_wanted_and_from_any_thread(lake: Lake) -> None:
    answer = lake.sql("select model, count(*) as n from scores where checkpoint = $c group by all", {"c": 12})
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: sorted(answer.fetchall()), range(30)))
    assert found == [sorted(answer.fetchall())] * 30
    assert len(found[0]) == 10
    assert answer.columns == ["model", "n"]
    assert (
        sorted(answer.pl()["model"])
        == sorted(answer.df()["model"])
        == sorted(pa.table(answer)["model"].to_pylist())
    )
    assert answer.fetchone() in found[0]
    assert "lstm-2x5-seed0" in repr(answer)
    assert sum(map(len, answer.to_arrow_reader(3))) == 10


def test_no_way_leads_from_an_answer_into_the_lake(lake: Lake, tiny_lake: Run) -> None:
    before = tree(Path(tiny_lake.root))
    answer = lake.sql("from models")
    writing = {
        "write_parquet",
        "write_csv",
        "to_parquet",
        "to_csv",
        "query",
        "execute",
        "create",
        "to_table",
        "insert",
    }
    assert not writing & set(dir(answer))
    target = f"{tiny_lake.root}/_meta/lake.json"
    for query in (f"from enable_profiling(format = 'json', save_location = '{target}')", "from checkpoint()"):
        with pytest.raises(UsageError, match="only read"):
            lake.sql(query)
    lake.fetch("from models")
    assert tree(Path(tiny_lake.root)) == before


def test_an_error_shows_the_query_as_it_was_typed(lake: Lake) -> None:
    with pytest.raises(UsageError, match=r"LINE 1: select nothing from models"):
        lake.sql("select nothing from models")
    assert len(lake.sql("explain from models").fetchall()) == 1
    assert lake.sql("show tables").columns == ["name"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select * from nowhere", "Table with name nowhere does not exist"),
        ("selec 1", "syntax error"),
        ("create table t (x int)", "only SELECT is allowed, not CREATE"),
        ("insert into models values (1)", "only SELECT is allowed, not INSERT"),
        ("copy models to '/tmp/x.csv'", "only SELECT is allowed, not COPY"),
        ("drop view models", "only SELECT is allowed, not DROP"),
        ("explain analyze drop view models", "only SELECT is allowed, not DROP"),
        ("-- explain \ncopy (select 1) to 'x.parquet';\nselect 1", "one SELECT at a time, not 2"),
        ("select 1; select 2", "one SELECT at a time, not 2"),
        ("", "one SELECT at a time, not 0"),
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        (
            "select * from models where run = $run",
            "the query needs run: give {'run': …} as its parameters in Python, --set run=… ",
        ),
        ("select error('told so')", "told so"),
    ],
)
def test_what_is_not_a_good_select_is_refused(lake: Lake, query: str, told: str) -> None:
    with pytest.raises(UsageError, match=r"(?s).*" + told):
        lake.fetch(query)


def test_a_query_reads_only_the_shards_of_its_run_model_and_layer(lake: Lake, tiny_lake: Run) -> None:
    query = (
        "explain analyze select count(*) from activations where run = $run and model = $model and checkpoint = 12 "
        "and layer = 1"
    )
    plan = lake.fetch(query, {"run": tiny_lake.id, "model": "lstm-2x5-seed0"})["explain_value"].to_pylist()[0]
    assert "Scanning Files: 3/90" in plan


def test_status_says_which_stage_is_missing(tmp_path: Path, tiny_lake: Run) -> None:
    from jobs.main_path import run_stages
    from jobs.runners.local import LocalRunner

    run = tiny_run(tmp_path / "lake", model={"cell": ["rnn"], "layers": [1]})
    run_stages(run, LocalRunner(), ["generate", "train"])
    lake = pipeline.open(run.root)
    assert lake.fetch("select run, status from runs").to_pylist() == [{"run": run.id, "status": "lacks dump"}]
    with pytest.warns(IncompleteWarning, match=f"{run.id} is incomplete: dump has 0 of its 2 units"):
        assert one(lake, "select count(*) from activations") == 0
    with pytest.raises(UsageError, match=rf"{run.id} has no score yet: to go on, type the command that began it"):
        lake.catalog.require(run.id, "score")
    lake.catalog.require(run.id, "train")
    assert pipeline.open(tiny_lake.root).catalog.status == {tiny_lake.id: "complete"}


def test_a_lake_need_not_be_a_local_folder(tmp_path: Path) -> None:
    run = tiny_run("memory://somewhere/lake", model={"cell": ["gru"], "layers": [1]})
    do_all(run)
    assert Folder("memory://somewhere/lake").list("activations")
    lake = pipeline.open("memory://somewhere/lake")
    assert lake.catalog.status == {run.id: "complete"}
    twin = tiny_run(tmp_path / "lake", model={"cell": ["gru"], "layers": [1]})
    do_all(twin)
    for table in ("activations", "scores", "predictions"):
        query = f"from {table} order by all"
        assert lake.fetch(query).equals(pipeline.open(twin.root).fetch(query))


@pytest.mark.parametrize("name", questions())
def test_a_shipped_question_answers(lake: Lake, tiny_lake: Run, name: str) -> None:
    question = find_question(name)
    assert question.question.endswith("?")
    assert set(question.tables) <= {*TABLES, "shards"}
    given: dict[str, object] = {
        "run": tiny_lake.id,
        "model": "lstm-2x5-seed0",
        "layer": 1,
        "neuron": 3,
        "hypothesis": "is_separator",
        "first": "count_a",
    }
    wanted = {parameter.name for parameter in question.parameters}
    answer = lake.ask(name, **{key: value for key, value in given.items() if key in wanted})
    assert len(answer) > 0
    assert f"${question.parameters[0].name}" in question.sql
    for parameter in question.parameters:
        assert f"${parameter.name}" in question.sql, "a parameter that is not used"


def test_the_tables_of_a_shipped_question_are_those_of_its_header() -> None:
    for question in questions().values():
        read = read_statement(duckdb.connect(), question.sql).tables
        assert set(read) == set(question.tables) - {"shards"}, question.name


def test_top_neurons_are_those_with_the_largest_scores(lake: Lake, tiny_lake: Run) -> None:
    found = lake.ask("top_neurons", run=tiny_lake.id, hypothesis="count_a", limit=500).to_pylist()
    sizes = [abs(row["value"] if row["chosen"] is None else row["chosen"]) for row in found]
    assert sizes == sorted(sizes, reverse=True)
    assert {row["checkpoint"] for row in found} == {12}
    undefined = one(
        lake,
        "select count(*) from scores where value is null and measure = 'pearson' and checkpoint = 12 "
        "and hypothesis = 'count_a'",
    )
    neurons = {"lstm": 6, "peephole_lstm": 6, "gru": 4, "rnn": 1, "feedforward": 1}
    assert len(found) == sum(neurons.values()) * 5 * 3 - undefined
    assert {row["signal"] for row in found} >= set(CELL_SIGNALS["lstm"])


def test_a_score_is_duckdbs_own_correlation(lake: Lake) -> None:
    """The scoring room against DuckDB's corr over the stored rows, for every neuron."""
    difference = one(
        lake,
        """
        with again as (
          select a.model, a.checkpoint, a.layer, a.neuron, corr(a.hidden_state, h.value) as r
          from activations as a join annotations as h using (run, sequence, step)
          where h.hypothesis = 'remaining_b' group by all
        )
        select max(abs(r - value)) from again join scores using (model, checkpoint, layer, neuron)
        where hypothesis = 'remaining_b' and signal = 'hidden_state' and measure = 'pearson' and value is not null
        """,
    )
    assert difference < 1e-5, "sums of float32"


def test_a_trace_is_the_neuron_along_its_sequence(lake: Lake, tiny_lake: Run) -> None:
    place = {"model": "gru-1x5-seed0", "layer": 0, "neuron": 2}
    trace = lake.ask("neuron_trace", run=tiny_lake.id, **place).to_pylist()
    text = lake.ask("neuron_text", run=tiny_lake.id, **place, signal="hidden_state", limit=1).to_pylist()[0]
    assert "".join(row["char"] for row in trace) == text["text"]
    assert [row["hidden_state"] for row in trace] == text["values"]
    assert [row["step"] for row in trace] == list(range(len(trace)))
    assert trace[0]["input_gate"] is None


def test_a_model_that_is_never_wrong_is_right_up_to_the_largest_size() -> None:
    sizes = {"never": [5, 5, 5, 5], "at 3": [5, 5, 4, 5], "at once": [0, 5, 5, 5], "at the end": [5, 5, 5, 4]}
    rows = [
        {"run": "r", "model": model, "size": size, "correct": correct, "total": 5}
        for model, right in sizes.items()
        for size, correct in enumerate(right, 1)
    ]
    models = [{"run": "r", "model": model, "parameters": 9} for model in (*sizes, "not asked")]
    tables = {"extrapolation": rows, "models": models}
    with duckdb.connect() as plain:
        for name in find_question("model_answers").tables:
            schema = pa.schema([(column.name, column.type) for column in TABLES[name].columns])
            plain.register(name, pa.Table.from_pylist(tables.get(name, []), schema))
        answer = plain.execute(find_question("model_answers").sql, {"run": "r"}).to_arrow_table().to_pylist()
    assert {row["model"]: (row["right_up_to"], row["largest_asked"]) for row in answer} == {
        "never": (4, 4),
        "at 3": (2, 4),
        "at once": (0, 4),
        "at the end": (3, 4),
        "not asked": (None, None),
    }


def test_questions_give_the_stored_values_unrounded(lake: Lake, tiny_lake: Run) -> None:
    where = "hypothesis = 'count_a' and measure = 'pearson' and checkpoint = 12 and value is not null"
    largest = one(lake, f"select max(abs(coalesce(chosen, value))) from scores where {where}")
    (top,) = lake.ask("top_neurons", run=tiny_lake.id, hypothesis="count_a", limit=1).to_pylist()
    best = lake.ask("best_neurons", run=tiny_lake.id).to_pylist()
    assert abs(top["value"] if top["chosen"] is None else top["chosen"]) == largest
    assert [row["value"] for row in best if row["hypothesis"] == "count_a"] == [top["value"]]
    assert one(lake, f"select count(*) from scores where {where} and value = {top['value']!r}")


def test_parameters_are_checked(lake: Lake) -> None:
    with pytest.raises(
        UsageError, match="top_neurons needs run, hypothesis: give run=… in Python, --set run=… on"
    ):
        lake.ask("top_neurons")
    with pytest.raises(
        UsageError, match="unknown parameter of top_neurons 'hypotesis': did you mean 'hypothesis'"
    ):
        lake.ask("top_neurons", run="r", hypotesis="h")
    with pytest.raises(UsageError, match=r"parameter limit is a whole number from 1 .*, not 'x'"):
        lake.ask("top_neurons", run="r", hypothesis="h", limit="x")
    with pytest.raises(UsageError, match="unknown question 'top_neuron': did you mean 'top_neurons'"):
        lake.ask("top_neuron")
    with pytest.raises(ValueError, match="needs one `-- question:`"):
        parse_question("broken", "select 1")


def test_no_lake_and_another_format_are_errors_of_use(tmp_path: Path, tiny_lake: Run) -> None:
    with pytest.raises(UsageError, match="there is no lake at"):
        pipeline.open(str(tmp_path))
    Folder(str(tmp_path)).create("_meta/lake.json", b'{"format_version": 99}')
    with pytest.raises(UsageError, match=f"has format version 99, this unrolled reads {FORMAT_VERSION}"):
        pipeline.open(str(tmp_path))


@pytest.mark.parametrize("read", ["sql", "fetch", "batches", "portable"])
def test_parameters_have_names(lake: Lake, read: str) -> None:
    with pytest.raises(UsageError, match=r"parameters have names: write \$run"):
        getattr(lake, read)("select ?", [1])


@pytest.mark.parametrize("table", [*TABLES, "shards"])
def test_the_rows_of_every_table_are_values_of_python(lake: Lake, table: str) -> None:
    answer = lake.sql(f"from {table} order by all limit 3")
    assert answer.fetchall() == [tuple(row.values()) for row in answer.to_arrow_table().to_pylist()]
