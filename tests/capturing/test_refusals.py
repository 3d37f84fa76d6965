"""What cannot be captured is refused with a sentence, and leaves the module as it was."""

from collections.abc import Callable
from functools import partial
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


def test_a_capture_is_open_once_at_a_time() -> None:
    captured = pipeline.capture(nn.LSTM(3, 4))
    with captured, pytest.raises(UsageError, match="this capture is open already"), captured:
        pass
    with captured:
        pass


def wrapped(module: nn.Module) -> nn.Module:
    module.forward = partial(module.forward)  # as libraries that move or cast a module's inputs do
    return module


def quantised(module: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(module)  # type: ignore[no-any-return]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 4), nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.lstm(inputs)[0])  # type: ignore[no-any-return]


X = torch.zeros(5, 2, 3)
TRANSFORMED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "scripted": (lambda: torch.jit.script(nn.LSTM(3, 4)), "the module itself, a LSTM, is scripted or traced"),
    "scripted inside": (lambda: nn.Sequential(torch.jit.script(nn.GRUCell(3, 4))), "0, a GRUCell, is scripted or"),
    "traced": (lambda: torch.jit.trace(Encoder(), X), "lstm, a LSTM, is scripted or traced, and runs outside"),
    "frozen": (lambda: torch.jit.freeze(torch.jit.script(Encoder().eval())), "is scripted or traced"),
    "quantised": (lambda: quantised(Encoder()), r"lstm is a quantised LSTM \(torch\.ao\.nn\.quantized\.dynamic"),
    "a quantised cell": (lambda: quantised(nn.Sequential(nn.GRUCell(3, 4))), "0 is a quantised GRUCell"),
    "partly quantised": (
        lambda: nn.ModuleDict({"plain": nn.GRU(3, 4), "other": quantised(nn.Sequential(nn.LSTM(3, 4)))}),
        "other.0 is a quantised LSTM",
    ),
    "wrapped": (lambda: wrapped(nn.LSTM(3, 4)), "LSTM has had its forward replaced by functools"),
}


@pytest.mark.filterwarnings("ignore")  # of torch.jit, which torch means to give up
@pytest.mark.parametrize("how", TRANSFORMED)
def test_a_transformed_module_is_refused_by_what_it_is(how: str) -> None:
    make, sentence = TRANSFORMED[how]
    module = make()
    with pytest.raises(UsageError, match=sentence):
        pipeline.capture(module)
