"""The audit at dump time: sound layers pass, each planted fault is caught by the equation that it breaks."""

from dataclasses import replace

import pytest
import torch

from pipeline.capturing.capture import Capture
from pipeline.capturing.unrolling import LayerRun
from pipeline.dumping import audit as audit_module
from pipeline.dumping.audit import MEMORY, MIXED, OWN, SHOWN, STEP, ShardAudit
from pipeline.models import cells
from pipeline.models.recurrent_lm import make_model
from schemas.errors import AuditError
from schemas.experiment import Architecture
from schemas.manifest import Residual
from schemas.signals import CELL_SIGNALS, STATE

TOLERANCE = 1e-5


def layer_of(cell: str, layer: int = 0, nonlinearity: str = "tanh") -> LayerRun:
    shape = {"cell": cell, "layers": 2, "hidden_size": 9, "vocabulary_size": 5, "nonlinearity": nonlinearity}
    model = make_model(Architecture.model_validate(shape), 1)
    tokens = torch.randint(5, (9, 12), generator=torch.Generator().manual_seed(2))
    captured = Capture(model)(tokens)["recurrent"].layer(layer)
    return replace(captured, signals={name: values.clone() for name, values in captured.signals.items()})


def audited(run: LayerRun) -> dict[str, Residual]:
    audit = ShardAudit()
    audit.add(run)
    return {residual.equation: residual for residual in audit.residuals()}


def broken(run: LayerRun) -> set[str]:
    return {equation for equation, residual in audited(run).items() if not residual.largest <= TOLERANCE}


@pytest.mark.parametrize("cell", CELL_SIGNALS)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("layer", [0, 1])
def test_what_was_computed_passes(cell: str, nonlinearity: str, layer: int) -> None:
    run = layer_of(cell, layer, nonlinearity)
    found = audited(run)
    equations = {"lstm": {MEMORY, SHOWN}, "peephole_lstm": {MEMORY, SHOWN}, "gru": {MIXED}}.get(cell, set())
    assert set(found) == equations | {STEP}
    assert all(residual.largest <= 2e-6 for residual in found.values())
    assert all(residual.median <= residual.largest for residual in found.values())
    for equation in equations:
        assert found[equation].values == 9 * 12 * 9


def test_gates_shifted_by_one_step_are_caught() -> None:
    run = layer_of("lstm")
    for gate in ("input_gate", "forget_gate", "output_gate", "candidate"):
        run.signals[gate] = run.signals[gate].roll(1, dims=1)
    assert broken(run) == {MEMORY, SHOWN, STEP}


def test_swapped_input_and_forget_gates_are_caught() -> None:
    run = layer_of("lstm")
    swapped = {"input_gate": run.signals["forget_gate"], "forget_gate": run.signals["input_gate"]}
    assert broken(replace(run, signals=run.signals | swapped)) == {MEMORY, STEP}


def test_a_dead_reset_gate_is_caught() -> None:
    """Stored as 1 everywhere; and computed but never used, as in a released network."""
    run = layer_of("gru")
    run.signals["reset_gate"].fill_(1)
    assert broken(run) == {STEP}
    run = layer_of("gru")
    neurons = 9
    unused = run.weights._replace(
        weight_ih=run.weights.weight_ih.clone(), weight_hh=run.weights.weight_hh.clone(),
        bias_ih=run.weights.bias_ih.clone(), bias_hh=run.weights.bias_hh.clone(),
    )  # fmt: skip
    with torch.no_grad():
        for weight in (unused.weight_ih, unused.weight_hh, unused.bias_hh):
            weight[:neurons] = 0
        unused.bias_ih[:neurons] = 50  # r = 1: the candidate sees all of U h'
    with torch.no_grad():
        without = cells.gru(run.inputs, unused)
    without["reset_gate"] = run.signals["reset_gate"]
    assert broken(replace(run, signals=without)) == {STEP}


def test_a_peephole_of_the_wrong_sign_is_caught() -> None:
    run = layer_of("peephole_lstm")
    assert run.weights.weight_peephole is not None
    assert broken(replace(run, weights=run.weights._replace(weight_peephole=-run.weights.weight_peephole))) == {
        STEP
    }


@pytest.mark.parametrize("fault", [float("nan"), float("inf"), 0.5])
def test_one_wrong_value_is_caught(fault: float) -> None:
    run = layer_of("lstm")
    run.signals["cell_state"][5, 7, 3] = fault
    assert MEMORY in broken(run)


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_another_hidden_state_than_the_modules_is_caught(cell: str) -> None:
    """From the captured states of all layers a step before, through the module's own kernel."""
    shape = {"cell": cell, "layers": 2, "hidden_size": 9, "vocabulary_size": 5}
    model = make_model(Architecture.model_validate(shape), 1)
    captured = Capture(model)(torch.randint(5, (9, 12)))["recurrent"]
    layers = [captured.layer(0), captured.layer(1)]
    sound, wrong = ShardAudit(), ShardAudit()
    sound.add_own(model.recurrent, layers)
    assert {residual.equation: residual.largest <= 1e-6 for residual in sound.residuals()} == {OWN: True}
    hidden = {"hidden_state": layers[1].signals["hidden_state"] + 1e-3}
    wrong.add_own(model.recurrent, [layers[0], replace(layers[1], signals=layers[1].signals | hidden)])
    assert wrong.residuals()[0].largest > TOLERANCE


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_modules_own_states_are_those_of_its_last_layer(layers: int, batch_first: bool) -> None:
    module = torch.nn.LSTM(5, 9, layers, batch_first=batch_first)
    captured = Capture(module)(torch.randn(9, 20, 5))[""]
    audit = ShardAudit()
    audit.add_own(module, [captured.layer(layer) for layer in range(layers)])
    (own,) = audit.residuals()
    assert own.largest <= 1e-6
    assert own.values == 3 * 9, "every 61st of 180 steps"


