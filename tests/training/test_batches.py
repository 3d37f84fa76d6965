from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.batches import Batches, part_bounds
from pipeline.training.share import Share
from schemas.errors import UsageError
from schemas.training_settings import TrainingSettings
from tests.training.test_trainer import SEQUENCES


@given(st.integers(1, 200), st.integers(1, 6), st.integers(1, 4))
def test_parts_cover_a_batch_once_and_differ_by_one_at_most(size: int, of: int, parts: int) -> None:
    bounds = [part_bounds(size, Share(rank, of), parts) for rank in range(of)]
    assert bounds[0][0] == 0
    assert bounds[-1][-1] == size
    assert all(one[-1] == other[0] for one, other in pairwise(bounds))
    lengths = np.concatenate([np.diff(own) for own in bounds])
    assert lengths.max() - lengths.min() <= 1


def targets_of(share: Share, accumulate: int) -> list[list[int]]:
    """Every update's targets that count, in order, with the total that the whole batch has."""
    settings = TrainingSettings(batch_size=7, accumulate=accumulate)
    found = []
    for batch in Batches(SEQUENCES, settings, 1, share).between(3, 12):
        rows = [row[row >= 0] for part in batch.parts for row in part.targets.numpy()]
        own = np.concatenate(rows).tolist()
        assert batch.characters == len(own)
        found.append([batch.targets, *own])
    return found


@pytest.mark.parametrize(("of", "accumulate"), [(1, 3), (2, 1), (3, 2)])
def test_workers_and_parts_share_the_batches_of_one(of: int, accumulate: int) -> None:
    alone = targets_of(Share(), 1)
    shared = [targets_of(Share(rank, of), accumulate) for rank in range(of)]
    for step, (total, *whole) in enumerate(alone):
        assert total == len(whole)
        assert [own[step][0] for own in shared] == [total] * of
        assert [token for own in shared for token in own[step][1:]] == whole


def test_more_parts_than_sequences_are_refused() -> None:
    with pytest.raises(UsageError, match=r"batch of 2 sequences.*3 workers"):
        Batches(SEQUENCES, TrainingSettings(batch_size=2), 0, Share(0, 3))
