"""`unrolled roles` over a lake."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import pipeline
from jobs.__main__ import main
from jobs.commands import probe_signals
from jobs.dump_module import dump_module
from jobs.run.context import Run
from schemas.signals import CELL_SIGNALS
from tests.conftest import do_all, tiny_run
from tests.handmade import Handmade, counting

Capture = pytest.CaptureFixture[str]
MODEL = "lstm-1x7-imported"


def dumped(network: Handmade, texts: Iterable[str], root: Path) -> str:
    batches = [[network.tokens(text).tolist()] for text in texts]
    dump_module(network.model, batches, vocabulary=list(network.vocabulary), root=str(root), name="handmade")
    return str(root)


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of the counting network that was made by hand; the first five of its texts come three times."""
    network = counting()
    root = tmp_path_factory.mktemp("handmade") / "lake"
    return dumped(network, [*network.texts[:5], *network.texts, *network.texts[:5]], root)


def roles(capsys: Capture, root: str, *words: str, code: int = 0) -> str:
    assert main(["roles", *words, "--root", root]) == code
    out, err = capsys.readouterr()
    return str(err if code else out)


def test_known_neurons_come_back_from_a_lake(handmade: str, capsys: Capture) -> None:
    texts = counting().texts
    rows = json.loads(roles(capsys, handmade, "handmade", MODEL, "--json"))
    told = {row["neuron"]: row["role"] for row in rows}
    # A tokens task knows of no determined step, so nothing is said of the next character.
    expected = ["counter", "latch", "clock", "dead", "saturated", "switch", None]
    assert told == dict(enumerate(expected))
    assert {row["texts"] for row in rows} == {len(texts)}, "each text once"
    assert {(row["model"], row["checkpoint"], row["layer"]) for row in rows} == {(MODEL, 0, 0)}
    counter = rows[0]
    assert (counter["slopes"], counter["blind"], counter["linearity"]) == ({"a": 1, "b": -1}, {"X": 0}, 1)
    assert counter["observed_failing"] is None


def test_a_person_reads_a_table_and_what_it_stands_on(handmade: str, capsys: Capture) -> None:
    out = roles(capsys, handmade, "handmade", MODEL)
    texts = counting().texts
    title = f"{MODEL}, checkpoint 0: from {len(texts)} distinct texts of {len(texts) + 10} sequences, "
    assert out.startswith(f"{title}{sum(map(len, texts)):,} steps\n")
    lines = out.splitlines()
    assert lines[2].split() == ["neuron", "role", "signal", "evidence"]
    assert [line.split()[0] for line in lines if line.startswith("L0/")] == [f"L0/N{n}" for n in range(6)]
    assert lines[-1] == "no role: L0/N6; --all says what comes nearest"
    everything = roles(capsys, handmade, "handmade", MODEL, "--all")
    assert "L0/N6   -" in everything
    assert "no role" not in everything


