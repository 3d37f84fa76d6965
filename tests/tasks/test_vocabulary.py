import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens
from pipeline.tasks.vocabulary import Vocabulary, format_vocabulary, parse_vocabulary
from schemas.errors import UsageError


@given(st.text())
def test_decoding_undoes_encoding(text: str) -> None:
    vocabulary = Vocabulary("".join(sorted(set(text))))
    tokens = vocabulary.encode(text, "here")
    assert vocabulary.decode(tokens) == text
    assert len(tokens) == len(text)


def test_an_unknown_character_is_named_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"sequence 7 holds the character 'é', which training never saw"):
        Vocabulary("abc").encode("abéc", "sequence 7")


def test_a_vocabulary_has_no_twins() -> None:
    with pytest.raises(ValueError, match="'a' is there twice"):
        Vocabulary("aab")


@pytest.mark.parametrize(
    ("data", "characters"),
    [
        ('{"characters": "ba"}', ("b", "a")),
        ('{"characters": ["the", " "]}', ("the", " ")),
        ('["x", "yz", ""]', ("x", "yz", "")),
        ('{"b": 1, "a": 0}', ("a", "b")),
        ('{"characters": 0, "b": 1}', ("characters", "b")),
    ],
)
def test_three_forms_of_a_vocabulary_are_read_and_ours_is_written(data: str, characters: tuple[str, ...]) -> None:
    assert parse_vocabulary(data.encode(), "v.json") == characters
    assert parse_vocabulary(format_vocabulary(characters), "v.json") == characters


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("{", "v.json is not JSON"),
        ("3", "v.json is no vocabulary"),
        ("[]", "v.json is no vocabulary"),
        ("[1, 2]", "v.json is no vocabulary"),
        ('{"a": "b"}', "v.json must give each text its token"),
        ('{"a": 0, "b": 2}', "has 2 texts and none for token 1"),
        ('{"a": 0, "b": 0}', "has 2 texts and none for token 1"),
        ('["a", "b", "a"]', "'a' is there twice"),
    ],
)
def test_a_wrong_vocabulary_is_a_sentence(data: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        parse_vocabulary(data.encode(), "v.json")


def test_a_tokenizers_tokens_are_checked() -> None:
    vocabulary = Vocabulary(["the", " ", "cat"], tokenizer=lambda text: [0, 1, 2] if text else [])
    tokens = vocabulary.encode("the cat", "sequence 1")
    assert tokens.dtype == np.int32
    assert vocabulary.decode(tokens) == "the cat"
    for wrong, told in (
        ([0, 3], "gave the token 3, and the vocabulary has 0 to 2"),
        ([], "a list of at least one"),
    ):
        with pytest.raises(UsageError, match=told):
            vocabulary.checked(wrong, "sequence 1: the tokenizer")
    with pytest.raises(UsageError, match="a list of at least one token"):
        vocabulary.checked("the cat", "here")  # type: ignore[arg-type]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=6), st.randoms())
def test_padding_keeps_every_sequence(texts: list[list[int]], random: object) -> None:
    lengths = [len(text) for text in texts]
    sequences = Sequences(
        ids=np.arange(len(texts), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        tokens=np.concatenate(texts).astype(np.int32),
        determined=np.zeros(sum(lengths), bool),
    )
    rows = np.arange(len(texts))[::-1]
    tokens, real = sequences.padded(rows)
    targets = next_tokens(tokens, real)
    for place, row in enumerate(rows):
        assert tokens[place][real[place]].tolist() == texts[row]
        assert targets[place][real[place]].tolist() == [*texts[row][1:], IGNORED]
    assert (targets[~real] == IGNORED).all()
    part = sequences.take(1, len(texts))
    assert len(part) == len(texts) - 1
    assert part.tokens.tolist() == [token for text in texts[1:] for token in text]
