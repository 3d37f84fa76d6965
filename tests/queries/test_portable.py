"""Every type of DuckDB in every format, with no value lost."""

import csv
import io
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.commands.output import write_batches
from pipeline.queries.portable import portable

TYPES = [name for (name, *_) in duckdb.sql("describe from test_all_types()").fetchall()]
TIMES = {"date", "timestamp", "timestamp_tz", "blob"}


def read(query: str, *, parquet: bool = False) -> pa.RecordBatchReader:
    connection = duckdb.connect(":memory:")
    return connection.execute(portable(connection, query, {}, parquet=parquet)).to_arrow_reader(100)


def written(query: str, form: str, capfdbinary: pytest.CaptureFixture[bytes]) -> bytes:
    capfdbinary.readouterr()
    write_batches(read(query, parquet=form == "parquet"), form)
    return capfdbinary.readouterr().out


@pytest.mark.parametrize("name", TYPES)
def test_every_type_in_every_format(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    query = f'select "{name}" as x, 1 as n from test_all_types()'
    texts = [text for (text,) in duckdb.sql(f"select x::varchar from ({query})").fetchall()]
    values = [row["x"] for row in json.loads(written(query, "json", capfdbinary))]
    rows = [row["x"] for row in csv.DictReader(io.StringIO(written(query, "csv", capfdbinary).decode()))]
    assert written(query, "table", capfdbinary).count(b"\n") == 5
    stored = pq.read_table(pa.BufferReader(written(query, "parquet", capfdbinary)))["x"]
    assert len(values) == len(rows) == len(stored) == len(texts) == 3
    assert [value is None for value in values] == [text is None for text in texts] == stored.is_null().to_pylist()
    if isinstance(values[0], str):
        assert values == texts
        assert [row or None for row in rows] == texts
        assert name in TIMES or [value if value is None else str(value) for value in stored.to_pylist()] == texts


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select 1 as a, 2 as a, 3 as A", {"a": 1, "a_1": 2}),
        ("select interval 3 hour as took, 1 as n", {"took": "03:00:00", "n": 1}),
        ("select [date '2026-01-02'] as days", {"days": ["2026-01-02"]}),
        ("select {'when': date '2026-01-02', 'n': 1} as s", {"s": {"when": "2026-01-02", "n": 1}}),
        ("select row(1, 2) as r", {"r": "(1, 2)"}),
        ("select map {'k': interval 1 day} as m", {"m": {"k": "1 day"}}),
        ('select 1 as "x""y", \'\' as "z\'"', {'x"y': 1, "z'": ""}),
        ("select sum(range) as s from range(10) -- a comment", {"s": 45}),
        ("select 340282366920938463463374607431768211455::uhugeint as u", {"u": str(2**128 - 1)}),
    ],
)
def test_what_is_written_is_what_was_asked(
    query: str, expected: dict[str, object], form: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = written(query, form, capfdbinary).decode()
    row = json.loads(text)[0] if form == "json" else next(csv.DictReader(io.StringIO(text)))
    shown = {k: json.dumps(v) if isinstance(v, dict | list) else str(v) for k, v in expected.items()}
    assert {name: row[name] for name in expected} == (expected if form == "json" else shown)


def test_rows_keep_their_order() -> None:
    found = (
        read("select range as n, interval 1 day as d from range(200000) order by -range")
        .read_all()["n"]
        .to_pylist()
    )
    assert found == sorted(range(200_000), reverse=True)


def test_what_cannot_be_a_subquery_is_left_as_it_is() -> None:
    assert read("explain select 1").schema.names == ["explain_key", "explain_value"]
    assert len(read("summarize from range(3)").read_all()) == 1


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_terminal_that_knows_only_ascii(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii", errors="backslashreplace", newline="\n")
    monkeypatch.setattr("sys.stdout", out)
    write_batches(read("select 'é─' as x"), form)
    out.flush()
    out.seek(0)
    text = out.read()
    assert json.loads(text) == [{"x": "é─"}] if form == "json" else text == "x\n--\n\\xe9\\u2500\n"
