import numpy as np

from pipeline.scoring.texts import distinct_texts


def test_what_is_read_alike_is_one_text() -> None:
    sequence = np.repeat(np.array([4, 5, 6, 9], np.int32), [2, 3, 2, 2])
    token = np.array([1, 2, 1, 2, 3, 1, 2, 7, 7], np.int32)
    texts = distinct_texts(sequence, token)
    found = {int(first): (texts.readings[i], texts.lengths[i]) for i, first in enumerate(texts.first)}
    assert found == {4: (2, 2), 5: (1, 3), 9: (1, 2)}
    assert texts.choosing == 2
    rows = texts.rows_of(sequence, np.array([0, 1, 0, 1, 2, 0, 1, 0, 1]))
    assert sorted(rows[rows >= 0]) == list(range(7))
    assert rows[5:7].tolist() == [-1, -1], "6 reads what 4 has read"
    for row, (number, step) in zip(rows, zip(sequence, [0, 1, 0, 1, 2, 0, 1, 0, 1], strict=True), strict=True):
        if row >= 0:
            assert (texts.first[texts.text[row]], texts.position[row]) == (number, step)


def test_the_order_is_that_of_the_texts_and_not_of_their_readers() -> None:
    token = np.arange(12, dtype=np.int32)
    sequence = np.repeat(np.arange(4, dtype=np.int32), 3)
    one = distinct_texts(sequence, token)
    other = distinct_texts(sequence, token.reshape(4, 3)[::-1].ravel())
    assert (3 - one.first).tolist() == other.first.tolist()
