"""The audit: real dumps pass at every precision, and each planted fault is caught by the invariant it breaks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load

import pipeline
from jobs.__main__ import main
from jobs.main_path import run_stages
from jobs.run.context import Run
from jobs.runners.local import LocalRunner
from pipeline.dumping.precision import round_mantissa
from pipeline.queries.audit import check
from pipeline.queries.audit.invariant import FROM_WEIGHTS, invariants
from pipeline.queries.audit.weights import weight_rows
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import unit_folder, unseal_at
from pipeline.storage.sealed import seal
from pipeline.storage.shards import write_shard
from schemas.activations import ACTIVATIONS
from schemas.errors import StorageError, UsageError
from schemas.fingerprint import blake3_of
from schemas.manifest import Manifest, Plan
from schemas.signals import CELL_SIGNALS, STACKED
from schemas.stages import checkpoint_unit
from tests.conftest import tiny_run

pytestmark = pytest.mark.slow  # a lake of ten trained models for each precision
PRECISIONS = ("exact", "half", "bfloat16")
CELLS = ("feedforward", "rnn", "lstm", "gru", "peephole_lstm")
DUMP = ["generate", "train", "dump"]
CHECKPOINT = 12
OF_CELL = {
    "feedforward": {"simple_states"},
    "rnn": {"simple_states"},
    "lstm": {"cell_state", "shown_state", "gates", "candidates"},
    "gru": {"updated_state", "gates", "reset_candidates"},
    "peephole_lstm": {"cell_state", "shown_state", "gates", "candidates"},
}
EVERY = {"digests", "complete", "signals", "ranges", "predicted_steps", "probabilities"}


@pytest.fixture(scope="module", params=PRECISIONS)
def dumped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Every cell, one and two layers, dumped at a precision."""
    return dump_of(tmp_path_factory.mktemp("audit"), precision=request.param)


def dump_of(root: Path, model: dict[str, object] | None = None, **dump: object) -> Run:
    settings = {"checkpoints": "last", "sequences_per_shard": 0, **dump}
    corpus = {"train": 60, "valid": 5, "probe": 20}
    run = tiny_run(root / "lake", model=model or {}, dump=settings, corpus=corpus)
    run_stages(run, LocalRunner(), DUMP)
    return run


def audit(run: Run, model: str | None = None) -> dict[str, dict[str, Any]]:
    return {line["invariant"]: line for line in pipeline.open(run.root).audit(run.id, model).to_pylist()}


def violated(run: Run, model: str) -> set[str]:
    return {name for name, line in audit(run, model).items() if line["violations"]}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_real_dump_holds(dumped: Run, cell: str, layers: int) -> None:
    found = audit(dumped, f"{cell}-{layers}x5-seed0")
    assert set(found) == EVERY | OF_CELL[cell]
    steps = pipeline.open(dumped.root).fetch("select count(*) as n from steps where split = 'probe'")
    rows = steps["n"][0].as_py() * layers * 5
    for name, line in found.items():
        assert (line["violations"], line["note"]) == (0, None), line
        if name not in {"digests", "predicted_steps", "probabilities"}:
            assert line["rows_checked"] == rows * (len(CELL_SIGNALS[cell]) - 3 if name == "gates" else 1) * (
                1 if name != "gates" or cell != "gru" else 2
            )
        assert line["rows_checked"] > 0
    loosest = {"exact": 1e-5, "half": 1e-2, "bfloat16": 0.1}[dumped.experiment.dump.precision]
    assert all((line["tolerance"] or 0) < loosest for line in found.values())


@pytest.mark.parametrize("cell", ["feedforward", "rnn"])
def test_a_relu_holds(tmp_path: Path, cell: str) -> None:
    run = dump_of(tmp_path, {"cell": [cell], "nonlinearity": "relu"}, precision="half")
    assert not any(line["violations"] for line in audit(run).values())
    Fault(run, f"{cell}-1x5-seed0").plant(lambda rows: set_value(rows, "hidden_state", 7, -0.5))
    assert violated(run, f"{cell}-1x5-seed0") == {"ranges", "simple_states"}


