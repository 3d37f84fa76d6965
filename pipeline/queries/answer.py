"""The answer to a query, for pandas, Polars, Arrow or Python. No way leads from it back into the lake."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from html import escape
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.queries.html import html_rows

_SHOWN = 20  # rows, where an answer is printed
PLAN = ["explain_key", "explain_value"]  # the columns of what EXPLAIN gives


class Answer:
    """The rows of one query, worked out anew whenever they are read, from any thread.

    DuckDB's own relation could write files and run further statements, and is for one thread.
    """

    def __init__(
        self, run: Callable[[], duckdb.DuckDBPyConnection], told: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Nothing is run yet.

        Args:
            run: runs the query on a connection of its own.
            told: turns DuckDB's errors into ours.
        """
        self._run, self._told = run, told

    def df(self) -> Any:
        """As a pandas DataFrame. Raises as `Lake.sql` does, as does each of these."""
        with self._told():
            return self._run().df()

    def pl(self) -> Any:
        """As a Polars DataFrame."""
        with self._told():
            return self._run().pl()

    def to_arrow_table(self) -> pa.Table:
        """As an Arrow table."""
        with self._told():
            return self._run().to_arrow_table()

    def to_arrow_reader(self, rows: int = 100_000) -> pa.RecordBatchReader:
        """As Arrow batches of so many rows, for answers larger than memory."""
        with self._told():
            return self._run().to_arrow_reader(rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """As tuples of Python's own types."""
        with self._told():
            return self._run().fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row; None when there is none."""
        with self._told():
            return self._run().fetchone()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        with self._told():
            return [column[0] for column in self._run().description or ()]

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """What Arrow's other readers take: `pyarrow.table(answer)`, `polars.DataFrame(answer)`."""
        return self.to_arrow_reader().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """The first rows, in DuckDB's own frame; a plan as DuckDB draws it."""
        rows, more = self._first()
        if rows.column_names == PLAN:
            return "\n".join(rows[PLAN[1]].to_pylist())
        with self._told(), duckdb.connect(":memory:") as connection:
            return f"{connection.from_arrow(rows)}{more}"

    def _repr_html_(self) -> str:
        """The first rows, for a notebook."""
        rows, more = self._first()
        if rows.column_names == PLAN:
            return f"<pre>{escape(repr(self))}</pre>"
        return html_rows(rows, more)

    def _first(self) -> tuple[pa.Table, str]:
        """The rows that are shown, and whether there are others."""
        with self._told():
            reader = self._run().to_arrow_reader(_SHOWN + 1)
            table = pa.Table.from_batches(islice(reader, 1), reader.schema)
            return table.slice(0, _SHOWN), f"the first {_SHOWN} rows" if len(table) > _SHOWN else ""
