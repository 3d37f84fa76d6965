"""The rows of some shards as SQL: names taken as they are, partition values from below the root alone."""

from collections.abc import Sequence

from pipeline.queries.quoting import quoted
from schemas.table import Table

_WILD = frozenset("*?[")


def shard_rows(table: Table, files: Sequence[str]) -> str:
    """A SELECT of a table's stored columns from its shards.

    DuckDB's hive partitioning reads the whole path: below a folder `layer=7` every row would be of layer 7, and
    below `value=1` every score 1. There the values are taken from the end of a shard's name instead, which lets a
    query still leave out the shards that its own text rules out, but no longer those that only a join rules out.
    """
    if any("=" in _above(file, table) for file in files):
        columns = [_from_name(table, column.name) for column in table.stored]
        options = "hive_partitioning = false, filename = true"
    else:
        columns = [f'"{column.name}"' for column in table.stored]  # one is called null
        types = ", ".join(f"{name}: {kind}" for name, kind in table.partition_types.items())
        options = f"hive_partitioning = true, hive_types = {{{types}}}"
    return f"select {', '.join(columns)} from read_parquet([{', '.join(map(quoted, files))}], {options})"


def exact_pattern(path: str) -> str:
    """The pattern that only this path of a disk matches: DuckDB takes every path for a pattern.

    After a backslash no pattern matches, and DuckDB takes the path itself.
    """
    if "\\" in path:
        return path
    return "".join(f"[{character}]" if character in _WILD else character for character in path)


def _above(file: str, table: Table) -> str:
    """What a shard's path has before its partitions."""
    return file.rsplit("/", len(table.partition_by) + 1)[0]


def _from_name(table: Table, column: str) -> str:
    """A column, or what stands for it in the name of its shard: a name has one value for thousands of rows."""
    if column not in table.partition_by:
        return f'"{column}"'
    after = len(table.partition_by) - table.partition_by.index(column)
    value = f"regexp_extract(filename, '/{column}=([^/]*)(?:/[^/]*){{{after}}}$', 1)"
    return f"cast({value} as {table.partition_types[column]}) as {column}"
