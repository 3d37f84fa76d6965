"""One contract for every task, and what each one's sequences look like."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tasks import TASKS, make_task
from pipeline.tasks.task import Sequence, Task
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import (
    CopyingSettings,
    CountingSettings,
    SelectiveCountingSettings,
    StateMemorySettings,
    TextSettings,
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


DOCUMENTS = [Document(f"file{n}", chr(ord("a") + n) * (10 * n + 7)) for n in range(6)]


class TestText(TaskContract):
    task = make_task(TextSettings(name="text", files=["unused"], window=5), DOCUMENTS)

    def test_every_whole_window_comes_once(self) -> None:
        assert self.task.available == sum(len(document.text) // 5 for document in DOCUMENTS)
        windows = Counter(self.task.sequence(3, number).text for number in range(self.task.available))
        assert windows == Counter({d.text[0] * 5: len(d.text) // 5 for d in DOCUMENTS})

    def test_a_document_stays_together_and_the_seed_orders_them(self) -> None:
        assert self.task.available is not None
        letters = [
            "".join(self.task.sequence(seed, number).text[0] for number in range(self.task.available))
            for seed in (0, 1)
        ]
        assert letters[0] != letters[1]
        assert all(len(re.findall(r"(.)\1*", line)) == len(DOCUMENTS) for line in letters)

    def test_a_window_of_zero_is_a_whole_file(self) -> None:
        whole = make_task(TextSettings(name="text", files=["unused"], window=0), DOCUMENTS)
        assert whole.available == len(DOCUMENTS)
        assert {whole.sequence(0, number).text for number in range(6)} == {d.text for d in DOCUMENTS}

    def test_more_than_there_is_is_refused(self) -> None:
        with pytest.raises(UsageError, match="the corpus holds 36 sequences, and sequence 36 was asked for"):
            self.task.sequence(0, 36)
        with pytest.raises(UsageError, match="no sizes"):
            self.task.sequence(0, 0, size=3)

    def test_an_empty_corpus_is_refused(self) -> None:
        with pytest.raises(UsageError, match="corpus is empty"):
            make_task(TextSettings(name="text", files=["*.none"]), [])
        with pytest.raises(UsageError, match="no file of at least 500 characters"):
            make_task(TextSettings(name="text", files=["*"], window=500), DOCUMENTS)


def test_every_task_has_its_contract() -> None:
    tested = {TestCounting, TestSelectiveCounting, TestStateMemory, TestCopying, TestText}
    assert {type(contract.task) for contract in tested} == set(TASKS.values())