@dataclass
class Fault:
    """Rewrites a shard of layer 0 and lets the manifest tell the new bytes, so that digests find nothing."""

    run: Run
    model: str
    repair: bool = True
    weights: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        place = f"checkpoints/run={self.run.id}/model={self.model}/checkpoint={CHECKPOINT}/model.safetensors"
        self.weights = load(Folder(self.run.root).read(place))

    def plant(self, change: Callable[[pa.Table], pa.Table]) -> None:
        folder = Folder(self.run.root)
        unit = checkpoint_unit(self.model, CHECKPOINT)
        path = f"{unit_folder(self.run.id, 'dump', unit)}/manifest.json"
        manifest = unseal_at(Manifest, folder, path, folder.read(path))
        partition = {"run": self.run.id, "model": self.model, "checkpoint": CHECKPOINT, "layer": 0}
        place = ACTIVATIONS.shard_path(partition)
        rows = pq.read_table(pa.BufferReader(folder.read(place)))
        folder.remove(place)
        stored = write_shard(folder, ACTIVATIONS, partition, 0, [change(rows)], manifest.plan.fingerprint)
        if self.repair:
            objects = tuple(stored if listed.path == place else listed for listed in manifest.objects)
            folder.replace(path, seal(manifest.model_copy(update={"objects": objects})))
        assert blake3_of(folder.read(place)) == stored.blake3

    def rounded(self, values: np.ndarray) -> pa.Array:
        return pa.array(round_mantissa(values.astype(np.float32), self.run.experiment.dump.precision))


@pytest.fixture
def copy(dumped: Run, tmp_path: Path) -> Callable[[str], Fault]:
    """A model of the dumped run in a lake of its own, to be spoilt."""
    copytree(dumped.root, tmp_path / "lake")
    return lambda model: Fault(replace(dumped, root=str(tmp_path / "lake")), model)


def with_column(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), [values])


def set_value(rows: pa.Table, name: str, place: int, value: float) -> pa.Table:
    values = rows[name].to_numpy().copy()
    values[place] = value
    return with_column(rows, name, pa.array(values))


def one_step_late(rows: pa.Table, name: str) -> pa.Table:
    values = rows[name].to_numpy()
    return with_column(rows, name, pa.array(np.concatenate([values[:1], values[:-1]])))


def by_neuron(rows: pa.Table, name: str) -> np.ndarray:
    """(neurons, steps); rows lie neuron by neuron."""
    return np.asarray(rows[name].to_numpy().reshape(5, -1))


def before(rows: pa.Table, name: str) -> np.ndarray:
    """(neurons, steps), one step before."""
    values = np.roll(by_neuron(rows, name), 1, 1)
    values[by_neuron(rows, "step") == 0] = 0
    return values


def swapped(rows: pa.Table) -> pa.Table:
    kept, saved = rows["forget_gate"].combine_chunks(), rows["input_gate"].combine_chunks()
    return with_column(with_column(rows, "forget_gate", saved), "input_gate", kept)


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm"])
def test_swapped_gates_are_caught(copy: Callable[[str], Fault], cell: str) -> None:
    fault = copy(f"{cell}-1x5-seed0")
    fault.plant(swapped)
    assert {"gates"} <= violated(fault.run, fault.model) <= {"gates", "cell_state"}


@pytest.mark.parametrize(
    ("cell", "gate"), [(cell, gate) for cell in OF_CELL for gate in CELL_SIGNALS[cell] if gate.endswith("gate")]
)
def test_a_gate_one_step_late_is_caught(copy: Callable[[str], Fault], cell: str, gate: str) -> None:
    fault = copy(f"{cell}-1x5-seed0")
    fault.plant(lambda rows: one_step_late(rows, gate))
    line = audit(fault.run, fault.model)["gates"]
    assert line["violations"] > 0
    assert line["note"].startswith(f"worst in {fault.model} at 12: L0/N")
    assert line["note"].endswith(gate)


