import numpy as np
import pytest

from pipeline.scoring.information import cells_of, mutual_information, value_cells
from pipeline.scoring.ranks import value_ranks


def test_what_is_told_wholly_has_the_entropy_of_the_values() -> None:
    values = np.tile([0, 1, 2, 3], 1000)
    signals = np.stack([values, 3 - values, (values == 2).astype(int)])
    bits = mutual_information(signals, values)
    assert bits[:2] == pytest.approx([2, 2], abs=0.01)
    assert bits[2] == pytest.approx(0.25 * 2 + 0.75 * np.log2(4 / 3), abs=0.01)


def test_nothing_is_told_by_chance() -> None:
    random = np.random.default_rng(0)
    bits = mutual_information(random.integers(0, 16, (20, 4000)), random.integers(0, 8, 4000))
    assert bits.mean() < 0.005, "the plug-in estimate alone would be 0.019"


def test_a_relation_that_rises_and_falls_is_seen() -> None:
    x = np.random.default_rng(0).normal(size=4000)
    ranks = value_ranks(x, np.ones(4000))
    square = value_cells(np.abs(x), value_ranks(np.abs(x), np.ones(4000)))
    assert abs(np.corrcoef(x, np.abs(x))[0, 1]) < 0.05
    assert mutual_information(cells_of(ranks[None]), square)[0] > 2


def test_a_few_values_have_a_cell_each() -> None:
    values = np.array([5.0, -1.0, 5.0, 9.0])
    assert value_cells(values, value_ranks(values, np.ones(4))).tolist() == [1, 0, 1, 2]
    many = np.arange(1600.0)
    assert np.bincount(value_cells(many, value_ranks(many, np.ones(1600)))).tolist() == [100] * 16
