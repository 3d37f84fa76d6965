"""Answers on stdout: as a table for people, as CSV, JSON or Parquet for programs."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.rendering.terminal import format_table

ROWS_SHOWN = 200  # of a table on screen; the other formats give every row


def print_table(table: pa.Table) -> None:
    """A table for people."""
    print(format_table(table))


def print_json(table: pa.Table) -> None:
    """One JSON list of rows."""
    print(json.dumps(table.to_pylist(), default=str, ensure_ascii=False, indent=1))


def write_batches(batches: pa.RecordBatchReader, form: str) -> None:
    """An answer of any length, in a format."""
    if form == "table":
        _write_table(batches)
    elif form == "json":
        _write_json(batches)
    elif form == "csv":
        with pa.csv.CSVWriter(sys.stdout.buffer, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
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
    print(format_table(table.slice(0, ROWS_SHOWN)))
    if len(table) > ROWS_SHOWN:
        print(f"… the first {ROWS_SHOWN} rows; --format csv, json or parquet gives them all", file=sys.stderr)


def _write_json(batches: Iterable[pa.RecordBatch]) -> None:
    opening = "["
    for batch in batches:
        for row in batch.to_pylist():
            print(f"{opening}\n{json.dumps(row, default=_plain, ensure_ascii=False)}", end="")
            opening = ","
    print("[]" if opening == "[" else "\n]")


def _plain(value: Any) -> str:
    return str(value)