def test_a_stored_reset_gate_that_is_dead_is_caught(copy: Callable[[str], Fault]) -> None:
    fault = copy("gru-1x5-seed0")
    fault.plant(lambda rows: with_column(rows, "reset_gate", pa.array(np.full(len(rows), 0.5, np.float32))))
    assert violated(fault.run, fault.model) >= {"gates", "reset_candidates"}


def test_a_candidate_made_without_the_reset_gate_is_caught(copy: Callable[[str], Fault]) -> None:
    """h is made to follow from the wrong n, so that only the weights can tell."""
    fault = copy("gru-1x5-seed0")
    of_input, of_hidden = fault.weights["recurrent.weight_ih_l0"], fault.weights["recurrent.weight_hh_l0"]
    biases = fault.weights["recurrent.bias_ih_l0"], fault.weights["recurrent.bias_hh_l0"]

    def change(rows: pa.Table) -> pa.Table:
        tokens, first = by_neuron(rows, "token")[0], by_neuron(rows, "step")[0] == 0
        hidden, candidates, last = [], [], np.zeros(5)
        for place, z in enumerate(by_neuron(rows, "update_gate").T):
            last = np.zeros(5) if first[place] else last
            candidate = np.tanh(
                of_input[10:, tokens[place]] + biases[0][10:] + of_hidden[10:] @ last + biases[1][10:]
            )
            last = (1 - z) * candidate + z * last
            candidates.append(candidate)
            hidden.append(last)
        rows = with_column(rows, "candidate", fault.rounded(np.array(candidates).T.ravel()))
        return with_column(rows, "hidden_state", fault.rounded(np.array(hidden).T.ravel()))

    fault.plant(change)
    found = violated(fault.run, fault.model)
    assert "reset_candidates" in found
    assert "updated_state" not in found


def test_a_peephole_with_the_wrong_sign_is_caught(copy: Callable[[str], Fault]) -> None:
    """One neuron's output gate, made with -p * c in place of p * c; its h follows."""
    fault = copy("peephole_lstm-1x5-seed0")
    peephole = fault.weights["recurrent.weight_peephole_l0"][2]
    neuron = int(np.abs(peephole).argmax())

    def change(rows: pa.Table) -> pa.Table:
        gate, cell = by_neuron(rows, "output_gate").copy(), by_neuron(rows, "cell_state")
        sums = np.log(gate[neuron] / (1 - gate[neuron])) - 2 * peephole[neuron] * cell[neuron]
        gate[neuron] = 1 / (1 + np.exp(-sums))
        hidden = by_neuron(rows, "hidden_state").copy()
        hidden[neuron] = gate[neuron] * np.tanh(cell[neuron])
        rows = with_column(rows, "output_gate", fault.rounded(gate.ravel()))
        return with_column(rows, "hidden_state", fault.rounded(hidden.ravel()))

    fault.plant(change)
    found = audit(fault.run, fault.model)
    assert found["gates"]["violations"] > 0
    assert f"L0/N{neuron} " in found["gates"]["note"]
    assert found["shown_state"]["violations"] == 0


@pytest.mark.parametrize("signal", CELL_SIGNALS["lstm"])
def test_one_changed_value_is_caught(copy: Callable[[str], Fault], signal: str) -> None:
    """By its digest, and where the manifest tells the new digest, by its equation."""
    fault = copy("lstm-2x5-seed0")

    def change(rows: pa.Table) -> pa.Table:
        value = rows[signal][23].as_py()
        return set_value(rows, signal, 23, value - 0.1 if value > 0 else value + 0.1)

    fault.repair = False
    fault.plant(change)
    found = audit(fault.run, fault.model)
    assert found["digests"]["violations"] == 1
    assert "/layer=0/part-00000.parquet has changed" in found["digests"]["note"]
    fault.repair = True
    fault.plant(lambda rows: rows)
    assert "digests" not in violated(fault.run, fault.model)
    expected = {"candidate": "candidates", "cell_state": "cell_state", "hidden_state": "shown_state"}
    assert expected.get(signal, "gates") in violated(fault.run, fault.model)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.filter(pc.invert(pc.equal(pa.array(np.arange(len(rows))), 11))), "complete"),
        (lambda rows: pa.concat_tables([rows, rows.slice(3, 1)]), "complete"),
        (lambda rows: with_column(rows, "token", other_token(rows)), "complete"),
        (lambda rows: set_value(rows, "hidden_state", 4, 1.5), "ranges"),
        (lambda rows: set_value(rows, "forget_gate", 4, -0.25), "ranges"),
        (lambda rows: set_value(rows, "cell_state", 4, np.inf), "ranges"),
        (lambda rows: set_value(rows, "candidate", 4, np.nan), "ranges"),
        (lambda rows: with_column(rows, "reset_gate", rows["input_gate"].combine_chunks()), "signals"),
        (lambda rows: with_column(rows, "input_gate", pa.nulls(len(rows), pa.float32())), "signals"),
    ],
    ids=["missing", "twice", "token", "h > 1", "f < 0", "infinite", "NaN", "r of an lstm", "no i"],
)
def test_a_row_that_cannot_be_is_caught(
    lstm: Callable[[], Fault], change: Callable[[pa.Table], pa.Table], expected: str
) -> None:
    fault = lstm()
    fault.plant(change)
    assert expected in violated(fault.run, fault.model)


