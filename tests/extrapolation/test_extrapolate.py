import pytest
import torch
from torch import Tensor, nn

from pipeline.extrapolation.extrapolate import extrapolate, is_right
from pipeline.tasks import make_task
from pipeline.tasks.task import Sequence
from pipeline.tasks.vocabulary import Vocabulary
from schemas.experiment import ExtrapolateSettings
from schemas.scores import EXTRAPOLATION
from schemas.task_settings import CountingSettings, SelectiveCountingSettings

VOCABULARY = Vocabulary("\nXYab")
NEWLINE, _, _, A, B = range(5)


class CountsUpTo(nn.Module):
    """Not a network: it counts a's and b's, and loses count beyond a limit. What extrapolation should find."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, tokens: Tensor) -> Tensor:
        remembered = (tokens == A).cumsum(1).clamp(max=self.limit)
        done = (tokens == B).cumsum(1) >= remembered
        return nn.functional.one_hot(torch.where(done, NEWLINE, B), 5).float()


@pytest.mark.parametrize("limit", [3, 7])
def test_it_finds_the_size_at_which_counting_fails(limit: int) -> None:
    task = make_task(CountingSettings(name="counting", maximum=3))
    settings = ExtrapolateSettings(maximum=9, samples=5)
    rows = extrapolate(CountsUpTo(limit), VOCABULARY, task, 0, settings)
    assert rows.schema == EXTRAPOLATION.schema
    assert rows["size"].to_pylist() == list(range(1, 10))
    assert rows["total"].to_pylist() == [1] * 9, "there is one sequence of each size"
    assert rows["correct"].to_pylist() == [int(size <= limit) for size in range(1, 10)]


def test_different_sequences_of_one_size_all_count() -> None:
    task = make_task(SelectiveCountingSettings(name="selective_counting", maximum=3))
    rows = extrapolate(CountsUpTo(4), VOCABULARY, task, 0, ExtrapolateSettings(maximum=5, samples=8))
    found = {row["size"]: row for row in rows.to_pylist()}
    assert all(1 < row["total"] <= 8 for row in found.values())
    assert found[4]["correct"] == found[4]["total"]
    assert found[5]["correct"] == 0


def test_one_wrong_character_in_the_determined_part_is_wrong() -> None:
    model = CountsUpTo(9)
    assert is_right(model, VOCABULARY, Sequence("aaXbb\n", 3))
    assert not is_right(model, VOCABULARY, Sequence("aaXbbb\n", 3))
    assert is_right(model, VOCABULARY, Sequence("abXbb\n", 6)), "what is not determined does not count"
