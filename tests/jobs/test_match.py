"""`unrolled match`, typed at a lake of small runs: seeds of two shapes, a wider cell, and one of few texts."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import pipeline
from jobs.__main__ import main
from jobs.commands import matches
from jobs.main_path import run_stages
from jobs.runners.local import LocalRunner
from pipeline.matching.match import SHARED_R
from tests.conftest import tiny_run

Row = dict[str, Any]
ONE, TWO, THREE = (f"lstm-1x5-seed{seed}" for seed in range(3))
# r of all neurons with all others over the first sequence of each text, asked of DuckDB.
CORR = """
with texts as (
  select run, sequence, string_agg(char, '' order by step) as text from steps where split = 'probe' group by all
), firsts as (select run, text, min(sequence) as sequence from texts group by all
), rows as (select a.*, text from activations a join firsts using (run, sequence))
select a.neuron, b.neuron as other_neuron, corr(a.{own}, b.{other}) as r, count(*) as steps,
  count(distinct text) as texts
from rows a join rows b using (text, step)
where a.run = $run and a.model = $model and a.checkpoint = $checkpoint and a.layer = $layer
  and b.run = $other_run and b.model = $other_model and b.checkpoint = $other_checkpoint and b.layer = $layer
group by all order by all
"""


class Lake(NamedTuple):
    root: str
    seeds: str  # lstm, one layer and two, three seeds of each: texts of one to four a's
    wide: str  # a GRU of seven neurons: texts of one to six
    short: str  # texts of one to three


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("match") / "lake"
    lstm = {"cell": ["lstm"], "layers": [1]}
    runs = [
        tiny_run(root, model={"cell": ["lstm"], "layers": [1, 2], "seeds": 3}),
        tiny_run(root, task={"name": "counting", "maximum": 6}, model={"cell": ["gru"], "hidden_size": [7]}),
        tiny_run(root, task={"name": "counting", "maximum": 3}, model=lstm),
    ]
    for run in runs:
        run_stages(run, LocalRunner(), ["generate", "train", "dump"])
    return Lake(str(root), *(run.id for run in runs))


class Typed:
    """Types `match` with some words."""

    def __init__(self, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
        self.lake, self.capsys = lake, capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        assert main(["match", *words, "--root", self.lake.root]) == code
        out, self.err = self.capsys.readouterr()
        return out

    def rows(self, *words: str) -> list[Row]:
        rows: list[Row] = json.loads(self(*words, "--json"))
        return rows


@pytest.fixture
def typed(lake: Lake, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(lake, capsys)


def assert_as_duckdb_says(lake: Lake, rows: list[Row]) -> None:
    """Every pair, its r, and how much was read; the assignment is scipy's of the absolute values."""
    first = rows[0]
    names = ("run", "model", "checkpoint", "layer", "other_run", "other_model", "other_checkpoint")
    query = CORR.format(own=first["signal"], other=first["other_signal"])
    table = pipeline.open(lake.root).fetch(query, {name: first[name] for name in names}).to_pylist()
    r = np.zeros((1 + table[-1]["neuron"], 1 + table[-1]["other_neuron"]))
    for row in table:
        r[row["neuron"], row["other_neuron"]] = row["r"]
    neurons, others = linear_sum_assignment(-np.abs(r))
    assert [(row["neuron"], row["other_neuron"]) for row in rows] == list(zip(neurons, others, strict=True))
    assert [row["r"] for row in rows] == pytest.approx(r[neurons, others], abs=1e-6)
    assert {(row["texts"], row["steps"]) for row in rows} == {(table[0]["texts"], table[0]["steps"])}
    assert all(row["shared"] == (abs(row["r"]) >= SHARED_R and abs(row["r"]) > row["chance"]) for row in rows)


@pytest.mark.parametrize(
    "words",
    [
        (ONE, TWO),
        (ONE, TWO, "--checkpoint", "0", "--other-checkpoint", "last"),
        (ONE, "--other-checkpoint", "0", "--signal", "forget_gate"),
        ("lstm-2x5-seed0", ONE, "--layer", "0"),
        ("lstm-2x5-seed0", "lstm-2x5-seed2", "--layer", "1", "--signal", "hidden_state"),
        (ONE, "gru-1x7-seed0", "--other-run", "{wide}"),
    ],
)
def test_pairs_are_those_of_duckdbs_correlations(typed: Typed, lake: Lake, words: tuple[str, ...]) -> None:
    rows = typed.rows(lake.seeds, *(word.format(wide=lake.wide) for word in words))
    assert len(rows) == 5
    assert rows[0]["texts"] == 4
    assert_as_duckdb_says(lake, rows)


def test_the_wider_network_leaves_neurons_without_a_partner(typed: Typed, lake: Lake) -> None:
    rows = typed.rows(lake.wide, "gru-1x7-seed0", ONE, "--other-run", lake.seeds)
    assert len({row["neuron"] for row in rows}) == len(rows) == 5
    assert (rows[0]["signal"], rows[0]["other_signal"]) == ("hidden_state", "cell_state")
    assert_as_duckdb_says(lake, rows)


