"""The permutation's moments against permutations that are drawn, and what is called true where nothing is."""

from itertools import permutations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import false_discovery_control

from pipeline.queries.correction import corrected
from pipeline.scoring.nulls import Permuted
from pipeline.scoring.rows import Scorer
from schemas.score_settings import Kind
from tests.scoring.made import asked, number, one, scored, texts_of


def drawn(signals: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """The statistic of every permutation of whole texts, of grids (texts, positions), and the observed one."""
    x, y = signals - signals.mean(0), values - values.mean(0)
    products = x @ y.T
    order = range(len(x))
    return np.array([products[order, some].sum() for some in permutations(order)]), float(np.trace(products))


def test_the_variance_is_that_of_all_permutations() -> None:
    random = np.random.default_rng(0)
    signals, values = random.normal(size=(2, 6, 5))
    text, position = np.divmod(np.arange(30), 5)
    chance = Permuted(text, position, np.ones(30), [values.ravel()]).chance(
        signals.reshape(1, -1).astype(np.float32)
    )
    every, observed = drawn(signals, values)
    assert every.mean() == pytest.approx(0, abs=1e-9)
    assert chance.within[0, 0] == pytest.approx(observed, abs=1e-4)
    assert chance.deviation[0, 0] == pytest.approx(every.std(), rel=1e-4)


def test_what_only_position_says_is_left_to_chance() -> None:
    """Every text counts up alike: a counter and a clock are the same."""
    texts = texts_of([20] * 50)
    clock = texts.position.astype(float)
    noise = np.random.default_rng(0).normal(size=len(clock))
    row = one(scored(texts, np.stack([clock + 0.01 * noise]), {"it": number(clock)})["it"], 0, "pearson")
    assert row["value"] > 0.999
    assert row["p_value"] == 1
    assert row["null_value"] == pytest.approx(row["value"], abs=1e-3)


def test_a_decoy_that_follows_position_is_unmasked_beside_what_follows_the_text() -> None:
    """A count of one character grows with position too: a clock has a high r, and nothing once that is out."""
    random = np.random.default_rng(1)
    texts = texts_of([40] * 120)
    marks = random.random(len(texts.text)) < 0.5
    count = np.concatenate([np.cumsum(part) for part in np.split(marks, texts.starts[1:-1])]).astype(float)
    signals = np.stack(
        [count + random.normal(size=len(count)), texts.position / 2 + random.normal(size=len(count))]
    )
    rows = scored(texts, signals, {"count": number(count)})["count"]
    counter, clock = one(rows, 0, "pearson"), one(rows, 1, "pearson")
    assert counter["p_value"] < 1e-9
    assert abs(counter["value"]) > abs(counter["null_value"]) + 0.05
    assert clock["value"] > 0.8
    assert clock["p_value"] > 0.01


def called(found: pa.Table) -> tuple[int, int]:
    """How many rows are called true at q < 0.05, and in how many families, by the view's own SQL."""
    with duckdb.connect() as connection:
        connection.register("found", found)
        (answer,) = connection.execute(
            "select count(*) filter (q_value < 0.05), count(distinct (run, measure)) filter (q_value < 0.05) "
            f"from ({corrected('select *, 0 as model, 0 as checkpoint from found')})"
        ).fetchall()
    rows, families = answer
    return rows, families


SIGNALS = ("walks", "heavy tails", "spikes", "constant per text")
HYPOTHESES: dict[str, Kind] = {
    "number": "number",
    "spans": "yes_no",
    "rare": "yes_no",
    "constant per text": "number",
    "partly silent": "number",
}


def signal(kind: str, random: np.random.Generator, texts: int, steps: int) -> np.ndarray:
    """Nothing but noise, (texts, steps), as networks have it: it leans on itself."""
    if kind == "walks":
        return np.cumsum(random.normal(size=(texts, steps)), 1)
    if kind == "heavy tails":
        return np.cumsum(random.standard_t(2, (texts, steps)), 1)
    if kind == "spikes":
        return (random.random((texts, steps)) < 0.02).astype(float)
    return np.repeat(random.normal(size=(texts, 1)), steps, 1) + 0.1 * random.normal(size=(texts, steps))


def hypothesis(kind: str, random: np.random.Generator, texts: int, steps: int) -> np.ndarray:
    """What has nothing to do with it."""
    if kind == "number":
        return np.cumsum(random.integers(-1, 2, (texts, steps)).astype(float), 1)
    if kind == "spans":
        begin = random.integers(0, steps, (texts, 1))
        return np.where(np.abs(np.arange(steps) - begin) < 4, 1.0, 0.0)
    if kind == "rare":
        values = np.zeros((texts, steps))
        values[random.integers(0, texts, 3), random.integers(0, steps, 3)] = 1
        return values
    if kind == "constant per text":
        return np.repeat(random.integers(0, 2, (texts, 1)).astype(float), steps, 1)
    silent = np.arange(steps) < random.integers(0, steps, (texts, 1))
    return np.where(silent, np.nan, np.cumsum(random.normal(size=(texts, steps)), 1))


@pytest.mark.parametrize("count", [10, 60])
def test_where_nothing_is_true_nothing_is_called_so(count: int) -> None:
    """100 runs of 8 neurons of 4 kinds against 5 hypotheses; each is three families, one a measure."""
    steps, runs = 24, 100
    texts = texts_of([steps] * count)
    tables = []
    for run in range(runs):
        random = np.random.default_rng(run)
        signals = np.stack([signal(kind, random, count, steps).ravel() for kind in SIGNALS for _ in range(2)])
        hypotheses = {
            name: asked(hypothesis(name, random, count, steps).ravel(), kind) for name, kind in HYPOTHESES.items()
        }
        rows = Scorer(texts, hypotheses).rows(0, {"cell_state": signals.astype(np.float32)})
        tables += [table.append_column("run", pa.repeat(run, len(table))) for table in rows.values()]
    measured = pc.field("measure").isin(["pearson", "spearman", "auc"]) & pc.field("p_value").is_valid()
    found = pa.concat_tables(tables).filter(measured).select(["run", "measure", "p_value"])
    true, families = called(found)
    assert true / len(found) < 0.001
    assert families / (3 * runs) <= 0.05
    little = pc.mean(pc.less(found["p_value"], 0.05)).as_py()
    assert 0 < little < 0.06, "p-values are not so large that nothing could ever be found"


def test_little_can_be_found_with_three_positive_steps() -> None:
    """One text holds them all, so any of 60 texts might have stood out."""
    texts = texts_of([24] * 60)
    rare = np.zeros(len(texts.text))
    rare[30:33] = 1
    row = one(scored(texts, rare[None], {"it": asked(rare, "yes_no")})["it"], 0, "auc")
    assert row["value"] == 1
    assert row["p_value"] == 1


def test_q_values_are_scipys() -> None:
    p = np.random.default_rng(0).random(200) ** 3
    p[10:14] = p[9]
    with duckdb.connect() as connection:
        connection.register("found", pa.table({"place": range(-1, 200), "p_value": [None, *p]}))
        scores = "select *, 0 as run, 0 as model, 0 as checkpoint, 'auc' as measure from found"
        rows = connection.execute(f"select q_value from ({corrected(scores)}) order by place").fetchall()
    assert rows[0] == (None,)
    assert [q for (q,) in rows[1:]] == pytest.approx(false_discovery_control(p))