def other_token(rows: pa.Table) -> pa.Array:
    values = rows["token"].to_numpy().copy()
    values[9] = (values[9] + 1) % 3
    return pa.array(values)


@pytest.fixture(scope="module")
def one_lstm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return dump_of(tmp_path_factory.mktemp("one"), {"cell": ["lstm"], "layers": [1]})


@pytest.fixture
def lstm(one_lstm: Run, tmp_path: Path) -> Callable[[], Fault]:
    copytree(one_lstm.root, tmp_path / "lake")
    return lambda: Fault(replace(one_lstm, root=str(tmp_path / "lake")), "lstm-1x5-seed0")


def test_a_shard_that_is_gone_or_torn_is_told(tmp_path: Path) -> None:
    run = dump_of(tmp_path, {"cell": ["lstm"], "layers": [1]}, sequences_per_shard=10)
    last = max(Path(run.root).glob("activations/**/*.parquet"))
    last.write_bytes(last.read_bytes()[:900])
    found = audit(run)
    assert found["digests"]["violations"] == found["ranges"]["violations"] == found["gates"]["violations"] == 1
    assert "cannot be read" in found["ranges"]["note"]
    assert found["probabilities"]["violations"] == 0
    last.unlink()
    with pytest.raises(
        StorageError, match=r"part-00001.parquet is missing: type the command that began it, with --replace dump"
    ):
        pipeline.open(run.root)


