from itertools import permutations

import numpy as np
import pytest

from pipeline.matching.chance import chance_pairs, orders_of
from pipeline.matching.match import Match, match_of, stability_of
from pipeline.matching.moments import correlations, moments_of
from pipeline.matching.pairing import Pairs, pairs_of
from tests.matching.signals import Signals, levels, noise

LENGTHS = [20, 31, 26, 40, 22, 35, 28, 33]


def matched(a: Signals, b: Signals) -> Match:
    r = correlations(moments_of(np.concatenate(a), np.concatenate(b)))
    return match_of(r, chance_pairs(a, b))


def test_a_network_with_its_neurons_permuted_and_some_negated_comes_back() -> None:
    a = noise(0, LENGTHS, 7)
    order, signs = np.array([3, 6, 0, 5, 1, 4, 2]), np.array([1, -1, 1, 1, -1, -1, 1])
    match = matched(a, [text[:, order] * signs for text in a])
    assert match.pairs.neurons.tolist() == list(range(7))
    assert order[match.pairs.others].tolist() == list(range(7))
    assert match.pairs.r == pytest.approx(signs[match.pairs.others], abs=1e-12)
    assert match.shared.all()
    assert match.mean_r == pytest.approx(1)


@pytest.mark.parametrize(("neurons", "others"), [(3, 5), (5, 3), (4, 4)])
def test_the_pairs_are_the_best_of_all_assignments(neurons: int, others: int) -> None:
    r = np.random.default_rng(1).uniform(-1, 1, (neurons, others))
    few, many = sorted((neurons, others))
    wide = np.abs(r if neurons <= others else r.T)
    best = max(sum(wide[i, order[i]] for i in range(few)) for order in permutations(range(many), few))
    pairs = pairs_of(r)
    assert np.abs(pairs.r).sum() == pytest.approx(best)
    assert (pairs.r == r[pairs.neurons, pairs.others]).all()
    assert len(set(pairs.neurons.tolist())) == len(set(pairs.others.tolist())) == few


@pytest.mark.parametrize("seed", range(5))
def test_two_unrelated_networks_share_nothing(seed: int) -> None:
    match = matched(noise(2 * seed, LENGTHS, 6), noise(2 * seed + 1, LENGTHS, 9))
    assert not match.shared.any()


def test_what_few_texts_share_by_chance_is_as_little_as_is_said() -> None:
    """Four texts, one level each: |r| of the best partner is mostly above 0.7, and means nothing."""
    matches = [matched(levels(seed, 4, 5), levels(seed + 1000, 4, 5)) for seed in range(150)]
    large = np.mean([np.abs(match.pairs.r) >= 0.7 for match in matches])
    shared, expected = (np.mean([getattr(m, n) for m in matches]) for n in ("shared", "shared_by_chance"))
    assert {match.pairings for match in matches} == {23}
    assert large > 0.5
    assert shared <= 1.5 / 24
    assert 0 < expected <= 5 / 24


def test_what_follows_only_the_position_is_not_shared() -> None:
    """Of two clocks r is 1, whatever the texts; two counters of the text part when texts change places."""
    text = noise(3, LENGTHS, 1)
    a, b = ([np.c_[np.sqrt(np.arange(len(own))) * sign, own] for own in text] for sign in (1, -1))
    match = matched(a, b)
    assert match.pairs.r == pytest.approx([-1, 1])
    assert match.chance[0] == pytest.approx(1)
    assert match.shared.tolist() == [False, True]


def test_a_neuron_that_never_changes_has_no_r_and_is_not_shared() -> None:
    a = noise(4, LENGTHS, 3)
    still = [np.c_[text[:, :2], np.full(len(text), 0.3)] for text in a]
    match = matched(still, a)
    assert np.isnan(match.pairs.r).tolist() == [False, False, True]
    assert match.shared.tolist() == [True, True, False]
    assert match.mean_r == pytest.approx(2 / 3)


@pytest.mark.parametrize(("texts", "most", "expected"), [(4, 99, 23), (5, 99, 99), (5, 119, 119), (40, 7, 7)])
def test_orders_are_other_than_the_texts_own(texts: int, most: int, expected: int) -> None:
    orders = [tuple(order.tolist()) for order in orders_of(texts, most)]
    assert len(orders) == expected
    assert all(sorted(order) == list(range(texts)) and order != tuple(range(texts)) for order in orders)
    assert orders == [tuple(order.tolist()) for order in orders_of(texts, most)], "the same each time"
    if texts == 4 or most == 119:
        assert len(set(orders)) == expected


@pytest.mark.parametrize(("texts", "others"), [(3, 3), (5, 4)])
def test_too_few_texts_are_refused(texts: int, others: int) -> None:
    with pytest.raises(ValueError, match=f"{texts} and {others} texts"):
        chance_pairs(noise(0, [5] * texts, 2), noise(1, [5] * others, 2))


def test_permuted_texts_are_paired_as_far_as_both_go() -> None:
    """Worked by hand for the one order of four texts of one neuron that swaps the first two."""
    a, b = noise(5, [3, 5, 4, 6], 1), noise(6, [3, 5, 4, 6], 1)
    x = np.concatenate([a[0], a[1][:3], a[2], a[3]])[:, 0]
    y = np.concatenate([b[1][:3], b[0], b[2], b[3]])[:, 0]
    orders = [order.tolist() for order in orders_of(4, 99)]
    found = chance_pairs(a, b)[orders.index([1, 0, 2, 3])]
    assert found == pytest.approx(abs(np.corrcoef(x, y)[0, 1]))


def test_stability_is_the_mean_over_networks_and_how_many_share() -> None:
    """Three neurons; the second network has only two, and its first pair is no better than chance."""
    whole = Match(Pairs(np.arange(3), np.array([2, 0, 1]), np.array([-0.9, 0.8, np.nan])), np.zeros(3), 99)
    small = Match(Pairs(np.array([0, 2]), np.array([1, 0]), np.array([0.9, 0.5])), np.array([0.95, 0.1]), 99)
    found = stability_of([whole, small], 3)
    assert found.mean_r == pytest.approx([0.9, 0.4, 0.25])
    assert found.shared.tolist() == [1, 1, 0]
    assert small.shared_by_chance == pytest.approx(0.01)
