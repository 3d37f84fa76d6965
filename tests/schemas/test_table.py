import pytest

from schemas.activations import ACTIVATIONS
from schemas.signals import CELL_SIGNALS, SIGNALS
from schemas.table import Table
from schemas.tables import TABLES


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_a_table_is_whole(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    assert set(table.partition_by) <= set(names)
    assert set(table.sort_by) <= set(table.schema.names)
    assert not set(table.partition_by) & set(table.schema.names), "a partition column would shadow the file's"
    assert all(column.note for column in table.columns)


def test_a_shard_lies_where_the_contract_says() -> None:
    partition = {"run": "r-1", "model": "m", "checkpoint": 20, "layer": 0}
    path = ACTIVATIONS.shard_path(partition, 3)
    assert path == "activations/run=r-1/model=m/checkpoint=20/layer=0/part-00003.parquet"
    with pytest.raises(ValueError, match="partitioned by"):
        ACTIVATIONS.shard_path({"run": "r-1"})


def test_every_signal_belongs_to_a_cell_in_one_order() -> None:
    for signals in CELL_SIGNALS.values():
        assert list(signals) == [signal for signal in SIGNALS if signal in signals]
    assert {signal for signals in CELL_SIGNALS.values() for signal in signals} == set(SIGNALS)
