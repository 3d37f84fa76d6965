"""Unrolled's rooms. `pipeline.open(root)` opens a lake for questions in SQL."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.queries.lake import Lake


def open(root: str) -> "Lake":  # noqa: A001  # `pipeline.open(root)` reads as it should
    """Open a lake, read-only.

    Args:
        root: a folder, or any URI that fsspec knows.

    Returns:
        A `Lake`: its `.sql("select …")` gives a relation that pandas (`.df()`), Polars (`.pl()`) and Arrow
        (`.to_arrow_table()`) read.

    Raises:
        UsageError: nothing is there, or it is a lake of another format version.
    """
    from pipeline.queries.lake import Lake

    return Lake(root)
