"""The claims on neurons that are built by hand, and on random values against numpy and scipy."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import linregress, mannwhitneyu

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.annotation.tasks import count_ignoring_x, remaining_b
from pipeline.queries.lake import Lake
from pipeline.queries.question import CLAIMED, claims, find_question
from pipeline.queries.statement import read_statement
from schemas.errors import UsageError
from schemas.parse import TASK_SETTINGS
from schemas.tables import TABLES
from tests.conftest import REPOSITORY, tiny_run

COUNTING = ["a" * n + "X" + "b" * n + "\n" for n in range(1, 5)]
SELECTIVE = ["aXaYbb\n", "XaXaaYbbb\n", "aYb\n", "aaaaXXYbbbb\n"]
STATE = [f"{letter}{'x' * n}Y{letter.lower()}\n" for letter in "AB" for n in range(1, 5)]
COPYING = [f"{''.join(letters)}X{''.join(letters)}\n" for letters in product("abc", repeat=3)]

Row = dict[str, Any]


class Gates(NamedTuple):
    """A step of a neuron: open all, and nothing to write."""

    input: float = 1
    forget: float = 1
    output: float = 1
    candidate: float = 0


Neuron = Callable[[str, int, float], Gates]  # of the text, the step, and the cell state before


def counter(at_x: Callable[[float], Gates]) -> Neuron:
    """A fifth up at each a and down at each b, and what it does at an X."""

    def step_of(text: str, step: int, before: float) -> Gates:
        if text[step] == "X":
            return at_x(before)
        return Gates(candidate={"a": 0.2, "b": -0.2}.get(text[step], 0))

    return step_of


closing = counter(lambda _: Gates(input=0, candidate=1))
balanced = counter(lambda before: Gates(forget=0.5, candidate=0.5 * before))
counts_x_too = counter(lambda _: Gates(candidate=0.2))


def clock(text: str, step: int, before: float) -> Gates:
    return Gates(candidate=0.2)


def dead(text: str, step: int, before: float) -> Gates:
    return Gates()


def flash(text: str, step: int, before: float) -> Gates:
    return Gates(forget=0, candidate=float(text[step] == ("Y" if "Y" in text else "X")))


def remembering(a: float, b: float, held: Gates, shown: Gates, answer: Gates) -> Neuron:
    """Written at the letter, then held over the x's, shown at the Y, and done with at the answer."""

    def step_of(text: str, step: int, before: float) -> Gates:
        letter = Gates(forget=0, candidate=a if text[0] == "A" else b)
        return {0: letter, len(text) - 3: shown, len(text) - 2: answer}.get(step, held)

    return step_of


latch = remembering(1, -1, Gates(input=0, output=0), Gates(input=0), Gates(forget=0))
fading = remembering(1, -1, Gates(forget=0.9), Gates(forget=0.9), Gates(forget=0.9))
never_open = remembering(1, -1, Gates(forget=0.9), Gates(forget=0.9), Gates(forget=0))
for_a = remembering(1, 0.1, Gates(), Gates(), Gates())
for_b = remembering(0.1, -1, Gates(), Gates(), Gates())


def follows_next(text: str, step: int, before: float) -> Gates:
    return Gates(forget=0, candidate="abc".index(text[step + 1]) - 1 if 3 <= step < 6 else 0)


def slot(place: int) -> Neuron:
    """The letter in a slot, from when it is read until its copy comes."""

    def step_of(text: str, step: int, before: float) -> Gates:
        return Gates(forget=0, candidate="abc".index(text[place]) - 1 if place <= step < 4 + place else 0)

    return step_of


def rows_of(texts: Sequence[str], neurons: Sequence[Neuron]) -> Iterator[Row]:
    for neuron, (sequence, text) in product(range(len(neurons)), enumerate(texts)):
        state = 0.0
        for step in range(len(text)):
            i, f, o, g = neurons[neuron](text, step, state)
            state = f * state + i * g
            gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g}
            place = {"run": "r", "model": "m", "checkpoint": 9, "layer": 0, "neuron": neuron}
            states = {"cell_state": state, "hidden_state": o * math.tanh(state)}
            yield {**place, "sequence": sequence, "step": step, **gates, **states}