def test_a_shard_above_tolerance_is_refused_with_a_sentence() -> None:
    run = layer_of("lstm")
    run.signals["cell_state"][5, 7, 3] += 0.25
    audit = ShardAudit()
    audit.add(run)
    with pytest.raises(AuditError, match=r"lstm-1, layer 0 does not obey `c = f \* c' \+ i \* g`.*dump.tolerance"):
        audit.require(TOLERANCE, "lstm-1, layer 0")


def test_a_residual_of_the_tolerance_itself_is_let_through() -> None:
    audit = ShardAudit()
    audit._note("e", torch.tensor([0.5]), torch.tensor([0.25]))
    (residual,) = audit.require(0.25, "here")
    assert residual.largest == 0.25
    audit._note("e", torch.tensor([0.5]), torch.tensor([float("nan")]))
    with pytest.raises(AuditError, match="here does not obey `e`: the largest residual is nan"):
        audit.require(0.25, "here")


def test_residuals_by_hand() -> None:
    """Relative to values above 1; the largest, the number and the median are those of all blocks."""
    audit = ShardAudit()
    audit._note("e", torch.tensor([4.0, -0.5, -4.0]), torch.tensor([1.0, 0.0, -4.0]))  # 3/4, 1/2, 0
    assert audit.residuals() == (Residual(equation="e", values=3, largest=0.75, median=0.5),)
    audit._note("e", torch.tensor([[1.0]]), torch.tensor([[1.25]]))
    audit._note("other", torch.tensor([1.0]), torch.tensor([1.0]))
    assert audit.residuals() == (
        Residual(equation="e", values=4, largest=0.75, median=0.375),
        Residual(equation="other", values=1, largest=0.0, median=0.0),
    )
    audit._note("e", torch.tensor([-8.0, 1.5]), torch.tensor([0.0, 0.0]))
    assert audit.residuals()[0].largest == 1.0


def test_what_is_mere_rounding_is_not_made_relative() -> None:
    value = torch.tensor([100.0], dtype=torch.float64)
    for difference, largest in ((5e-7, 5e-7), (5e-6, 5e-8)):
        audit = ShardAudit()
        audit._note("e", value, value - difference)
        assert audit.residuals()[0].largest == pytest.approx(largest, rel=1e-6)


def test_the_first_block_that_is_no_number_is_not_forgotten() -> None:
    audit = ShardAudit()
    for value in (1.0, float("nan"), 1.0):
        audit._note("e", torch.tensor([value]), torch.tensor([1.0]))
    assert audit.residuals()[0].largest != audit.residuals()[0].largest


def test_the_median_is_of_evenly_spaced_residuals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "KEPT", 4)
    for values, median in (([0.1, 0.2, 0.7], 0.2), ([0.0, 0.9, 0.9, 0.1, 0.9, 0.9, 0.2, 0.9, 0.9], 0.1)):
        audit = ShardAudit()
        audit._note("e", torch.tensor(values), torch.zeros(len(values)))
        (residual,) = audit.residuals()
        assert residual.median == pytest.approx(median)
        assert residual.values == len(values)


def test_every_61st_step_is_worked_out_again() -> None:
    run = layer_of("rnn")
    row, step = audit_module._sampled(replace(run, inputs=torch.zeros(3, 50, 5)))
    assert row.tolist() == [0, 1, 2]
    assert step.tolist() == [0, 11, 22]


def second_half(run: LayerRun) -> LayerRun:
    """The layer over a block that begins with the state which the first half has left."""
    return replace(
        run,
        inputs=run.inputs[:, 5:],
        signals={name: values[:, 5:] for name, values in run.signals.items()},
        state=tuple(run.signals[name][:, 4] for name in STATE[run.cell]),
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "peephole_lstm"])
def test_the_state_before_the_block_is_asked_of_every_equation_with_memory(cell: str) -> None:
    run = second_half(layer_of(cell))
    assert broken(run) == set()
    forgotten = tuple(torch.zeros_like(values) for values in run.state)
    remembers = {"lstm": {MEMORY}, "peephole_lstm": {MEMORY}, "gru": {MIXED}}.get(cell, set())
    assert broken(replace(run, state=forgotten)) == remembers | {STEP}


def test_a_projected_state_is_shown_through_its_projection() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = {"weight_ih": (24, 5), "weight_hh": (24, 2), "bias_ih": (24,), "bias_hh": (24,), "weight_hr": (2, 6)}
    weights = cells.Weights(**{name: torch.randn(shape, generator=generator) for name, shape in shapes.items()})
    inputs = torch.randn(3, 7, 5, generator=generator)
    state = cells.zero_state("lstm", weights, inputs)
    run = LayerRun("lstm", "tanh", weights, inputs, state, cells.lstm(inputs, weights), None, is_reversed=False)
    assert broken(run) == set()
    assert weights.weight_hr is not None
    other = weights._replace(weight_hr=weights.weight_hr.flip(0))
    assert broken(replace(run, weights=other)) == {SHOWN, STEP}
