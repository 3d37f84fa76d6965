"""A query only reads, whatever it calls."""

import duckdb
import pytest

from pipeline.queries.statement import READING, WRITING, read_statement
from schemas.errors import UsageError
from schemas.tables import TABLES

# Table functions that write, change settings, run a text, or take an address in memory.
REFUSED = {"enable_profiling", "disable_profiling", "enable_logging"}
REFUSED |= {"disable_logging", "truncate_duckdb_logs", "checkpoint", "force_checkpoint", "query", "read_duckdb"}
REFUSED |= {"json_execute_serialized_sql", "arrow_scan", "arrow_scan_dumb", "pandas_scan", "python_map_function"}
REFUSED |= {"seq_scan", "duckdb_table_sample"}
# Scalar functions that DuckDB says have effects, and that touch nothing but the query itself.
HARMLESS = {
    "current_connection_id",
    "current_query",
    "current_query_id",
    "current_transaction_id",
    "currval",
    "error",
}
HARMLESS |= {"gen_random_uuid", "nextval", "random", "setseed", "sleep_ms", "stats", "uuid", "uuidv4", "uuidv7"}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def test_every_function_of_this_duckdb_has_been_looked_at(connection: duckdb.DuckDBPyConnection) -> None:
    def names(condition: str) -> set[str]:
        query = f"select distinct function_name from duckdb_functions() where {condition}"
        return {str(name) for (name,) in connection.execute(query).fetchall()}

    assert names("function_type in ('table', 'table_macro')") == READING | REFUSED
    assert names("function_type = 'scalar' and has_side_effects") == HARMLESS | WRITING


@pytest.mark.parametrize(
    "query",
    [
        "select * from enable_profiling(format = 'json', save_location = 'x')",
        "explain analyze select * from enable_logging(storage = 'file')",
        "select (select count(*) from Checkpoint())",
        'with a as materialized (from system.main."force_checkpoint"()) select 1 union all from a',
        "select 1 where exists (from truncate_duckdb_logs())",
        "from range(1) as r, lateral (from query('copy (select 1) to ''x'''))",
        "from json_execute_serialized_sql('{}')",
        "summarize from disable_logging()",
        "describe select * from enable_profiling()",
        "pivot (from enable_profiling()) on success in (true) using count(*)",
        "from arrow_scan(1, 2, 3)",
        "select write_log('text')",
        "select list_transform([1], x -> write_log('text'))",
        "from read_text((select any_value(success) from enable_profiling()))",
    ],
)
def test_what_may_do_more_than_read_is_refused(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    with pytest.raises(UsageError, match=r"is not one of the functions that only read"):
        read_statement(connection, query)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_no_such_function_can_be_called_by_its_name(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name}\(\) is not"):
        read_statement(connection, f"select count(*) from {name.upper()}(1)")


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ('from "MODELS"', ["models"]),
        ("select train_steps from main.models -- and no metrics", ["models"]),
        (
            "with a as (from steps) select (select count(*) from a) from models where run = $run",
            ["models", "steps"],
        ),
        ("summarize scores", ["scores"]),
        ("describe scores", ["scores"]),
        ("pivot models on cell in ('lstm')", ["models"]),
        ("from query_table('mod' || 'els')", list(TABLES)),
        ("from histogram('mod' || 'els', cell)", list(TABLES)),
        ("select enable_profiling from range(3) as t(enable_profiling)", []),
    ],
)
def test_the_tables_that_a_query_names(
    connection: duckdb.DuckDBPyConnection, query: str, tables: list[str]
) -> None:
    assert sorted(read_statement(connection, query).tables) == sorted(tables)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("pivot models on cell using count(*)", r"write `from \(pivot …\)`"),
        ("pragma database_list", "only SELECT is allowed, not PRAGMA"),
        ("select 1; select 2", "one SELECT at a time, not 2 statements"),
        ("drop table models", "only SELECT is allowed, not DROP"),
    ],
)
def test_what_is_no_select_is_called_by_its_name(
    connection: duckdb.DuckDBPyConnection, query: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        read_statement(connection, query)