def test_a_stage_that_was_begun_and_not_finished_is_told(
    lstm: Callable[[], Fault], capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed driver's; what was not begun at all is nobody's fault."""
    run = lstm().run
    assert audit(run)["published"]["violations"] == 0
    unit = Path(run.root, f"_meta/run={run.id}/annotate/hypothesis=count_a")
    plan = Plan(stage="annotate", unit=unit.name, fingerprint="f", settings={}, pieces=1)
    unit.mkdir(parents=True)
    (unit / "plan.json").write_bytes(seal(plan))
    found = audit(run)["published"]
    assert found["violations"] == 3
    assert found["note"] == "annotate lacks hypothesis=count_a, hypothesis=is_separator, hypothesis=remaining_b"
    assert "published" not in audit(run, "lstm-1x5-seed0")
    assert main(["audit", run.id, "--root", run.root]) == 3
    assert f"{run.id} is not finished: annotate lacks" in (told := capsys.readouterr().err)
    assert told.rstrip().endswith("to go on with it, type the command that began it")


@pytest.mark.parametrize(
    "path",
    [
        "_meta/run=R/.DS_Store",
        "_meta/run=R/dump/model=lstm-1x5-seed0/checkpoint=12/records/._00000.json",
        "_meta/run=R/train/whole/records/00000.json~",
        "_meta/run=R/lease/.#00001.json",
        "steps/run=R/split=probe/Thumbs.db",
        "steps/run=R/split=probe/part-00000 (copy).parquet",
        "checkpoints/run=R/model=lstm-1x5-seed0/checkpoint=12/model.safetensors.orig",
    ],
)
def test_files_of_others_are_named_and_no_violation(lstm: Callable[[], Fault], path: str) -> None:
    run = lstm().run
    place = path.replace("run=R", f"run={run.id}")
    Path(run.root, place).parent.mkdir(parents=True, exist_ok=True)
    Path(run.root, place).write_bytes(b"not ours")
    found = audit(run)["published"]
    assert (found["violations"], found["note"]) == (0, f"left out: {place}, which is no file of the lake's")


def test_changed_weights_are_told_and_not_used(lstm: Callable[[], Fault]) -> None:
    run = lstm().run
    path = next(Path(run.root).glob("checkpoints/**/checkpoint=12/model.safetensors"))
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    found = audit(run)
    assert "model.safetensors has changed" in found["digests"]["note"]
    assert found["gates"]["rows_checked"] == 0
    assert found["gates"]["note"] == "left out for lstm-1x5-seed0 at 12: its weights have changed"


def test_what_was_not_dumped_is_left_out_and_says_so(tmp_path: Path) -> None:
    run = dump_of(tmp_path, {"cell": ["peephole_lstm"], "layers": [1]}, signals=["forget_gate", "hidden_state"])
    found = audit(run)
    assert not any(line["violations"] for line in found.values())
    for name in ("cell_state", "shown_state", "gates", "candidates"):
        assert found[name]["rows_checked"] == 0
        assert found[name]["note"].startswith("left out for peephole_lstm: the dump holds no ")
    assert "cell_state" in found["gates"]["note"]
    only = dump_of(tmp_path / "lstm", {"cell": ["lstm"], "layers": [2]}, signals=["forget_gate", "hidden_state"])
    found = audit(only)
    assert found["gates"]["rows_checked"] == found["complete"]["rows_checked"] > 0
    assert found["gates"]["violations"] == 0


@pytest.mark.parametrize("work", [1, 60_000])
def test_a_large_dump_is_sampled(dumped: Run, monkeypatch: pytest.MonkeyPatch, work: int) -> None:
    monkeypatch.setattr(check, "WORK", work)
    found = audit(dumped, "gru-2x5-seed0")
    everything = found["complete"]["rows_checked"]
    assert 0 < found["reset_candidates"]["rows_checked"] < everything
    assert found["updated_state"]["rows_checked"] == everything
    assert not any(line["violations"] for line in found.values())


def test_the_weights_are_those_of_the_model(one_lstm: Run) -> None:
    """Stacked as the cells' docstrings say: one neuron's rows against the tensors."""
    tensors = Fault(one_lstm, "lstm-1x5-seed0").weights
    path = next(Path(one_lstm.root).glob("checkpoints/**/checkpoint=12/model.safetensors"))
    rows = weight_rows(load(path.read_bytes()), "lstm", "recurrent").to_pylist()
    assert len(rows) == 20
    for row in rows:
        place = STACKED["lstm"].index(row["signal"]) * 5 + row["neuron"]
        assert row["of_hidden"] == pytest.approx(tensors["recurrent.weight_hh_l0"][place].tolist())
        assert row["bias_given"] == pytest.approx(float(tensors["recurrent.bias_ih_l0"][place]))


def test_unknown_names_are_errors_of_use(one_lstm: Run) -> None:
    lake = pipeline.open(one_lstm.root)
    with pytest.raises(UsageError, match="unknown model 'lstm-1x5-seed1': did you mean 'lstm-1x5-seed0'"):
        lake.audit(one_lstm.id, model="lstm-1x5-seed1")
    with pytest.raises(UsageError, match="checkpoint 7 was not dumped; known: 12"):
        lake.audit(one_lstm.id, checkpoint=7)
    shares: list[float] = []
    assert len(lake.audit(one_lstm.id, tell=shares.append)) == 11
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_every_invariant_says_what_it_is() -> None:
    assert all(invariant.says for invariant in invariants().values())
    assert set(FROM_WEIGHTS) < set(invariants())
    assert {cell for invariant in invariants().values() for cell in invariant.cells} == set(CELL_SIGNALS)