def answer(claim: str, texts: Sequence[str], rows: Sequence[Row], **given: object) -> list[Row]:
    """What a claim's SQL says of these rows."""
    question = find_question(f"claims/{claim}")
    steps = [
        {"run": "r", "split": "probe", "sequence": sequence, "step": step, "char": char}
        for sequence, text in enumerate(texts)
        for step, char in enumerate(text)
    ]
    with duckdb.connect() as plain:
        for name, of in {"activations": rows, "steps": steps}.items():
            schema = pa.schema([(column.name, column.type) for column in TABLES[name].columns])
            plain.register(name, pa.Table.from_pylist(list(of), schema))
        values = question.complete({"run": "r", **given})
        found: list[Row] = plain.execute(question.sql, values).to_arrow_table().to_pylist()
        return found


SHOWN = math.tanh(1)
CASES: list[tuple[str, list[str], list[Neuron], bool, str, dict[str, float]]] = [
    ("counts", COUNTING, [clock, closing], True, "L0/N1", {"r2_a": 1, "r2_b": 1, "slope_a": 0.2, "slope_b": -0.2}),
    ("counts", SELECTIVE, [balanced], True, "L0/N0", {"r2_a": 1, "r2_b": 1}),
    ("counts", COUNTING, [clock], False, "L0/N0", {"r2_a": 1}),
    ("counts", COUNTING, [dead], False, "L0/N0", {"r2_a": 0, "r2_b": 0}),
    ("counts_linearly", COUNTING, [dead, closing], True, "L0/N1", {"cell_r2_a": 1, "cell_r2_b": 1}),
    ("counts_linearly", COUNTING, [dead], False, "L0/N0", {"cell_r2_a": 0, "hidden_r2_b": 0}),
    ("fires_at_separator", SELECTIVE, [closing, flash], True, "L0/N1", {"at_separator": SHOWN, "elsewhere": 0}),
    ("fires_at_separator", COUNTING, [clock], False, "L0/N0", {}),
    ("count_at_separator", COUNTING, [flash, closing], True, "L0/N1", {"r2": 1, "counts": 4}),
    ("count_at_separator", COUNTING, [flash], False, "L0/N0", {"r2": 0, "hidden_elsewhere": 0}),
    ("ignores_x", SELECTIVE, [dead, closing], True, "L0/N1", {"change_at_x_of_a": 0, "change_at_a": 0.2}),
    ("ignores_x", SELECTIVE, [balanced], True, "L0/N0", {"change_at_x_of_a": 0}),
    ("ignores_x", ["aaXYbb\n"], [counts_x_too], False, "L0/N0", {"change_at_x_of_a": 1}),
    ("ignores_x", ["aaYbb\n"], [closing], False, "L0/N0", {}),
    ("input_gate_closes_on_x", SELECTIVE, [closing], True, "L0/N0", {"gate_at_x": 0, "candidate_at_x": 1}),
    ("input_gate_closes_on_x", SELECTIVE, [balanced], False, "L0/N0", {"gate_at_x": 1}),
    ("input_gate_lower_on_x", SELECTIVE, [closing], True, "L0/N0", {"gate_at_x_of_a": 0, "gate_at_a": 1}),
    ("input_gate_lower_on_x", SELECTIVE, [balanced], False, "L0/N0", {"gate_at_x_of_a": 1}),
    ("balance_on_x", ["aaXYbb\n"], [balanced], True, "L0/N0", {"written_at_x_of_a": 1, "forgotten_at_x_of_a": 1}),
    (
        "balance_on_x",
        ["aaXYbb\n"],
        [counts_x_too],
        False,
        "L0/N0",
        {"written_at_x_of_a": 1, "forgotten_at_x_of_a": 0},
    ),
    ("balance_on_x", SELECTIVE, [closing], False, "L0/N0", {"written_at_x_of_a": 0, "change_at_x_of_a": 0}),
    ("tells_a_from_b", STATE, [dead, latch], True, "L0/N1", {"auc": 1, "r2": 1}),
    ("tells_a_from_b", STATE, [dead], False, "L0/N0", {"auc": 0.5, "r2": 0}),
    ("a_and_b_neurons", STATE, [latch, for_b, for_a], True, "L0/N2, L0/N1", {"b_neuron_after_a": 0.1}),
    ("a_and_b_neurons", STATE, [latch, for_b], False, "L0/N0, L0/N1", {"a_neuron_after_b": 1}),
    ("forget_gate_holds", STATE, [dead, for_a], True, "L0/N1", {"forget_gate": 1, "least_forget_gate": 1}),
    ("forget_gate_holds", STATE, [fading], False, "L0/N0", {"forget_gate": 0.9}),
    ("input_gate_ignores_fillers", STATE, [latch], True, "L0/N0", {"gate_at_x": 0, "gate_at_letter": 1}),
    ("input_gate_ignores_fillers", STATE, [fading], False, "L0/N0", {"gate_at_x": 1}),
    ("forget_gate_drops", STATE, [latch], True, "L0/N0", {"gate_at_answer": 0, "gate_while_holding": 1}),
    ("forget_gate_drops", STATE, [fading], False, "L0/N0", {"gate_at_answer": 0.9}),
    ("forget_gate_drops", STATE, [never_open], False, "L0/N0", {"gate_at_answer": 0, "gate_while_holding": 0.9}),
    ("hidden_until_needed", STATE, [latch], True, "L0/N0", {"hidden_at_x": 0, "hidden_at_separator": SHOWN}),
    ("hidden_until_needed", STATE, [fading], False, "L0/N0", {"output_gate_at_x": 1}),
    ("next_character", COPYING, [slot(0), follows_next], False, "L0/N1", {"eta2_next": 1, "eta2_slot": 1}),
    ("next_character", COPYING, [dead, follows_next], True, "L0/N1", {"neurons_that_follow_next": 0.5}),
    ("a_neuron_a_slot", COPYING, [slot(2), slot(0), slot(1)], True, "L0/N1, L0/N2, L0/N0", {"auc_slot_3": 1}),
    ("a_neuron_a_slot", COPYING, [slot(0)], False, "L0/N0, L0/N0, L0/N0", {"auc_slot_1": 1, "auc_slot_2": 0.5}),
]


