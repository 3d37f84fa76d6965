"""What shipped questions say of a neuron, character by character, against the stored rows in numpy."""

from typing import Any

import numpy as np
import pytest

import pipeline
from jobs.run.context import Run
from pipeline.queries.lake import Lake

LSTM = {"model": "lstm-2x5-seed0", "layer": 1, "neuron": 3}
GRU = {"model": "gru-1x5-seed0", "layer": 0, "neuron": 2}


@pytest.fixture(scope="module")
def lake(tiny_lake: Run) -> Lake:
    return pipeline.open(tiny_lake.root)


def stored(lake: Lake, place: dict[str, Any]) -> dict[str, np.ndarray]:
    """A neuron's values at the last checkpoint, step after step, with what was read and the state before."""
    answer = lake.run("tiny", "last").fetch(
        "select sequence, step, char, a.* exclude (run, model, sequence, step) from activations as a "
        "join steps as s using (run, sequence, step) where s.split = 'probe' and model = $model "
        "and layer = $layer and neuron = $neuron order by sequence, step",
        place,
    )
    rows = {name: np.array(answer[name].to_pylist()) for name in answer.column_names}
    state = rows["hidden_state"] if rows["cell_state"][0] is None else rows["cell_state"]
    rows["before"] = np.where(rows["step"] == 0, 0, np.concatenate([[0], state[:-1]])).astype(float)
    rows["state"] = state.astype(float)
    return rows


def test_gates_by_character_tell_the_candidate_too(lake: Lake) -> None:
    rows = stored(lake, LSTM)
    for row in lake.ask("mean_gate_by_char", run="tiny", **LSTM).to_pylist():
        here = rows["char"] == row["char"]
        assert row["steps"] == here.sum()
        for signal in ("input_gate", "forget_gate", "output_gate", "candidate"):
            assert row[signal] == pytest.approx(rows[signal][here].astype(float).mean(), abs=1e-6)
    assert lake.ask("mean_gate_by_char", run="tiny", **GRU)["candidate"].null_count == 0


def test_what_is_kept_and_what_is_written_make_the_cell_state(lake: Lake) -> None:
    rows = stored(lake, LSTM)
    answer = lake.ask("kept_and_written_by_char", run="tiny", **LSTM).to_pylist()
    assert {row["char"] for row in answer} == set("aXb\n")
    for row in answer:
        here = rows["char"] == row["char"]
        kept = rows["state"] - rows["input_gate"] * rows["candidate"]  # by the other way round
        assert row["kept"] == pytest.approx(kept[here].astype(float).mean(), abs=1e-6)
        assert row["before"] + row["change"] == pytest.approx(rows["state"][here].mean(), abs=1e-6)
        assert row["kept"] + row["written"] == pytest.approx(row["before"] + row["change"], abs=1e-6)
    assert len(lake.ask("kept_and_written_by_char", run="tiny", **GRU)) == 0

    trace = lake.ask("neuron_trace", run="tiny", **LSTM, sequence=int(rows["sequence"][-1]))
    last = rows["sequence"] == rows["sequence"][-1]
    sums = np.add(trace["kept"].to_numpy(), trace["written"].to_numpy())
    assert sums == pytest.approx(rows["state"][last], abs=1e-6)
    assert trace["kept"][0].as_py() == 0
    assert set(lake.ask("neuron_trace", run="tiny", **GRU)["kept"].to_pylist()) == {None}


@pytest.mark.parametrize("place", [LSTM, GRU])
def test_slopes_are_mean_and_spread_of_the_changes(lake: Lake, place: dict[str, Any]) -> None:
    rows = stored(lake, place)
    changes = rows["state"] - rows["before"]
    answer = lake.ask("slope_by_char", run="tiny", **place).to_pylist()
    assert sum(row["steps"] for row in answer) == len(changes)
    for row in answer:
        here = changes[rows["char"] == row["char"]]
        found = [row["slope"], row["spread"], row["least"], row["greatest"]]
        assert found == pytest.approx([here.mean(), here.std(ddof=1), here.min(), here.max()], abs=1e-6)


def test_gates_by_the_value_of_a_hypothesis(lake: Lake) -> None:
    """`count_a` says of an a how many there were: its place in the sequence, from 1."""
    rows = stored(lake, LSTM)
    answer = lake.ask("gates_by_value", run="tiny", **LSTM, hypothesis="count_a").to_pylist()
    assert [row["hypothesis_value"] for row in answer] == [1, 2, 3, 4]
    for row in answer:
        here = (rows["char"] == "a") & (rows["step"] == row["hypothesis_value"] - 1)
        assert row["steps"] == here.sum()
        for signal in ("input_gate", "forget_gate", "output_gate", "candidate"):
            assert row[signal] == pytest.approx(rows[signal][here].astype(float).mean(), abs=1e-6)
        assert row["reset_gate"] is None


def test_a_word_is_accepted_when_no_determined_character_is_too_improbable(lake: Lake) -> None:
    """From the losses, exp(-loss) being a target's probability, over a^n X b^n, whose ends the n tells."""
    losses = lake.run("tiny", "last").fetch(
        "select sequence, string_agg(char, '' order by step) as word, list(exp(-loss) order by step) as told "
        "from predictions join steps using (run, sequence, step) "
        "where split = 'probe' and model = 'lstm-2x5-seed0' group by sequence"
    )
    least: dict[str, float] = {}
    for row in losses.to_pylist():
        determined = row["told"][len(row["word"]) // 2 - 1 : -1]  # from the X to the last b
        least[row["word"]] = min([least.get(row["word"], 1), *determined])

    middle = float(np.median(list(least.values())))
    answer = lake.ask("accepted_words", run="tiny", model="lstm-2x5-seed0", least=middle).to_pylist()
    assert {row["word"]: row["least_probability"] for row in answer} == pytest.approx(least, abs=1e-6)
    assert {row["accepted"] for row in answer} == {True, False}
    for row in answer:
        n = len(row["word"]) // 2 - 1
        assert row["accepted"] == (row["least_probability"] >= middle)
        assert row["determined"] == n + 1
        assert n <= row["weakest_step"] <= 2 * n
    assert sum(row["sequences"] for row in answer) == 40
