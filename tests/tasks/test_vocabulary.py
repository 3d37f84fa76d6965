import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tasks.sequences import IGNORED, Sequences, next_tokens
from pipeline.tasks.vocabulary import Vocabulary
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


def test_a_vocabulary_is_sorted_and_has_no_twins() -> None:
    for wrong in ("ba", "aab"):
        with pytest.raises(ValueError, match="sorted"):
            Vocabulary(wrong)


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
