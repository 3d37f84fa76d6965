import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.matching.blocks import Block, blocks, drawn_texts

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(LENGTHS, st.integers(1, 20))
def test_blocks_hold_every_step_once_and_no_more_than_there_is_room_for(lengths: list[int], most: int) -> None:
    seen = []
    for block in blocks(lengths, most):
        steps = [(t, s) for t in block.texts for s in range(block.first, min(block.stop, lengths[t]))]
        assert 0 < len(steps) <= most
        seen += steps
    assert seen == [(text, step) for text, length in enumerate(lengths) for step in range(length)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (5, [Block((0, 1), 0, 3), Block((2,), 0, 5), Block((2,), 5, 7)]),
        (99, [Block((0, 1, 2), 0, 7)]),
    ],
)
def test_a_text_is_cut_only_where_it_has_no_room(most: int, expected: list[Block]) -> None:
    assert list(blocks([2, 3, 7], most)) == expected


@given(LENGTHS, st.integers(3, 60), st.integers(0, 3))
def test_texts_are_drawn_whole_while_there_is_room(lengths: list[int], most: int, seed: int) -> None:
    drawn = drawn_texts(lengths, most, 3, seed)
    assert drawn.first == 0
    assert list(drawn.texts) == sorted(set(drawn.texts))
    assert len(drawn.texts) >= min(3, len(lengths))
    assert sum(min(lengths[text], drawn.stop) for text in drawn.texts) <= most
    if sum(lengths) <= most and max(lengths) <= most // 3:
        assert drawn == Block(tuple(range(len(lengths))), 0, max(lengths))