def test_memory_bounds_change_nothing(typed: Typed, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four steps, and so texts in parts."""
    whole = typed.rows(lake.seeds, ONE, TWO)
    monkeypatch.setattr(matches, "VALUES", 40)
    parts = typed.rows(lake.seeds, ONE, TWO)
    assert [row["r"] for row in parts] == pytest.approx([row["r"] for row in whole], abs=1e-12)
    names = ("neuron", "other_neuron", "chance", "shared", "texts", "steps")
    assert [[row[n] for n in names] for row in parts] == [[row[n] for n in names] for row in whole]


def test_stability_is_over_the_other_seeds_of_the_same_shape(typed: Typed, lake: Lake) -> None:
    rows = typed.rows(lake.seeds, ONE)
    assert [row["neuron"] for row in rows] == list(range(5))
    pairs = {other: {row["neuron"]: row for row in typed.rows(lake.seeds, ONE, other)} for other in (TWO, THREE)}
    for row in rows:
        own = [pairs[other][row["neuron"]] for other in (TWO, THREE)]
        assert row["stability"] == pytest.approx(np.mean([abs(pair["r"]) for pair in own]))
        assert row["shared_by"] == sum(pair["shared"] for pair in own)
        assert [(p["model"], p["other_neuron"]) for p in row["partners"]] == [
            (pair["other_model"], pair["other_neuron"]) for pair in own
        ]
        assert row["others"] == 2


def test_all_seeds_of_each_shape_are_held_against_each_other(typed: Typed, lake: Lake) -> None:
    rows = typed.rows(lake.seeds)
    deep = [f"lstm-2x5-seed{seed}" for seed in range(3)]
    places = [(ONE, TWO, 0), (ONE, THREE, 0), (TWO, THREE, 0)]
    places += [(a, b, layer) for layer in (0, 1) for a, b in ((deep[0], deep[1]), (deep[0], deep[2]), deep[1:])]
    assert [(row["model"], row["other_model"], row["layer"]) for row in rows] == places
    pairs = typed.rows(lake.seeds, TWO, THREE)
    row = next(row for row in rows if (row["model"], row["other_model"]) == (TWO, THREE))
    assert (row["shared"], row["pairs"]) == (sum(pair["shared"] for pair in pairs), 5)
    assert row["mean_r"] == pytest.approx(np.mean([abs(pair["r"]) for pair in pairs]))
    assert row["shared_by_chance"] == pytest.approx(sum(pair["chance"] >= SHARED_R for pair in pairs) / 24)


def test_the_screen_tells_texts_threshold_and_what_was_left_out(typed: Typed, lake: Lake) -> None:
    out = typed(lake.seeds, "lstm-2x5-seed0", TWO, "--limit", "2")
    lines = out.splitlines()
    assert lines[0] == f"{lake.seeds}: lstm-2x5-seed0 at 12 (neuron) and {TWO} at 12 (other), cell_state"
    assert lines[2].split() == ["neuron", "other", "r", "chance", "shared"]
    assert "… the first 2 of 5; --limit 5 shows them all" in lines
    steps = sum(2 * n + 2 for n in range(1, 5))  # a^n X b^n and the line end
    assert f"Over 4 distinct texts, {steps} steps. shared: |r| >= 0.7, and above chance" in out
    assert "23 pairings" in out
    assert "L1 of lstm-2x5-seed0 at 12 has no counterpart and is left out" in typed.err

    out = typed(lake.seeds, ONE)
    assert f"how stable are the neurons of {ONE} at 12, cell_state?" in out
    assert f"partners: of {TWO}, {THREE}; in brackets what is not shared" in out
    assert "how many neurons do the seeds of lstm-2x5 share, by their cell_state?" in typed(lake.seeds)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{seeds}", "lstm-1x5-seed9"], "unknown model of {seeds} 'lstm-1x5-seed9': did you mean 'lstm-1x5-seed"),
        (
            ["{seeds}", ONE, "lstm-1x5-sed1"],
            "unknown model of {seeds} 'lstm-1x5-sed1': did you mean 'lstm-1x5-seed1'",
        ),
        (["{seeds}", ONE, TWO, "--checkpoint", "7"], "unknown checkpoint of {seeds} lstm-1x5-seed0 7: known: 0, "),
        (["{seeds}", ONE, TWO, "--layer", "1"], "has no neuron L1/N0"),
        (
            ["{seeds}", "lstm-2x5-seed0", TWO, "--layer", "1"],
            "lstm-1x5-seed1 has no neuron L1/N0: its last is L0/N4",
        ),
        (["{seeds}", ONE, TWO, "--signal", "cel_state"], "'cel_state': did you mean 'cell_state'?"),
        (
            ["{seeds}", ONE, "gru-1x7-seed0", "--other-run", "{wide}", "--signal", "cell_state"],
            "unknown signal of gru",
        ),
        (["{seeds}", ONE, "--other-run", "{wide}"], "unknown model of {wide} 'lstm-1x5-seed0'"),
        (
            ["{seeds}", ONE, "--other-run", "{short}"],
            "at least 4 distinct texts that all have read, and there are 3",
        ),
        (["{seeds}", ONE, ONE], "both sides are lstm-1x5-seed0 at 12: name another"),
        (["{seeds}", "--other-checkpoint", "0"], "name the MODEL of the first too"),
        (
            ["{wide}"],
            "has no two seeds of one shape: name two models, `unrolled match {wide} MODEL OTHER_MODEL --root",
        ),
        (["{wide}", "gru-1x7-seed0"], "has no other seed of gru-1x7-seed0"),
        (["nowhere", ONE], "unknown run 'nowhere'"),
    ],
)
def test_what_cannot_be_matched_is_told_in_one_line(typed: Typed, lake: Lake, words: list[str], told: str) -> None:
    names = lake._asdict()
    assert typed(*(word.format(**names) for word in words), code=2) == ""
    (line,) = typed.err.splitlines()
    assert told.format(**names) in line