@pytest.mark.parametrize(("claim", "texts", "neurons", "held", "neuron", "figures"), CASES)
def test_a_claim_knows_the_neurons_it_is_about(
    claim: str, texts: list[str], neurons: list[Neuron], held: bool, neuron: str, figures: dict[str, float]
) -> None:
    (row,) = answer(claim, texts, list(rows_of(texts, neurons)))
    assert (row["held"], row["neuron"]) == (held, neuron), row
    assert {name: row[name] for name in figures} == pytest.approx(figures, abs=1e-6)


def test_every_claim_is_tried_on_what_holds_and_on_what_does_not() -> None:
    tried = {(f"claims/{claim}", held) for claim, _, _, held, *_ in CASES}
    assert tried == set(product(claims(), (True, False)))


def test_every_file_is_a_claim() -> None:
    folder = REPOSITORY / "pipeline" / "queries" / "claims"
    assert {f"claims/{path.stem}" for path in folder.glob("*.sql")} == set(claims())


@pytest.mark.parametrize("claim", ["counts", "ignores_x"])
def test_a_text_that_comes_again_counts_once(claim: str) -> None:
    once = SELECTIVE[:3]
    often = [*once, *[once[1]] * 5]
    neurons = [counts_x_too, clock]
    assert answer(claim, often, list(rows_of(often, neurons))) == answer(claim, once, list(rows_of(once, neurons)))


