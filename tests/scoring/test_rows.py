import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipeline.scoring.columns import asked_of
from pipeline.scoring.rows import Scorer
from schemas.scores import SCORES
from tests.scoring.made import asked, number, one, scored, texts_of


def test_hypotheses_that_are_scored_together_get_what_each_gets_alone() -> None:
    """To the last bit: a run that was killed scores what is missing, in other company."""
    random = np.random.default_rng(0)
    texts = texts_of([30, 20, 25, 10])
    steps, rows = texts.position, len(texts.text)
    hypotheses = {
        "early": number(np.where(steps < 9, random.normal(size=rows), np.nan)),
        "early_too": asked(np.where(steps < 9, random.integers(0, 2, rows), np.nan), "yes_no"),
        **{f"all_{k}": number(random.normal(size=rows).round(1)) for k in range(40)},
    }
    signals = {"cell_state": random.normal(size=(70, rows)).astype(np.float32)}
    together = Scorer(texts, hypotheses).rows(2, signals)
    for name in ("early", "early_too", "all_0", "all_39"):
        alone = Scorer(texts, {name: hypotheses[name]}).rows(2, signals)[name]
        assert together[name].equals(alone), name


def test_a_row_has_scipys_figures_over_all_and_over_each_half() -> None:
    random = np.random.default_rng(1)
    texts = texts_of([12] * 9)
    yes = random.integers(0, 2, 108).astype(float)
    signal = random.normal(size=108) + yes
    split = int(texts.starts[texts.choosing])
    rows = scored(texts, signal[None], {"it": asked(yes, "yes_no")})["it"]
    row = one(rows, 0, "pearson")
    halves = {"value": slice(None), "chosen": slice(split), "held_out": slice(split, None)}
    for figure, half in halves.items():
        assert row[figure] == pytest.approx(stats.pearsonr(signal[half], yes[half]).statistic, abs=1e-5)
    area = one(rows, 0, "auc")
    for figure, half in halves.items():
        pairs = yes[half].sum() * (1 - yes[half]).sum()
        u = stats.mannwhitneyu(signal[half][yes[half] == 1], signal[half][yes[half] == 0]).statistic
        assert area[figure] == pytest.approx(u / pairs, abs=1e-3)
    assert one(rows, 0, "slope")["value"] == pytest.approx(stats.linregress(yes, signal).slope, abs=1e-4)
    assert one(rows, 0, "r_squared")["value"] == pytest.approx(row["value"] ** 2, abs=1e-5)
    assert (row["n"], row["texts"]) == (108, 9)


def test_steps_where_nothing_is_said_are_left_out_and_constants_have_nothing() -> None:
    texts = texts_of([4])
    values = np.array([10.0, 20.0, 30.0, np.nan])
    signals = np.array([[1, 2, 3, 99], [0.5, 0.5, 0.5, 7]])
    rows = scored(texts, signals, {"it": number(values)})["it"]
    assert one(rows, 0, "pearson")["value"] == pytest.approx(1)
    assert one(rows, 0, "pearson")["held_out"] is None, "one text has no other half"
    assert one(rows, 0, "pearson")["p_value"] == 1
    assert {row["value"] for row in rows if row["neuron"] == 1} == {None}
    assert {row["n"] for row in rows} == {3}


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_signal_that_is_not_finite_has_no_measure_and_spoils_no_other(odd: float) -> None:
    random = np.random.default_rng(4)
    texts = texts_of([10] * 6)
    signals, yes = random.normal(size=(2, 60)), random.integers(0, 2, 60).astype(float)
    spoilt = signals.copy()
    spoilt[0, 30] = odd
    plain, found = (scored(texts, some, {"it": asked(yes, "yes_no")})["it"] for some in (signals, spoilt))
    assert {row["value"] for row in found if row["neuron"] == 0} == {None}
    assert {row["p_value"] for row in found if row["neuron"] == 0} == {None}
    assert [row for row in found if row["neuron"]] == [row for row in plain if row["neuron"]]


def test_silence_has_rows_without_values() -> None:
    texts = texts_of([3, 3])
    rows = Scorer(texts, {"it": asked(np.full(6, np.nan), "yes_no")}).rows(
        0, {"cell_state": np.ones((2, 6), "f4")}
    )
    assert rows["it"].schema == SCORES.schema
    assert set(rows["it"]["value"].to_pylist()) == {None}
    assert set(rows["it"]["n"].to_pylist()) == {0}


def test_a_category_is_told_from_all_others() -> None:
    """As numbers a, b, c have no order that a signal must follow: r is nothing where the area is 1."""
    texts = texts_of([3] * 40)
    letters = np.random.default_rng(2).integers(0, 3, 40)[texts.text]
    names = pa.chunked_array([pa.array(["abc"[letter] for letter in letters])])
    hypothesis = asked_of(pa.chunked_array([pa.nulls(120, pa.float64())]), names, np.arange(120), None)
    signals = np.stack([letters == 1, np.random.default_rng(3).normal(size=120)])
    rows = scored(texts, signals.astype(float), {"it": hypothesis})["it"]
    assert one(rows, 0, "auc", "b")["value"] == 1
    assert one(rows, 0, "auc", "a")["value"] < 0.5
    assert one(rows, 0, "auc", "b")["p_value"] < 1e-5
    assert one(rows, 0, "eta_squared")["value"] == pytest.approx(1, abs=1e-5)
    assert one(rows, 0, "eta_squared")["p_value"] < 1e-5
    assert one(rows, 1, "eta_squared")["p_value"] > 0.01
    assert one(rows, 0, "mutual_information")["value"] == pytest.approx(0.9, abs=0.1)
