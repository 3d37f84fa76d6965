"""One contract for every task, and what each one's sequences look like."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.tasks import TASKS, make_task
from pipeline.tasks.task import Sequence, Task
from schemas.task_settings import (
    CopyingSettings,
    CountingSettings,
    SelectiveCountingSettings,
    StateMemorySettings,
    SyntheticTweetsSettings,
)

NUMBERS = st.integers(0, 1 << 40)
SEEDS = st.integers(0, 1 << 31)


class TaskContract:
    """What holds for a sequence of any task."""

    task: Task

    @given(seed=SEEDS, number=NUMBERS)
    def test_a_sequence_follows_from_seed_and_number_alone(self, seed: int, number: int) -> None:
        number = self.within(number)
        once = self.task.sequence(seed, number)
        self.task.sequence(seed + 1, self.within(number + 1))
        assert self.task.sequence(seed, number) == once

    @given(seed=SEEDS, number=NUMBERS)
    def test_its_characters_are_in_the_alphabet(self, seed: int, number: int) -> None:
        number = self.within(number)
        alphabet = self.task.alphabet(seed, min(number + 1, 50))
        if number < 50:
            assert set(self.task.sequence(seed, number).text) <= set(alphabet)
        assert list(alphabet) == sorted(set(alphabet))

    @given(seed=SEEDS, number=NUMBERS)
    def test_what_is_determined_lies_within(self, seed: int, number: int) -> None:
        sequence = self.task.sequence(seed, self.within(number))
        assert 0 < sequence.determined_from <= len(sequence.text)

    def within(self, number: int) -> int:
        return number if self.task.available is None else number % self.task.available


class SizedTaskContract(TaskContract):
    """What holds besides for a task whose sequences have sizes."""

    pattern: str

    @given(seed=SEEDS, number=NUMBERS, size=st.integers(1, 80))
    def test_any_size_can_be_made_beyond_training_too(self, seed: int, number: int, size: int) -> None:
        assert re.fullmatch(self.pattern, self.task.sequence(seed, number, size).text)
        assert self.size_of(self.task.sequence(seed, number, size)) == size

    def test_training_draws_every_size_about_evenly(self) -> None:
        assert self.task.sizes is not None
        drawn = Counter(self.size_of(self.task.sequence(0, number)) for number in range(1000))
        assert set(drawn) == set(self.task.sizes)
        expected = 1000 / len(self.task.sizes)
        assert all(0.6 * expected < count < 1.4 * expected for count in drawn.values())

    @given(seed=SEEDS, number=NUMBERS)
    def test_the_determined_part_follows_from_what_stands_before(self, seed: int, number: int) -> None:
        sequence = self.task.sequence(seed, number)
        known = sequence.text[: sequence.determined_from]
        assert self.answer(known) == sequence.text[sequence.determined_from :]

    def size_of(self, sequence: Sequence) -> int:
        raise NotImplementedError

    def answer(self, known: str) -> str:
        """What a person would write after the known part."""
        raise NotImplementedError


class TestCounting(SizedTaskContract):
    task = make_task(CountingSettings(name="counting"))
    pattern = r"a+Xb+\n"

    def size_of(self, sequence: Sequence) -> int:
        return sequence.text.count("a")

    def answer(self, known: str) -> str:
        return "b" * known.count("a") + "\n"


class TestSelectiveCounting(SizedTaskContract):
    task = make_task(SelectiveCountingSettings(name="selective_counting"))
    pattern = r"[aX]+Yb+\n"

    def size_of(self, sequence: Sequence) -> int:
        return sequence.text.count("a")

    def answer(self, known: str) -> str:
        return "b" * known.count("a") + "\n"

    def test_noise_stands_among_the_letters(self) -> None:
        texts = [self.task.sequence(0, number).text for number in range(300)]
        assert any("aXa" in text for text in texts)
        assert {text.count("X") for text in texts} == set(range(11))


class TestStateMemory(SizedTaskContract):
    task = make_task(StateMemorySettings(name="state_memory"))
    pattern = r"(Ax+Ya|Bx+Yb)\n"

    def size_of(self, sequence: Sequence) -> int:
        return sequence.text.count("x")

    def answer(self, known: str) -> str:
        return known[0].lower() + "\n"


class TestCopying(SizedTaskContract):
    task = make_task(CopyingSettings(name="copying"))
    pattern = r"([abc]+)X\1\n"

    def size_of(self, sequence: Sequence) -> int:
        return sequence.text.index("X")

    def answer(self, known: str) -> str:
        return known.removesuffix("X") + "\n"


PATTERNS = {"in_url": r"https?://t\.co/\w+", "in_hashtag": r"#\w+", "in_mention": r"@\w+"}


class TestSyntheticTweets(TaskContract):
    task = make_task(SyntheticTweetsSettings(name="synthetic_tweets"))

    def test_every_kind_occurs_and_a_line_is_one_line(self) -> None:
        lines = [self.task.sequence(0, number).text for number in range(2000)]
        assert all(line.endswith("\n") and line.count("\n") == 1 and len(line) <= 140 for line in lines)
        kinds = ("in_url", "in_hashtag", "in_mention", "in_quotation", "in_all_capitals_word", "in_number")
        for kind in (*kinds, "in_capitalised_word", "in_auxiliary_be", "is_emoji"):
            marked = [line for line in lines if 1 in find_hypothesis(kind).of(line, "plain")]
            assert 100 < len(marked) < 2000, kind

    def test_addresses_and_tags_are_marked_from_end_to_end(self) -> None:
        for line in (self.task.sequence(1, number).text for number in range(300)):
            for kind, pattern in (
                ("in_url", r"https?://t\.co/\w+"),
                ("in_hashtag", r"#\w+"),
                ("in_mention", r"@\w+"),
            ):
                spans = {place for found in re.finditer(pattern, line) for place in range(*found.span())}
                values = find_hypothesis(kind).of(line, "plain")
                assert {place for place, value in enumerate(values) if value} == spans


def test_every_task_has_its_contract() -> None:
    tested = {TestCounting, TestSelectiveCounting, TestStateMemory, TestCopying, TestSyntheticTweets}
    assert {type(contract.task) for contract in tested} == set(TASKS.values())