@pytest.mark.parametrize(("name", "claim"), claims().items())
def test_a_claim_says_what_it_needs(name: str, claim: Any) -> None:
    assert claim.claim.endswith(".")
    assert claim.question.endswith("?")
    assert set(claim.tasks) <= set(TASK_SETTINGS)
    assert claim.tasks
    assert set(read_statement(duckdb.connect(), claim.sql).tables) == set(claim.tables)
    for parameter in claim.parameters:
        assert f"${parameter.name}" in claim.sql, "a parameter that is not used"
        assert parameter.kind != "number" or f"`{parameter.name}`" in claim.question
    assert all(0 < threshold < 1 for threshold in claim.thresholds.values())


class Random:
    """Values with many ties: three neurons of two models, at two checkpoints."""

    def __init__(self, texts: Sequence[str]) -> None:
        random = np.random.default_rng(7)
        self.texts, self.steps = texts, sum(map(len, texts))
        self.values = random.integers(-3, 4, (2, 2, 3, self.steps)) / 2

    def rows(self) -> list[Row]:
        places = [(sequence, step) for sequence, text in enumerate(self.texts) for step in range(len(text))]
        return [
            {"run": "r", "model": f"m{m}", "checkpoint": c, "layer": 0, "neuron": n, "sequence": s, "step": t}
            | dict.fromkeys(("cell_state", "hidden_state"), self.values[m, c, n, place])
            for m, c, n in product(range(2), range(2), range(3))
            for place, (s, t) in enumerate(places)
        ]

    def where(self, says: Callable[[str], Sequence[Any]]) -> np.ndarray:
        """A value for each step, as objects: None where there is none."""
        return np.array([value for text in self.texts for value in says(text)], dtype=object)


def r2(values: np.ndarray, says: np.ndarray) -> float:
    there = says != None  # noqa: E711  # element by element
    return float(linregress(says[there].astype(float), values[there]).rvalue ** 2)


def eta2(values: np.ndarray, says: np.ndarray) -> float:
    """From the groups' own means, where the SQL has sums of squares."""
    there = says != None  # noqa: E711
    kept, names = values[there], says[there]
    means = np.array([kept[names == name].mean() for name in names])
    return float(((means - kept.mean()) ** 2).sum() / ((kept - kept.mean()) ** 2).sum())


def auc(values: np.ndarray, yes: np.ndarray, there: np.ndarray) -> float:
    area = mannwhitneyu(values[there & yes], values[there & ~yes]).statistic
    share = area / ((there & yes).sum() * (there & ~yes).sum())
    return float(max(share, 1 - share))


def slot_of(place: int) -> Callable[[str], list[str | None]]:
    return lambda text: [text[place] if place <= step < 4 + place else None for step in range(len(text))]


@pytest.mark.parametrize("checkpoint", [0, None])
def test_figures_are_those_of_numpy_and_scipy(checkpoint: int | None) -> None:
    at = 1 if checkpoint is None else checkpoint

    made = Random(SELECTIVE)
    says = [made.where(count_ignoring_x), made.where(remaining_b)]
    for m, row in enumerate(answer("counts", SELECTIVE, made.rows(), checkpoint=checkpoint)):
        pairs = [[r2(made.values[m, at, n], one) for one in says] for n in range(3)]
        best = max(range(3), key=lambda n: min(pairs[n]))
        assert (row["neuron"], row["checkpoint"]) == (f"L0/N{best}", at)
        assert [row["r2_a"], row["r2_b"]] == pytest.approx(pairs[best], abs=1e-8)

    made = Random(STATE)
    there = made.where(lambda text: [step < len(text) - 2 for step in range(len(text))]).astype(bool)
    is_a = made.where(lambda text: [text[0] == "A"] * len(text)).astype(bool)
    for m, row in enumerate(answer("tells_a_from_b", STATE, made.rows(), checkpoint=checkpoint)):
        assert row["auc"] == pytest.approx(max(auc(made.values[m, at, n], is_a, there) for n in range(3)))

    made = Random(COPYING)
    follows = made.where(lambda text: [text[t + 1] if 3 <= t < 6 else None for t in range(len(text))])
    slots = [made.where(slot_of(place)) for place in range(3)]
    nexts = answer("next_character", COPYING, made.rows(), checkpoint=checkpoint)
    holding = answer("a_neuron_a_slot", COPYING, made.rows(), checkpoint=checkpoint)
    for m, (row, held) in enumerate(zip(nexts, holding, strict=True)):
        values = made.values[m, at]
        assert row["eta2_next"] == pytest.approx(max(eta2(values[n], follows) for n in range(3)))
        assert row["eta2_slot"] == pytest.approx(max(eta2(values[n], one) for n in range(3) for one in slots))
        for place, one in enumerate(slots):
            areas = [auc(values[n], one == letter, one != None) for n in range(3) for letter in "abc"]  # noqa: E711
            assert held[f"auc_slot_{place + 1}"] == pytest.approx(max(areas))


