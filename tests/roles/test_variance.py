"""Explained variance, against sums that one works out by hand or in another way."""

import numpy as np
import pytest

from pipeline.roles.texts import lay_out
from pipeline.roles.transitions import follow, transitions
from pipeline.roles.variance import correlated, explained, grouped, without


def test_epsilon_squared_by_hand() -> None:
    """Groups (1, 3) and (5, 7): 4 within, 20 in all; 1 - (4 / 2) / (20 / 3) = 0.7."""
    groups = grouped(np.array([0, 1, 0, 1]))
    assert explained(np.array([[1.0, 5.0, 3.0, 7.0]]), groups)[0] == pytest.approx(0.7)


def test_what_comes_first_is_taken_out() -> None:
    """The value is the sum of both: the second explains all that varies within the first."""
    one, two = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1, 0, 1])
    values = (10.0 * one + two)[None]
    assert explained(values, grouped(one, two), grouped(one))[0] == 1
    assert explained(values, grouped(one), None)[0] == pytest.approx(1 - (2 / 6) / (202 / 7))
    np.testing.assert_allclose(without(values, grouped(one)), [np.tile([-0.5, 0.5], 4)])


def test_chance_groups_explain_nothing_on_average() -> None:
    drawn = np.random.default_rng(0)
    values = drawn.normal(size=(400, 60))
    found = explained(values, grouped(np.arange(60) % 20))
    assert found.mean() < 0.06, "eta squared would be 19 / 59 = 0.32"


@pytest.mark.parametrize("values", [np.zeros((1, 6)), np.full((1, 6), 0.1, np.float32).astype(float)])
def test_a_constant_is_explained_by_nothing(values: np.ndarray) -> None:
    assert explained(values, grouped(np.array([0, 0, 0, 1, 1, 1])))[0] == 0
    assert correlated(values, np.arange(6.0)[None])[0] == 0


def test_groups_of_one_step_explain_nothing() -> None:
    assert explained(np.array([[1.0, 2.0, 3.0]]), grouped(np.arange(3)))[0] == 0


def test_correlated_is_the_square_of_pearsons_r() -> None:
    drawn = np.random.default_rng(1)
    x, y = drawn.normal(size=(2, 1, 50))
    assert correlated(x, y + x)[0] == pytest.approx(np.corrcoef(x[0], (y + x)[0])[0, 1] ** 2)


def test_texts_know_where_each_step_stands() -> None:
    texts = lay_out(["ab", "b", "aba"])
    assert texts.alphabet == ("a", "b")
    assert texts.position.tolist() == [0, 1, 0, 0, 1, 2]
    assert texts.text.tolist() == [0, 0, 1, 2, 2, 2]
    assert texts.following.tolist() == [1, -1, -1, 1, 0, -1]
    assert texts.counts.tolist() == [[1, 1], [0, 1], [2, 1]]
    assert texts.at(1).tolist() == [1, -1, 1]
    assert texts.before(np.arange(6.0)[None]).tolist() == [[0, 0, 0, 0, 3, 4]]


def test_transitions_give_back_what_made_the_states() -> None:
    """a: 0.5 c + 1, b: c + 2, c: 0 c - 1; a text begins with 3 after any character."""
    drawn = np.random.default_rng(2)
    keep, add = {"a": 0.5, "b": 1.0, "c": 0.0}, {"a": 1.0, "b": 2.0, "c": -1.0}
    strings = ["".join(drawn.choice(list("abc"), size)) for size in drawn.integers(5, 30, 40)]
    states = []
    for text in strings:
        state = 3.0
        states.append(state)
        for character in text[1:]:
            state = keep[character] * state + add[character]
            states.append(state)
    texts = lay_out(strings)
    found = transitions(np.array([states]), texts)
    np.testing.assert_allclose(found.keep, [[0.5, 1, 0]], atol=1e-9)
    np.testing.assert_allclose(found.add, [[1, 2, -1]], atol=1e-9)
    np.testing.assert_allclose(found.begin, [[3, 3, 3]])
    np.testing.assert_allclose(follow(found.keep, found.add, found.begin, texts), [states], atol=1e-9)
