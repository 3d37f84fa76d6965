"""Dropout between layers: in updates alone, and the same whoever makes them."""

import pytest
import torch

from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.training.evaluate import evaluate
from pipeline.training.trainer import Trainer
from schemas.experiment import Architecture
from schemas.training_settings import TrainingSettings
from tests.training.test_trainer import SEQUENCES, equal, weights

SETTINGS = TrainingSettings(steps=20, batch_size=8, dropout=0.4)
CELLS = ["lstm", "peephole_lstm"]  # torch's own module, and ours


def model(cell: str, neurons: int = 6) -> RecurrentLM:
    shape = {"cell": cell, "layers": 2, "hidden_size": neurons, "vocabulary_size": 4}
    return make_model(Architecture.model_validate(shape), 0)


@pytest.mark.parametrize("cell", CELLS)
def test_updates_drop_values_and_nothing_else_does(cell: str) -> None:
    with_dropout = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    without = Trainer(model(cell), SEQUENCES, SETTINGS.model_copy(update={"dropout": 0.0}), seed=1)
    assert evaluate(with_dropout.model, SEQUENCES) == evaluate(without.model, SEQUENCES)
    for trainer in (with_dropout, without):
        trainer.advance(3)
    assert not equal(weights(with_dropout.model), weights(without.model))
    assert evaluate(with_dropout.model, SEQUENCES) == evaluate(with_dropout.model, SEQUENCES)


@pytest.mark.parametrize("cell", CELLS)
def test_the_share_that_is_dropped(cell: str) -> None:
    """All of the second layer's sums are 0 for a one-hot input whose only heard neuron is dropped."""
    whole = model(cell, neurons=400)
    with torch.no_grad():
        for name, values in whole.recurrent.named_parameters():
            values.zero_()
            if name == "bias_ih_l0":
                values.fill_(5.0)
            if name == "weight_ih_l1":  # each neuron's candidate hears its own neuron below
                values[800:1200] = torch.eye(400)
    whole.recurrent.dropout = 0.4  # type: ignore[assignment]  # no parameter
    hidden, _ = whole.train().recurrent(torch.zeros(1, 1, 4))
    dropped = (hidden == 0).float().mean().item()
    assert dropped == pytest.approx(0.4, abs=0.1)  # of 400 draws: four standard deviations


@pytest.mark.parametrize("cell", CELLS)
def test_going_on_from_a_state_drops_the_same_values(cell: str) -> None:
    straight = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    straight.advance(9)
    first = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    first.advance(4)
    torch.rand(7)  # whatever else draws numbers in between
    second = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    second.restore(first.state())
    second.advance(9)
    assert equal(weights(second.model), weights(straight.model))