@pytest.fixture(scope="module")
def lake(tiny_lake: Run) -> Lake:
    return pipeline.open(tiny_lake.root)


def test_a_lake_answers_the_claims_about_its_runs_task(lake: Lake) -> None:
    found = lake.claims("tiny")
    assert list(found) == [
        f"claims/{name}" for name in ("counts", "counts_linearly", "fires_at_separator", "count_at_separator")
    ]
    for name, table in found.items():
        assert table.column_names[:4] == list(CLAIMED)
        models = [f"{cell}-{layers}x5-seed0" for cell in ("lstm", "peephole_lstm") for layers in (1, 2)]
        assert table["model"].to_pylist() == models, "networks with a cell state"
        assert set(table["checkpoint"].to_pylist()) == {12}
        assert table.equals(lake.run("tiny", "last").claims()[name])
        assert table.equals(lake.ask(name, run="tiny", checkpoint="last"))
        assert set(lake.claims("tiny", 0)[name]["checkpoint"].to_pylist()) == {0}


def test_the_command_prints_each_claim_and_gives_json(tiny_lake: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "tiny", "--root", tiny_lake.root]) == 0
    printed = capsys.readouterr().out
    for name in pipeline.open(tiny_lake.root).claims("tiny"):
        assert f"{find_question(name).claim} Held in " in printed
        assert f"{name}, " in printed or f"{name}: " in printed

    assert main(["claims", "tiny", "--root", tiny_lake.root, "--json", "--checkpoint", "0"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4 * 4
    (row,) = [row for row in rows if (row["claim"], row["model"]) == ("claims/counts", "lstm-1x5-seed0")]
    assert row["checkpoint"] == 0
    assert row["sentence"] == "A hidden neuron counts the a's, and then the b's that are left."
    assert row["figures"].keys() == {"r2_a", "r2_b", "slope_a", "slope_b"}
    assert row["held"] == (min(row["figures"]["r2_a"], row["figures"]["r2_b"]) >= 0.99)

    assert main(["sql", "-f", "claims/counts", "--set", "run=tiny", "--root", tiny_lake.root]) == 0
    assert "slope_a" in capsys.readouterr().out


def test_what_no_claim_is_about_is_told(lake: Lake, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="unknown question 'claims/count': did you mean 'claims/counts'"):
        lake.ask("claims/count", run="tiny")
    with pytest.raises(UsageError, match=r"unknown checkpoint of tiny.* 7: known: 0, "):
        lake.claims("tiny", 7)
    from jobs.main_path import run_stages
    from jobs.runners.local import LocalRunner

    run = tiny_run(tmp_path / "lake", task={"name": "synthetic_tweets"}, score={"hypotheses": [], "headline": []})
    run_stages(run, LocalRunner(), ["generate"])
    assert main(["claims", "tiny", "--root", run.root]) == 2
    told = f"no claim is about the task of {run.id}, synthetic_tweets: they are about copying, counting, "
    assert told in capsys.readouterr().err
