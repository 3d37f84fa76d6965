import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pipeline.scoring.measures import auc, pearson, ranks_of, spearman
from pipeline.scoring.rows import Asked, score_rows
from schemas.scores import SCORES

WHOLE = st.integers(-5, 5).map(float)


@st.composite
def signals_and_values(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    steps = draw(st.integers(3, 40))
    signals = draw(hnp.arrays(np.float64, (steps, 3), elements=WHOLE))
    return signals, draw(hnp.arrays(np.float64, steps, elements=WHOLE))


@given(signals_and_values())
def test_pearson_and_spearman_are_scipys(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    signals, values = drawn
    for found, theirs in (
        (pearson(signals, values), stats.pearsonr),
        (spearman(ranks_of(signals), values), stats.spearmanr),
    ):
        for neuron in range(3):
            column = signals[:, neuron]
            if len(set(column)) == 1 or len(set(values)) == 1:
                assert np.isnan(found[neuron])
            else:
                assert found[neuron] == pytest.approx(theirs(column, values).statistic, abs=1e-9)


@given(signals_and_values())
def test_auc_is_the_chance_that_a_yes_lies_above_a_no(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    signals, values = drawn
    answers = (values > 0).astype(float)
    found = auc(ranks_of(signals), answers)
    yes, no = signals[answers == 1], signals[answers == 0]
    for neuron in range(3):
        if not len(yes) or not len(no):
            assert np.isnan(found[neuron])
            continue
        pairs = [(a > b) + (a == b) / 2 for a in yes[:, neuron] for b in no[:, neuron]]
        assert found[neuron] == pytest.approx(np.mean(pairs))


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=WHOLE))
def test_ranks_are_scipys(signals: np.ndarray) -> None:
    assert (ranks_of(signals) == stats.rankdata(signals, axis=0)).all()


def test_a_constant_that_rounds_badly_has_no_correlation() -> None:
    """Beside a neuron that varies, too."""
    signals = np.stack([np.full(7, 0.1), np.arange(7.0)], 1)
    constant, line = pearson(signals, np.arange(7.0))
    assert np.isnan(constant)
    assert line == pytest.approx(1)
    assert np.isnan(pearson(signals, np.full(7, 0.1))).all()


def test_the_means_of_float32_are_float64() -> None:
    """A float32 mean of 1000, 1001 … would be off by as much as these signals differ."""
    random = np.random.default_rng(0)
    signals = (1000 + random.normal(0, 1e-3, (999, 2))).astype(np.float32)
    values = (1000 + random.normal(0, 1e-3, 999)).astype(np.float32)
    exact = pearson(signals.astype(np.float64), values.astype(np.float64))
    assert pearson(signals, values) == pytest.approx(exact, rel=1e-12)


def rows_of(layer: int, signals: np.ndarray, values: np.ndarray, *, yes_no: bool) -> pa.Table:
    return score_rows(layer, "cell_state", signals, {"it": Asked(values, yes_no=yes_no)})["it"]


def test_hypotheses_that_are_scored_together_get_what_each_gets_alone() -> None:
    """Two speak at the same steps, and share ranks; one speaks elsewhere."""
    random = np.random.default_rng(0)
    signals = random.normal(size=(30, 3)).astype(np.float32)
    steps = np.arange(30.0)
    hypotheses = {
        "early": Asked(np.where(steps < 20, steps, np.nan), yes_no=False),
        "late": Asked(np.where(steps >= 10, steps, np.nan), yes_no=False),
        "early_too": Asked(np.where(steps < 20, steps % 2, np.nan), yes_no=True),
    }
    together = score_rows(2, "hidden_state", signals, hypotheses)
    for name, hypothesis in hypotheses.items():
        assert together[name].equals(score_rows(2, "hidden_state", signals, {name: hypothesis})[name])
        assert set(together[name]["n"].to_pylist()) == {20}
    assert set(together["early_too"]["measure"].to_pylist()) == {"pearson", "spearman", "auc"}


def test_rows_leave_out_the_steps_where_nothing_is_said() -> None:
    signals = np.array([[1, 0.5], [2, 0.5], [3, 0.5], [99, 7]], np.float32)
    values = np.array([10.0, 20.0, 30.0, np.nan])
    rows = rows_of(1, signals, values, yes_no=False)
    assert rows.schema == SCORES.schema
    found = {(row["neuron"], row["measure"]): row for row in rows.to_pylist()}
    assert set(found) == {(0, "pearson"), (1, "pearson"), (0, "spearman"), (1, "spearman")}
    assert found[0, "pearson"]["value"] == pytest.approx(1)
    assert found[1, "pearson"]["value"] is None, "a constant signal has no correlation"
    assert {row["n"] for row in found.values()} == {3}
    assert {row["p_value"] for row in found.values()} == {None}
    assert {(row["layer"], row["signal"], row["split"]) for row in found.values()} == {(1, "cell_state", "probe")}


def test_yes_no_hypotheses_get_an_auc_and_silent_ones_nothing() -> None:
    signals = np.array([[1], [2], [3]], np.float32)
    rows = rows_of(0, signals, np.array([0.0, 1.0, 1.0]), yes_no=True)
    assert dict(zip(rows["measure"].to_pylist(), rows["value"].to_pylist(), strict=True))["auc"] == 1
    silent = rows_of(0, signals, np.full(3, np.nan), yes_no=True)
    assert silent["value"].to_pylist() == [None] * 3
    unsaid = rows_of(0, signals, np.full(3, np.nan), yes_no=False)
    assert unsaid["measure"].to_pylist() == ["pearson", "spearman"]
    assert set(silent["n"].to_pylist()) == {0}
