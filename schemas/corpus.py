"""The corpus: every step of every sequence, in the splits train, valid and probe.

| run               | split | sequence | step | token | char | target | determined |
| counting-3fa9c1d2 | probe |    21000 |    0 |     3 | a    | X      | false      |
| counting-3fa9c1d2 | probe |    21000 |    1 |     1 | X    | b      | true       |
"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

import pyarrow as pa

from schemas.table import RUN, SEQUENCE, SPLIT, STEP, TOKEN, Column, Table

# What a file's name ends with, in any case, when it is read as what it holds.
COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".zst")
SPLITS = ("train", "valid", "probe")


class Document(NamedTuple):
    """What a text task reads as one: its name and its text."""

    name: str
    text: str
    mark: str = ""  # the encoding that its file's byte order mark tells; empty: it has none


def suffix_of(name: str) -> str:
    """The suffix of the file that a document lies in: ".py" of "a.py", "a.py:12" (a line of it) and "a.py.gz"."""
    path = PurePosixPath(re.sub(r":\d+$", "", name))
    return PurePosixPath(path.stem).suffix if path.suffix.lower() in COMPRESSED else path.suffix


STEPS = Table(
    name="steps",
    row="a step of a sequence",
    columns=(
        RUN,
        SPLIT,
        SEQUENCE,
        STEP,
        TOKEN,
        Column("char", pa.string(), "the character read at this step"),
        Column("target", pa.string(), "the next character; NULL at the sequence's last step"),
        Column("determined", pa.bool_(), "whether what has been read leaves only one right target"),
    ),
    partition_by=("run", "split"),
    sort_by=("sequence", "step"),
)

DOCUMENTS = Table(
    name="documents",
    row="a document of a text",
    columns=(
        RUN,
        SPLIT,
        Column("document", pa.int32(), "its number in the order of reading, unique within a run"),
        Column(
            "name",
            pa.string(),
            "its file, relative to the folder that holds all files, and its member or line in that file",
        ),
        Column("characters", pa.int64(), "its length, cleaned", "characters"),
        Column(
            "sequence", pa.int32(), "the first of its sequences, which cover it from its first character onwards"
        ),
        Column("sequences", pa.int32(), "how many it has"),
    ),
    partition_by=("run", "split"),
    sort_by=("document",),
)
