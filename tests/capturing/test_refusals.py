"""What cannot be captured is refused with a sentence, and leaves the module as it was."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pipeline
from schemas.errors import UsageError


class OwnLSTM(nn.LSTM):
    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002
        return super().forward(input * 2, hx)


class OwnRecurrence(nn.RNNBase):
    def __init__(self) -> None:
        super().__init__("GRU", 3, 4)


def with_weight(value: float) -> nn.Module:
    model = nn.Sequential(nn.LSTM(3, 4))
    with torch.no_grad():
        dict(model.named_parameters())["0.weight_hh_l0"][1, 2] = value
    return model


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "no recurrent layer": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
        "Sequential holds no recurrent layer: found Linear, ReLU, Sequential; known are nn.LSTM",
    ),
    "another forward": (lambda: OwnLSTM(3, 4), "OwnLSTM is a OwnLSTM, whose equations are"),
    "an unknown cell": (
        lambda: nn.ModuleDict({"net": OwnRecurrence()}),
        "net is a OwnRecurrence, whose equations",
    ),
    "half precision": (lambda: nn.LSTM(3, 4).half(), "weight_ih_l0 is float16: convert the model with .float()"),
    "bfloat16": (lambda: nn.GRU(3, 4).bfloat16(), "weight_ih_l0 is bfloat16"),
    "NaN": (lambda: with_weight(float("nan")), r"0\.weight_hh_l0 holds NaN or infinity"),
    "infinity": (lambda: with_weight(float("inf")), r"0\.weight_hh_l0 holds NaN or infinity"),
    "no neurons": (
        lambda: nn.LSTMCell(3, 0),
        r"weight_ih is \(0, 3\): a layer without neurons or features has no signals",
    ),
    "no features": (lambda: nn.GRUCell(0, 4), r"weight_ih is \(12, 0\): a layer without neurons"),
    "no values": (lambda: nn.RNN(3, 4, device="meta"), "weight_ih_l0 is on the meta device"),
    "dropout while training": (lambda: nn.LSTM(3, 4, 2, dropout=0.5), r"call \.eval\(\) on the model first"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_module_is_refused_with_a_sentence(why: str) -> None:
    make, sentence = REFUSED[why]
    module = make()
    with pytest.raises(UsageError, match=sentence):
        pipeline.capture(module)
    assert "forward" not in vars(module)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (torch.zeros(2, 0, 3), "nothing to unroll"),
        (torch.zeros(0, 2, 3), "nothing to unroll"),
        (torch.zeros(2, 5, 4), "with 3 features"),
        (torch.zeros(2, 5, 3, dtype=torch.float64), "convert one of them"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: Tensor, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        pipeline.capture(nn.LSTM(3, 4, batch_first=True))(inputs)


def test_a_state_that_does_not_fit_is_refused() -> None:
    module = nn.LSTM(3, 4, batch_first=True)
    with pipeline.capture(module), pytest.raises(UsageError, match=r"take \[\(1, 2, 4\), \(1, 2, 4\)\]"):
        module(torch.zeros(2, 5, 3), (torch.zeros(1, 1, 4), torch.zeros(1, 2, 4)))


def test_sequences_of_one_step_are_captured() -> None:
    signals = pipeline.capture(nn.GRU(3, 4, 2))(torch.randn(1, 6, 3))[""]
    assert signals["update_gate"].shape == (2, 1, 6, 1, 4)


def test_unknown_names_tell_the_known_ones() -> None:
    module = nn.Sequential(nn.RNN(3, 4))
    with pytest.raises(UsageError, match="nothing was captured"):
        pipeline.capture(module)[""]
    captured = pipeline.capture(module[0])(torch.randn(2, 5, 3))
    with pytest.raises(UsageError, match=r"unknown signal of a rnn 'forget_gate'.*known: hidden_state"):
        captured[""]["forget_gate"]
    with pytest.raises(UsageError, match="unknown recurrent module 'lstm'"):
        captured["lstm"]


def test_a_module_is_captured_once_at_a_time() -> None:
    module = nn.LSTM(3, 4)
    with (
        pipeline.capture(module),
        pytest.raises(UsageError, match="being captured already"),
        pipeline.capture(module),
    ):
        pass
