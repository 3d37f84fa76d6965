import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pipeline.scoring.ranks import binned, ranks_of, value_ranks
from pipeline.scoring.sums import Sums, Weighted

WHOLE = st.integers(-5, 5).map(float)


@st.composite
def signals_and_values(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    steps = draw(st.integers(3, 40))
    signals = draw(hnp.arrays(np.float64, (3, steps), elements=WHOLE))
    return signals, draw(hnp.arrays(np.float64, steps, elements=WHOLE))


def sums_of(signals: np.ndarray, values: np.ndarray, weight: np.ndarray | None = None) -> Sums:
    """Both less their first value, as they come to be summed."""
    weight = np.ones(len(values)) if weight is None else weight
    shifted = (signals - signals[:, :1]).astype(np.float32)
    return Sums.of(shifted, Weighted.of([values - values[0]], weight))


def shares_to_ranks(shares: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = (shares + 0.5) * shares.shape[1] + 0.5
    return ranks


def ranks_among_all(signals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    ranks, _ = ranks_of(binned(signals.astype(np.float32)), weight, 0)
    return ranks


@given(signals_and_values())
def test_pearson_spearman_and_slope_are_scipys(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    signals, values = drawn
    weight = np.ones(len(values))
    ranks = ranks_among_all(signals, weight)
    among = Sums.of(ranks, Weighted.of([value_ranks(values, weight)], weight))
    for neuron, column in enumerate(signals):
        if len(set(column)) == 1 or len(set(values)) == 1:
            assert np.isnan(sums_of(signals, values).measure("pearson")[neuron, 0])
            continue
        line = stats.linregress(values, column)
        assert sums_of(signals, values).measure("pearson")[neuron, 0] == pytest.approx(line.rvalue, abs=1e-5)
        assert sums_of(signals, values).measure("slope")[neuron, 0] == pytest.approx(line.slope, abs=1e-5)
        rho = stats.spearmanr(column, values).statistic
        assert among.measure("spearman")[neuron, 0] == pytest.approx(rho, abs=1e-5)


@given(signals_and_values())
def test_auc_is_the_chance_that_a_yes_lies_above_a_no(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    signals, values = drawn
    yes_no, weight = (values > 0).astype(float), np.ones(len(values))
    ranks = ranks_among_all(signals, weight)
    found = Sums.of(ranks, Weighted.of([yes_no], weight)).measure("auc")[:, 0]
    for neuron, column in enumerate(signals):
        yes, no = column[yes_no == 1], column[yes_no == 0]
        if not len(yes) or not len(no) or len(set(column)) == 1:
            assert np.isnan(found[neuron])
            continue
        pairs = [(a > b) + (a == b) / 2 for a in yes for b in no]
        assert found[neuron] == pytest.approx(np.mean(pairs), abs=1e-5)


@given(signals_and_values())
def test_eta_squared_is_the_variance_between_of_all(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    signals, values = drawn
    indicators = [(values == value).astype(float) for value in np.unique(values)]
    shifted = (signals - signals[:, :1]).astype(np.float32)
    found = Sums.of(shifted, Weighted.of(indicators, np.ones(len(values)))).eta_squared()
    for neuron, column in enumerate(signals):
        if len(set(column)) == 1:
            assert np.isnan(found[neuron])
            continue
        means = np.array([column[values == value].mean() for value in values])
        assert found[neuron] == pytest.approx(means.var() / column.var(), abs=1e-5)


def sums_of_part(signals: np.ndarray, values: np.ndarray, weight: np.ndarray, part: slice) -> Sums:
    return Sums.of(signals[:, part].astype(np.float32), Weighted.of([values[part]], weight[part]))


@given(signals_and_values(), st.integers(0, 40))
def test_sums_of_two_parts_add_up(drawn: tuple[np.ndarray, np.ndarray], split: int) -> None:
    signals, values = drawn
    weight = np.arange(1.0, len(values) + 1)
    first, second = (sums_of_part(signals, values, weight, part) for part in (slice(split), slice(split, None)))
    both, whole = first + second, sums_of_part(signals, values, weight, slice(None))
    for name, value in vars(whole).items():
        assert getattr(both, name) == pytest.approx(value, abs=1e-3)


@given(signals_and_values(), st.lists(st.integers(1, 3), min_size=40, max_size=40))
def test_a_step_that_counts_twice_is_two_steps(drawn: tuple[np.ndarray, np.ndarray], readings: list[int]) -> None:
    signals, values = drawn
    counts = np.array(readings[: len(values)])
    often = np.repeat(signals, counts, 1), np.repeat(values, counts)
    ranks = ranks_among_all(signals, counts.astype(float))
    expected = ranks_among_all(often[0], np.ones(counts.sum()))
    assert np.repeat(ranks, counts, 1) == pytest.approx(expected, abs=1e-6)
    found = sums_of(signals, values, counts.astype(float)).measure("pearson")
    assert found == pytest.approx(sums_of(*often).measure("pearson"), abs=1e-5, nan_ok=True)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=WHOLE), st.integers(0, 40)
)
def test_ranks_are_scipys_among_all_and_within_halves(signals: np.ndarray, split: int) -> None:
    """A mid-rank is half a step below the rank that begins at 1, and is told as a share."""
    among_all, within = ranks_of(binned(signals), np.ones(signals.shape[1]), split)
    assert shares_to_ranks(among_all) == pytest.approx(stats.rankdata(signals, axis=1), abs=1e-4)
    for half in (slice(split), slice(split, None)):
        if signals[:, half].size:
            theirs = stats.rankdata(signals[:, half], axis=1)
            assert shares_to_ranks(within[:, half]) == pytest.approx(theirs, abs=1e-4)


def test_ranks_of_a_wide_range_are_off_by_little() -> None:
    """One value a thousand times as far out as the rest: the others share a few dozen bins."""
    values = np.append(np.random.default_rng(0).normal(size=20_000), 3_000.0).astype(np.float32)
    ranks = shares_to_ranks(ranks_among_all(values[None], np.ones(len(values))))
    assert np.abs(ranks[0] - stats.rankdata(values)).max() < 0.02 * len(values)


def test_a_constant_that_rounds_badly_has_no_correlation() -> None:
    """Beside a neuron that varies, too."""
    signals = np.stack([np.full(7, 0.1), np.arange(7.0)])
    constant, line = sums_of(signals, np.arange(7.0)).measure("pearson")[:, 0]
    assert np.isnan(constant)
    assert line == pytest.approx(1)
    assert np.isnan(sums_of(signals, np.full(7, 0.1)).measure("pearson")).all()


def test_small_differences_of_large_numbers_keep_their_digits() -> None:
    random = np.random.default_rng(0)
    signals = 10 + random.normal(0, 1e-3, (2, 999))
    values = 1000 + random.normal(0, 1e-3, 999)
    found = sums_of(signals, values).measure("pearson")[:, 0]
    assert found == pytest.approx([np.corrcoef(own, values)[0, 1] for own in signals], abs=1e-5)
