"""First weights: each kind has the spread that its gain asks for, and nothing else moves."""

from typing import Any

import pytest
import torch

from pipeline.models.recurrent_lm import RecurrentLM, make_model
from schemas.experiment import Architecture
from schemas.signals import CELL_SIGNALS, KEEPING_GATE, STACKED
from schemas.start_settings import AS_TORCH, StartSettings

NEURONS, CHARACTERS = 64, 50
GAINS = ("characters", "below", "recurrent", "readout")
TORCHS: dict[str, Any] = dict.fromkeys(GAINS, AS_TORCH)


def parameters(cell: str, seed: int = 0, layers: int = 2, **start: Any) -> dict[str, torch.Tensor]:
    shape = {"cell": cell, "layers": layers, "hidden_size": NEURONS, "vocabulary_size": CHARACTERS}
    model = make_model(Architecture.model_validate(shape), seed, StartSettings.model_validate(start))
    return {name.removeprefix("recurrent."): values.detach() for name, values in model.named_parameters()}


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_a_rows_sum_is_as_large_as_its_gain(cell: str) -> None:
    """The definition, worked out on what a row reads: one character, or neurons that are all 1."""
    drawn = parameters(cell, characters=0.7, below=3.0, recurrent=1.5, readout=2.0)
    one_hot, ones = torch.eye(CHARACTERS), torch.ones(1, NEURONS)
    sums = {
        0.7: one_hot @ drawn["weight_ih_l0"].t(),
        3.0: drawn["weight_ih_l1"] * ones * NEURONS**0.5,
        2.0: drawn["readout.weight"] * ones * NEURONS**0.5,
    }
    if cell != "feedforward":
        sums[1.5] = torch.cat([drawn["weight_hh_l0"], drawn["weight_hh_l1"]]) * NEURONS**0.5
    for gain, values in sums.items():
        # A standard deviation of n values is off by 1 / sqrt(2 n) of itself: here by less than 0.013.
        assert values.std().item() == pytest.approx(gain, rel=0.05)
        assert abs(values.mean().item()) < 0.1 * gain


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_what_is_left_out_is_drawn_by_the_documented_gains(cell: str) -> None:
    """Of every cell the same: characters 1, below 2.3, read-out 1.7, and the rest as torch draws it."""
    drawn = parameters(cell, seed=2)
    said = parameters(cell, seed=2, characters=1.0, below=2.3, recurrent=AS_TORCH, readout=1.7, keep=0.0)
    torchs = parameters(cell, seed=2, **TORCHS)
    assert all(torch.equal(values, said[name]) for name, values in drawn.items())
    moved = {name for name, values in drawn.items() if not torch.equal(values, torchs[name])}
    assert moved == {"weight_ih_l0", "weight_ih_l1", "readout.weight"}


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_what_is_left_to_torch_is_torchs(cell: str) -> None:
    shape = {"cell": cell, "layers": 2, "hidden_size": NEURONS, "vocabulary_size": CHARACTERS}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        plain = RecurrentLM(Architecture.model_validate(shape)).state_dict()
    for name, values in parameters(cell, seed=3, **TORCHS).items():
        assert torch.equal(values, plain[name if name.startswith("readout.") else f"recurrent.{name}"])
    drawn, other = (parameters(cell, seed=seed, **(TORCHS | {"characters": 1.0})) for seed in (3, 4))
    moved = {
        name for name, values in drawn.items() if not torch.equal(values, parameters(cell, 3, **TORCHS)[name])
    }
    assert moved == {"weight_ih_l0"}
    assert not any(torch.equal(values, other[name]) for name, values in drawn.items())


@pytest.mark.parametrize("cell", KEEPING_GATE)
def test_keep_moves_the_bias_of_the_gate_that_keeps_the_state_and_nothing_else(cell: str) -> None:
    without, kept = parameters(cell, keep=0.0), parameters(cell, keep=2.5)
    gate = STACKED[cell].index(KEEPING_GATE[cell])
    for name, values in without.items():
        moved = kept[name] - values
        if name.startswith("bias_ih"):
            rows = moved.view(len(STACKED[cell]), NEURONS)
            torch.testing.assert_close(rows[gate], torch.full((NEURONS,), 2.5))
            rows[gate] = 0
        assert not moved.any(), name


def test_what_an_lstm_keeps_follows_from_keep() -> None:
    """The forget gate of an untrained layer that reads nothing is the sigmoid of its biases."""
    drawn = parameters("lstm", layers=1, characters=0.0, recurrent=0.0, keep=3.0)
    forget = slice(NEURONS, 2 * NEURONS)
    gate = torch.sigmoid(drawn["bias_ih_l0"] + drawn["bias_hh_l0"])[forget]
    assert not drawn["weight_ih_l0"].any()
    assert gate.min() > 0.93  # sigmoid(3) = 0.953; torch draws biases within 1 / 8


def test_torchs_own_random_numbers_go_on_as_they_were() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    parameters("gru")
    assert torch.equal(torch.rand(3), expected)
