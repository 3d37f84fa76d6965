"""A table at rest: its columns, and the partition folders that its shards lie in.

A shard of `activations` lies at `activations/run=R/model=M/checkpoint=C/layer=L/part-00000.parquet`: the
partition columns are read from the path, the others from the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

# Only the types we use. DuckDB must be told those of the partition columns, else it guesses from the path.
SQL_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT"}


@dataclass(frozen=True)
class Column:
    """A column: its name in Parquet, SQL and on screen, its type, and what it means."""

    name: str
    type: pa.DataType
    note: str
    unit: str = ""
    is_computed: bool = False  # by the view, from other rows too; no shard has it


@dataclass(frozen=True)
class Table:
    """A folder of Parquet shards of one schema."""

    name: str
    row: str  # what one row is
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("run",)
    sort_by: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Its name and its columns' names."""
        return f"<Table {self.name}({', '.join(column.name for column in self.columns)})>"

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that shards and their paths hold."""
        return tuple(column for column in self.columns if not column.is_computed)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a shard: what is stored, but for the partition columns."""
        inside = [column for column in self.stored if column.name not in self.partition_by]
        return pa.schema([pa.field(column.name, column.type) for column in inside])

    @property
    def partition_types(self) -> dict[str, str]:
        """The SQL type of each partition column."""
        return {c.name: SQL_TYPES[c.type] for c in self.columns if c.name in self.partition_by}

    def shard_path(self, partition: Mapping[str, object], index: int = 0) -> str:
        """Where shard `index` of a partition lies, relative to the lake's root.

        Raises ValueError when the partition does not name exactly the partition columns.
        """
        if set(partition) != set(self.partition_by):
            raise ValueError(f"{self.name} is partitioned by {self.partition_by}, not {tuple(partition)}")
        folders = "/".join(f"{name}={partition[name]}" for name in self.partition_by)
        return f"{self.name}/{folders}/part-{index:05d}.parquet"


RUN = Column("run", pa.string(), "the run's id: experiment and fingerprint")
MODEL = Column("model", pa.string(), "the trained network, e.g. lstm-1x10-seed0")
CHECKPOINT = Column("checkpoint", pa.int64(), "updates made before the weights were saved", "updates")
SPLIT = Column("split", pa.string(), "train, valid or probe")
SEQUENCE = Column("sequence", pa.int32(), "unique within a run, across splits")
STEP = Column("step", pa.int32(), "position in the sequence, from 0", "characters")
LAYER = Column("layer", pa.int64(), "layer of the network, counting from 0")
NEURON = Column("neuron", pa.int32(), "hidden unit of the layer, counting from 0")
TOKEN = Column("token", pa.int32(), "the character read at this step, as its index in the vocabulary")
HYPOTHESIS = Column("hypothesis", pa.string(), "the name of the hypothesis")
