"""Answers on stdout: as a table for people, as CSV, JSON or Parquet for programs."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.queries.answer import PLAN
from pipeline.rendering.terminal import format_table

UNKNOWN_WIDTH = 120  # characters of a line, where stdout is no terminal
ROWS_SHOWN = 200  # of a table on screen; the other formats give every row


def wants_colour() -> bool:
    """Whether stdout is a terminal whose owner has not asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def print_table(table: pa.Table, room: int = 0) -> None:
    """A table for people; with some room, its texts are folded to fit."""
    print(format_table(table, rule="─" if _knows("─") else "-", room=room))


def print_folded(table: pa.Table) -> None:
    """A table of sentences, as wide as the terminal."""
    print_table(table, terminal_width())


def terminal_width() -> int:
    """Characters of a line: what COLUMNS says, or the terminal."""
    return shutil.get_terminal_size((UNKNOWN_WIDTH, 24)).columns


def _knows(text: str) -> bool:
    """Whether stdout has a form for a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_json(table: pa.Table) -> None:
    """One JSON list of rows."""
    _write_json(table.to_batches())


def print_json_rows(rows: Iterable[Mapping[str, object]]) -> None:
    """One JSON list of objects that need not have the same fields."""
    opening = "["
    for row in rows:
        print(f"{opening}\n{_json(row)}", end="")
        opening = ","
    print("[]" if opening == "[" else "\n]")


def write_batches(batches: pa.RecordBatchReader, form: str) -> None:
    """An answer of any length, in a format."""
    if form == "table":
        _write_table(batches)
    elif form == "json":
        _write_json(batches)
    elif form == "csv":
        _write_csv(batches)
    else:
        with pq.ParquetWriter(sys.stdout.buffer, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)


def _write_table(batches: pa.RecordBatchReader) -> None:
    shown: list[pa.RecordBatch] = []
    for batch in batches:
        shown.append(batch)
        if sum(map(len, shown)) > ROWS_SHOWN:
            break
    table = pa.Table.from_batches(shown, batches.schema)
    if table.column_names == PLAN:  # drawn in many lines
        print("\n".join(table[PLAN[1]].to_pylist()))
        return
    print_table(table.slice(0, ROWS_SHOWN))
    if len(table) > ROWS_SHOWN:
        print(f"… the first {ROWS_SHOWN} rows; --format csv, json or parquet gives them all", file=sys.stderr)


def _write_json(batches: Iterable[pa.RecordBatch]) -> None:
    print_json_rows(row for batch in batches for row in batch.to_pylist(maps_as_pydicts="strict"))


def _write_csv(batches: pa.RecordBatchReader) -> None:
    """As CSV; lists and structs, which CSV has no form for, as JSON."""
    nested = [pa.types.is_nested(field.type) for field in batches.schema]
    types = [pa.string() if deep else field.type for deep, field in zip(nested, batches.schema, strict=True)]
    schema = pa.schema(list(zip(batches.schema.names, types, strict=True)))
    with pa.csv.CSVWriter(sys.stdout.buffer, schema) as writer:
        for batch in batches:
            columns = [
                _as_json(column) if deep else column for deep, column in zip(nested, batch.columns, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _as_json(column: pa.Array) -> pa.Array:
    values = column.to_pylist(maps_as_pydicts="strict")
    return pa.array([None if value is None else _json(value) for value in values], pa.string())


def _json(value: object) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False)
    return text if _knows(text) else json.dumps(_plain(value))


def _plain(value: object) -> object:
    """What JSON has a form for: sums are whole numbers, what is no number is null, and no digit is lost."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case Decimal():
            return _number(value)
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def _number(value: Decimal) -> int | float | str:
    """The number, or its text where a float would lose digits of it."""
    if value == int(value):
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
