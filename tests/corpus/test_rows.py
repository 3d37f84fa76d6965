from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.rows import sequences_of, split_range, step_rows, texts_of
from pipeline.tasks import make_task
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS, STEPS
from schemas.experiment import CorpusSettings
from schemas.task_settings import CountingSettings

TASK = make_task(CountingSettings(name="counting", maximum=3))
VOCABULARY = Vocabulary("\nXab")


def test_the_rows_of_one_sequence_on_paper() -> None:
    rows = step_rows(TASK, VOCABULARY, 0, [next(n for n in range(99) if TASK.sequence(0, n).text == "aXb\n")])
    assert rows.schema == STEPS.schema
    assert rows.drop(["sequence"]).to_pydict() == {
        "step": [0, 1, 2, 3],
        "token": [2, 1, 3, 0],
        "char": ["a", "X", "b", "\n"],
        "target": ["X", "b", "\n", None],
        "determined": [False, True, True, False],
    }


def test_a_step_of_a_tokenizer_holds_a_piece_of_text() -> None:
    """A target is determined from where its own text begins."""
    number = next(n for n in range(99) if TASK.sequence(0, n).text == "aaXbb\n")
    vocabulary = Vocabulary(["aa", "X", "bb", "\n"], tokenizer=lambda _: [0, 1, 2, 3])
    rows = step_rows(TASK, vocabulary, 0, [number])
    assert rows.drop(["sequence"]).to_pydict() == {
        "step": [0, 1, 2, 3],
        "token": [0, 1, 2, 3],
        "char": ["aa", "X", "bb", "\n"],
        "target": ["X", "bb", "\n", None],
        "determined": [False, True, True, False],
    }
    assert texts_of(rows) == {number: ["aa", "X", "bb", "\n"]}


@given(st.integers(0, 1000), st.integers(1, 20))
def test_rows_give_back_the_sequences(start: int, count: int) -> None:
    numbers = range(start, start + count)
    rows = step_rows(TASK, VOCABULARY, 7, numbers)
    texts = {number: TASK.sequence(7, number).text for number in numbers}
    assert {number: "".join(steps) for number, steps in texts_of(rows).items()} == texts
    sequences = sequences_of(rows)
    assert sequences.ids.tolist() == list(numbers)
    for place, (number, text) in enumerate(texts.items()):
        here = slice(sequences.offsets[place], sequences.offsets[place + 1])
        assert VOCABULARY.decode(sequences.tokens[here]) == text
        answer = len(text) - TASK.sequence(7, number).determined_from
        assert sequences.determined[here].sum() == answer


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_splits_follow_one_another_without_a_gap(train: int, valid: int, probe: int) -> None:
    corpus = CorpusSettings(train=train, valid=valid, probe=probe)
    numbers = [number for split in SPLITS for number in split_range(corpus, split)]
    assert numbers == list(range(train + valid + probe))