def test_few_neurons_and_few_texts_at_a_time_come_to_the_same(
    handmade: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups of neurons of another size; and the first texts alone, where there are more than are read."""
    whole = json.loads(roles(capsys, handmade, "handmade", MODEL, "--json"))
    monkeypatch.setattr(probe_signals, "GROUP_NEURONS", 3)
    assert json.loads(roles(capsys, handmade, "handmade", MODEL, "--json")) == whole
    monkeypatch.setattr(probe_signals, "MOST_STEPS", sum(map(len, counting().texts[:6])))
    assert {row["texts"] for row in json.loads(roles(capsys, handmade, "handmade", MODEL, "--json"))} == {6}
    assert "from the first 6 distinct texts" in roles(capsys, handmade, "handmade", MODEL)
    monkeypatch.setattr(probe_signals, "MOST_TEXTS", 5)
    assert "from the first 5 distinct texts of 15 sequences" in roles(capsys, handmade, "handmade", MODEL)


def test_texts_that_begin_alike_are_one(handmade: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_signals, "MOST_LENGTH", 5)
    begun = {text[:5] for text in counting().texts}
    rows = json.loads(roles(capsys, handmade, "handmade", MODEL, "--json"))
    assert {row["texts"] for row in rows} == {len(begun)}


def test_signals_lie_where_the_texts_do(handmade: str) -> None:
    lake, network = pipeline.open(handmade), counting()
    probe = probe_signals.read_probe(lake, lake.find_run("handmade"), MODEL, None)
    ((layer, first, signals),) = probe_signals.read_signals(lake, probe)
    read = ["".join(probe.texts.alphabet[code] for code in codes) for codes in _split(probe)]
    assert sorted(read) == sorted(network.texts)
    expected = network.signals(tuple(read))
    assert (layer, first, set(signals)) == (0, 0, {*CELL_SIGNALS["lstm"]} - {"output_gate", "candidate"})
    for name, values in signals.items():
        torch.testing.assert_close(torch.tensor(values), torch.tensor(expected[name]), rtol=1e-6, atol=1e-6)


def _split(probe: probe_signals.Probe) -> list[list[int]]:
    offsets = probe.texts.offsets.tolist()
    codes = probe.texts.codes.tolist()
    return [codes[start:stop] for start, stop in pairwise(offsets)]


def test_distinct_texts_are_those_of_the_probe_split(tiny_lake: Run) -> None:
    """Against the steps themselves, put together in Python."""
    lake = pipeline.open(tiny_lake.root)
    steps = lake.fetch(
        "select sequence, char from steps where split = 'probe' order by sequence, step"
    ).to_pylist()
    texts: dict[int, str] = {}
    for step in steps:
        texts[step["sequence"]] = texts.get(step["sequence"], "") + step["char"]
    expected = [
        (text, min(n for n, other in texts.items() if other == text), list(texts.values()).count(text))
        for text in sorted(set(texts.values()), key=list(texts.values()).index)
    ]
    asked = {"run": "tiny", "model": "lstm-1x5-seed0"}
    rows = lake.ask("distinct_texts", **asked).to_pylist()
    assert [(row["text"], row["sequence"], row["sequences"]) for row in rows] == expected
    assert {row["checkpoint"] for row in rows} == {12}
    for row in rows:
        after = row["text"].index("X")
        assert row["determined"] == [after <= step < len(row["text"]) - 1 for step in range(len(row["text"]))]
    assert [row["text"] for row in lake.ask("distinct_texts", **asked, limit=2).to_pylist()] == [
        text for text, *_ in expected[:2]
    ]


@pytest.mark.parametrize("cell", CELL_SIGNALS)
@pytest.mark.parametrize("checkpoint", ["0", "last"])
def test_every_cell_and_checkpoint_has_its_neurons(
    tiny_lake: Run, capsys: Capture, cell: str, checkpoint: str
) -> None:
    words = ("tiny", f"{cell}-2x5-seed0", "--checkpoint", checkpoint, "--json")
    rows = json.loads(roles(capsys, tiny_lake.root, *words))
    places = sorted({(row["layer"], row["neuron"]) for row in rows})
    assert places == [(layer, neuron) for layer in range(2) for neuron in range(5)]
    assert [(row["layer"], row["neuron"]) for row in rows] == sorted((row["layer"], row["neuron"]) for row in rows)
    assert {row["checkpoint"] for row in rows} == {0 if checkpoint == "0" else 12}
    assert {row["texts"] for row in rows} == {4}, "n in 1..4"
    assert all(row["evidence"] for row in rows)
    assert {row["signal"] for row in rows} <= {"cell_state", "hidden_state"} & {*CELL_SIGNALS[cell]}


BAD = [
    (["tinny", "lstm-1x5-seed0"], "unknown run 'tinny': did you mean 'tiny'"),
    (["tiny", "lstm-1x6-seed0"], "'lstm-1x6-seed0': did you mean 'lstm-1x5-seed0'"),
    (["tiny", "lstm-1x5-seed0", "--checkpoint", "13"], "lstm-1x5-seed0 13: known: 0, 12"),
]


@pytest.mark.parametrize(("words", "told"), BAD)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_not_there_is_told(
    tiny_lake: Run, capsys: Capture, words: list[str], told: str, form: list[str]
) -> None:
    err = roles(capsys, tiny_lake.root, *words, *form, code=2)
    assert told in err
    assert len(err.splitlines()) == 1


def test_too_few_texts_are_told(tmp_path: Path, capsys: Capture) -> None:
    network = counting()
    root = dumped(network, network.texts[:3] * 4, tmp_path / "lake")
    capsys.readouterr()
    err = roles(capsys, root, "handmade", MODEL, code=2)
    assert "has 3 distinct texts in 12 dumped sequences, and roles are told from 4 on" in err
    assert len(err.splitlines()) == 1


def test_a_dump_without_a_state_is_told(tmp_path: Path, capsys: Capture) -> None:
    run = tiny_run(tmp_path / "lake", model={"cell": ["gru"], "layers": [1]}, dump={"signals": ["update_gate"]})
    do_all(run)
    capsys.readouterr()
    err = roles(capsys, run.root, "tiny", "gru-1x5-seed0", code=2)
    assert "has no cell_state and no hidden_state of gru-1x5-seed0: dump.signals asks for none" in err
