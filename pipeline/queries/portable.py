"""An answer in types that every reader of a format has; the others as DuckDB's own text, so that no value is lost.

An INTERVAL has no form in CSV or Parquet, a date may lie beyond Python's years, a UHUGEINT beyond Arrow's numbers,
and of two columns of one name most readers lose one.
"""

import duckdb
from duckdb.sqltypes import DuckDBPyType

_NUMBERS = "tinyint smallint integer bigint utinyint usmallint uinteger ubigint hugeint float double decimal"
_KNOWN = frozenset(["boolean", "varchar", *_NUMBERS.split()])
_KNOWN_TO_PARQUET = _KNOWN | frozenset(["date", "timestamp", "timestamp with time zone", "blob"])


def portable(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object], *, parquet: bool
) -> str:
    """The query with each column under its own name, and what a format has no form for as text, also in lists.

    Args:
        connection: what the query would run on.
        query: one that only reads; EXPLAIN is given back as it is.
        parameters: the values of its parameters.
        parquet: whether dates, timestamps and bytes may stay what they are.

    Raises:
        duckdb.Error: the query is wrong.
    """
    try:  # a subquery's columns get names of their own
        given = connection.execute(f"from ({query}\n) limit 0", parameters).description or []
    except duckdb.ParserException:
        return query
    known = _KNOWN_TO_PARQUET if parquet else _KNOWN
    columns = ", ".join(
        f"cast(c{place} as {_cast(kind, known)}) as {_name(name)}" for place, (name, kind, *_) in enumerate(given)
    )
    return f"select {columns} from ({query}\n) as answer({', '.join(f'c{n}' for n in range(len(given)))})"


def _cast(kind: DuckDBPyType, known: frozenset[str]) -> str:
    """The type to give instead of one; itself where it is known."""
    if kind.id in ("list", "array", "map", "struct"):
        parts = [(name, _cast(part, known)) for name, part in kind.children if isinstance(part, DuckDBPyType)]
        if kind.id == "list":
            return f"{parts[0][1]}[]"
        if kind.id == "array":
            return f"{parts[0][1]}[{dict(kind.children)['size']}]"
        if kind.id == "map":
            (_, key), (_, value) = parts
            if known is _KNOWN and key.endswith((")", "]")):  # of parts, and JSON's keys are texts
                key = "varchar"
            return f"map({key}, {value})"
        if all(name for name, _ in parts):  # one without names would lose all parts but one
            return f"struct({', '.join(f'{_name(name)} {part}' for name, part in parts)})"
    return str(kind) if kind.id in known else "varchar"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
