import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.matching.blocks import Block, blocks, drawn

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


@given(LENGTHS, st.integers(1, 60), st.integers(1, 20), st.integers(0, 3))
def test_what_is_drawn_is_the_same_in_blocks_as_of_whole_texts(
    lengths: list[int], most: int, room: int, seed: int
) -> None:
    some = drawn(lengths, most, 2, seed)
    found: dict[int, list[int]] = {text: [] for text in some.texts}
    for block in blocks(lengths, room):
        values = [np.arange(block.first, min(block.stop, lengths[text])) for text in block.texts]
        for text, own in some.of(block, values).items():
            found[text] += own.tolist()
    assert found == {text: [step for step in some.steps if step < lengths[text]] for text in some.texts}
    assert all(found.values())
    assert len(found) >= min(2, len(lengths))
    if sum(lengths) <= most:
        assert found == {text: list(range(length)) for text, length in enumerate(lengths)}


@pytest.mark.parametrize(
    ("lengths", "most", "texts", "each"),
    [
        ([128] * 100, 12_800, 100, 128),
        ([128] * 100, 6_400, 100, 64),
        ([128] * 100, 400, 50, 8),
        ([100_000] * 4, 400, 4, 100),
    ],
)
def test_steps_are_left_out_before_texts_are(lengths: list[int], most: int, texts: int, each: int) -> None:
    some = drawn(lengths, most, 4)
    assert (len(some.texts), len(some.steps)) == (texts, each)
    assert (np.diff(some.steps) > 0).all()
    assert some.steps[0] == 0
    assert lengths[0] - some.steps[-1] <= 2 * lengths[0] / each
