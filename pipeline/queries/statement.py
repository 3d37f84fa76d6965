"""What a person's query is, before it runs: one SELECT, and of DuckDB's functions only those that read.

A SELECT may call any table function, and some of them write: `enable_profiling` over a file that it is told,
`enable_logging` into a folder, `json_execute_serialized_sql` whatever a text says.
"""

import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import duckdb

from schemas.errors import UsageError
from schemas.tables import TABLES

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s+", re.IGNORECASE)
_PIVOT = re.compile(r"\s*pivot\b", re.IGNORECASE)
# Table functions that take the name of a table that may be put together as they run.
_NAMING = frozenset({"query_table", "histogram", "histogram_values"})
# DuckDB 1.5's table functions that only read; a test holds the list against `duckdb_functions()`.
_READING = """
duckdb_approx_database_count duckdb_columns duckdb_connection_count duckdb_constraints duckdb_coordinate_systems
duckdb_databases duckdb_dependencies duckdb_extensions duckdb_external_file_cache duckdb_functions
duckdb_indexes duckdb_keywords duckdb_log_contexts duckdb_logs duckdb_logs_parsed duckdb_memory
duckdb_optimizers duckdb_prepared_statements duckdb_profiling_settings duckdb_schemas duckdb_secret_types
duckdb_secrets duckdb_sequences duckdb_settings duckdb_tables duckdb_temporary_files duckdb_types
duckdb_variables duckdb_views generate_series glob icu_calendar_names json_each json_tree parquet_bloom_probe
parquet_file_metadata parquet_full_metadata parquet_kv_metadata parquet_metadata parquet_scan parquet_schema
pg_timezone_names pragma_collations pragma_database_size pragma_metadata_info pragma_platform pragma_show
pragma_storage_info pragma_table_info pragma_user_agent pragma_version range read_blob read_csv read_csv_auto
read_json read_json_auto read_json_objects read_json_objects_auto read_ndjson read_ndjson_auto
read_ndjson_objects read_parquet read_text repeat repeat_row sniff_csv summary test_all_types test_vector_types
unnest which_secret
"""
READING = _NAMING | frozenset(_READING.split())
WRITING = frozenset({"write_log"})  # the one scalar function that does


@dataclass(frozen=True)
class Statement:
    """One SELECT that only reads, or EXPLAIN of one."""

    text: str  # without EXPLAIN
    parameters: frozenset[str]  # those that it names
    tables: tuple[str, ...]  # of a lake, those that it may read

    def require(self, given: AbstractSet[str]) -> None:
        """Raise UsageError when a parameter has no value."""
        missing = sorted(self.parameters - given)
        if missing:
            name = missing[0]
            how = f"give {{{name!r}: …}} as its parameters in Python, --set {name}=… on the command line"
            raise UsageError(f"the query needs {', '.join(missing)}: {how}")


def read_statement(connection: duckdb.DuckDBPyConnection, query: str) -> Statement:
    """What a query is.

    Args:
        connection: one that knows the functions that the query may call; nothing is run on it but a parser.
        query: DuckDB's SQL.

    Raises:
        UsageError: it is not one SELECT, or it calls a function that may do more than read.
        duckdb.ParserException: it is no SQL.
    """
    explain = _EXPLAIN.match(query)  # only at the very start, else a comment could hide what follows it
    select = query[explain.end() :] if explain else query
    statements = connection.extract_statements(select)
    if len(statements) != 1:
        if _PIVOT.match(select):
            raise UsageError("a PIVOT of its own is more than one statement: write `from (pivot …)`")
        raise UsageError(f"one SELECT at a time, not {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            f"only SELECT is allowed, not {statements[0].type.name}: a lake is written by its stages alone"
        )
    tree = _tree(connection, select)
    _check_functions(tree)
    return Statement(select, frozenset(statements[0].named_parameters), _tables(tree))


def _tree(connection: duckdb.DuckDBPyConnection, select: str) -> object:
    rows = connection.execute("select json_serialize_sql($select)", {"select": select}).fetchall()
    tree: dict[str, object] = json.loads(rows[0][0])
    if tree["error"] and "Only SELECT" in str(tree["error_message"]):  # PRAGMA, CALL … that become a SELECT
        raise UsageError(f"only SELECT is allowed, not {select.split(maxsplit=1)[0].upper()}")
    if tree["error"]:
        raise UsageError(f"what the query calls cannot be told ({tree['error_message']}): write it another way")
    return tree


def _check_functions(tree: object) -> None:
    tables = {str(call["function_name"]).lower() for call in _under("function", tree) if isinstance(call, dict)}
    refused = sorted(tables - READING) + sorted(WRITING & _texts("function_name", tree))
    if refused:
        raise UsageError(f"{refused[0]}() is not one of the functions that only read, and a lake is only read")


def _tables(tree: object) -> tuple[str, ...]:
    """DuckDB's get_table_names would need the values of the parameters, and looks through views."""
    named = _texts("table_name", tree)
    is_any = not _NAMING.isdisjoint(_texts("function_name", tree))
    return tuple(table for table in TABLES if is_any or table in named)


def _texts(key: str, tree: object) -> set[str]:
    return {str(value).lower() for value in _under(key, tree)}


def _under(key: str, tree: object) -> Iterator[object]:
    """What stands under a key, anywhere in a tree of JSON."""
    if isinstance(tree, list):
        for branch in tree:
            yield from _under(key, branch)
    elif isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        for branch in tree.values():
            yield from _under(key, branch)
