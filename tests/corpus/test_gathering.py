import numpy as np
import pyarrow as pa
import pytest

from pipeline.corpus.gathering import Gathering


def rows(numbers: list[int], determined: bool = False) -> pa.Table:
    columns = {"sequence": pa.array(numbers, pa.int32()), "token": pa.array(range(len(numbers)), pa.int32())}
    return pa.table({**columns, "determined": [determined] * len(numbers)})


@pytest.mark.parametrize("in_memory", [0, 100])
def test_shards_are_laid_end_to_end(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr("pipeline.corpus.gathering.STEPS_IN_MEMORY", in_memory)
    gathered = Gathering(7)
    gathered.add(rows([5, 5, 6]))
    gathered.add(rows([7, 7, 8, 8], determined=True))
    found = gathered.sequences()
    assert found.ids.tolist() == [5, 6, 7, 8]
    assert found.offsets.tolist() == [0, 2, 3, 5, 7]
    assert found.tokens.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert found.determined.tolist() == [False] * 3 + [True] * 4
    assert isinstance(found.tokens, np.memmap) == (in_memory == 0)
    assert found.take(1, 3).ids.tolist() == [6, 7]


def test_nothing_determined_takes_no_memory() -> None:
    gathered = Gathering(3)
    gathered.add(rows([0, 0, 1]))
    found = gathered.sequences()
    assert found.determined.strides == (0,)
