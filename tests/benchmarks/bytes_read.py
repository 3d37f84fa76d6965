"""How many bytes a question reads: as the system counts them, and as the shards' footers foretell."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow.parquet as pq

IO = Path("/proc/self/io")


def bytes_read(work: Callable[[], object]) -> int | None:
    """Bytes that this process asks the system for during a call, from whatever thread; None without Linux.

    They are counted whether the disk or the system's cache gives them. Nothing else may run meanwhile.
    """
    if not IO.exists():
        return None
    own = _asked_for()
    own = _asked_for() - own  # reading the counter counts too
    before = _asked_for()
    work()
    return _asked_for() - before - own


def _asked_for() -> int:
    lines = dict(line.split(": ") for line in IO.read_text().splitlines())
    return int(lines["rchar"])


def foretold_bytes(files: Iterable[Path], columns: set[str], column: str, value: int) -> int:
    """Packed bytes of some columns in the row groups whose statistics allow `column = value`."""
    return sum(_of_file(pq.read_metadata(file), columns, column, value) for file in files)


def _of_file(footer: pq.FileMetaData, columns: set[str], column: str, value: int) -> int:
    total = 0
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        chunks = {chunk.path_in_schema: chunk for chunk in map(group.column, range(group.num_columns))}
        statistics = chunks[column].statistics
        if statistics.min <= value <= statistics.max:
            total += sum(chunks[name].total_compressed_size for name in columns)
    return total
