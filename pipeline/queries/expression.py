"""A hypothesis of the user's own as one SQL expression over the rows of `steps`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from schemas.corpus import STEPS
from schemas.errors import UsageError
from schemas.score_settings import Definition
from schemas.scores import ANNOTATIONS

_NUMBER = re.compile(r'BOOLEAN|FLOAT|DOUBLE|"NULL"|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)')
_TEXT = "VARCHAR"
# What an expression is tried on: "ab\n" twice.
_TRIED = pa.table(
    {
        "sequence": [0, 0, 0, 1, 1, 1],
        "step": [0, 1, 2] * 2,
        "token": [1, 2, 0] * 2,
        "char": ["a", "b", "\n"] * 2,
        "target": ["b", "\n", None] * 2,
        "determined": [False] * 6,
    },
    schema=STEPS.schema,
)
# No file may be read: an expression is about the rows at hand.
_CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}


def check_expression(definition: Definition) -> None:
    """Raise UsageError for an expression that DuckDB cannot bind to `steps`, or that gives no number or text."""
    expression_rows(definition, _TRIED)


def expression_rows(definition: Definition, steps: pa.Table) -> pa.Table:
    """Rows of `annotations`: the expression's value at each row of `steps`, in the order of (sequence, step).

    Raises UsageError as `check_expression` does, or for a value that is not what the definition says.
    """
    with _connection(definition) as connection:
        connection.register("steps", steps)
        rows = connection.sql(
            f"select sequence, step, ({definition.sql}) as value from steps order by sequence, step"
        )

        kind = str(rows.types[2])
        if kind != _TEXT and not _NUMBER.fullmatch(kind):
            raise UsageError(f"{definition.name}: {definition.sql} gives {kind}, not a number, boolean or VARCHAR")
        if kind == _TEXT and definition.yes_no:
            raise UsageError(f"{definition.name}: {definition.sql} gives {kind}, against its yes_no = true")
        given = "null::double, value" if kind == _TEXT else "value::double, null::varchar"
        values = rows.project(f"sequence, step, {given}").to_arrow_table().rename_columns(ANNOTATIONS.schema.names)

    if len(values) != len(steps):
        raise UsageError(f"{definition.name} gives {len(values)} values for {len(steps)} steps")
    # Of no values at all Arrow says neither yes nor no, unless it is told that none are needed.
    if not pc.all(pc.is_finite(values["value"].drop_null()), min_count=0).as_py():
        raise UsageError(
            f"{definition.name} gives infinite values or NaN: let it give NULL there, as with nullif(…, 0)"
        )
    if definition.yes_no and not set(values["value"].drop_null().unique().to_pylist()) <= {0.0, 1.0}:
        raise UsageError(f"{definition.name} gives other values than 0 and 1, against its yes_no = true")

    return values.cast(ANNOTATIONS.schema)


@contextmanager
def _connection(definition: Definition) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with duckdb.connect(":memory:", config=_CONFIGURATION) as connection:
            connection.execute("set threads = 1")
            yield connection
    except duckdb.OutOfMemoryException as error:  # says more of this machine than of the expression
        raise MemoryError(str(error)) from None
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"{definition.name}: {definition.sql} is no SQL expression over steps: {first}") from None
