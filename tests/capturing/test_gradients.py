"""A capture changes no gradient, whichever value wants one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import pipeline

Gradients = dict[str, Tensor | None]


def compare(module: nn.Module, call: Callable[[], Tensor], wanted: dict[str, Tensor]) -> None:
    """The same gradients inside a capture as outside, and not all of them zero."""

    def gradients() -> dict[str, Tensor]:
        loss = call().square().sum()
        return dict(zip(wanted, torch.autograd.grad(loss, list(wanted.values()), retain_graph=True), strict=True))

    bare = gradients()
    with pipeline.capture(module) as captured:
        seen = gradients()
    assert len(captured.calls) > 0
    for name, gradient in bare.items():
        assert gradient.abs().max() > 0
        assert torch.equal(seen[name], gradient), name


class Translator(nn.Module):
    """An encoder that is trained through a frozen decoder, which begins where the encoder ends."""

    def __init__(self, kind: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        self.encoder, self.decoder = kind(4, 6, batch_first=True), kind(4, 6, batch_first=True)
        self.decoder.requires_grad_(False)

    def forward(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(outputs, self.encoder(inputs)[1])[0]
        return decoded


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_an_encoder_is_trained_through_a_frozen_decoder(kind: Callable[..., nn.RNNBase]) -> None:
    net, inputs, outputs = Translator(kind), torch.randn(2, 5, 4), torch.randn(2, 3, 4)
    compare(net, lambda: net(inputs, outputs), dict(net.encoder.named_parameters()))


X, H, C = torch.randn(3, 2, 4), torch.randn(1, 2, 6), torch.randn(1, 2, 6)


def packed(values: Tensor) -> PackedSequence:
    return pack_sequence([values[:, 0], values[:2, 1]])


FROZEN: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, Tensor], Any], Tensor]] = {
    "inputs": (lambda: nn.LSTM(4, 6), lambda m, v: m(v)[0], X),
    "the hidden state": (lambda: nn.LSTM(4, 6), lambda m, v: m(X, (v, C))[0], H),
    "the cell state": (lambda: nn.LSTM(4, 6), lambda m, v: m(X, (H, v))[0], C),
    "the state by name": (lambda: nn.GRU(4, 6), lambda m, v: m(X, hx=v)[0], H),
    "states in a list": (lambda: nn.LSTM(4, 6), lambda m, v: m(X, [H, v])[1][1], C),
    "packed inputs": (lambda: nn.RNN(4, 6), lambda m, v: m(packed(v))[0].data, X),
    "the state of packed inputs": (lambda: nn.GRU(4, 6), lambda m, v: m(packed(X), v)[0].data, H),
    "a cell's cell state": (lambda: nn.LSTMCell(4, 6), lambda m, v: m(X[0], (H[0], v))[0], C[0]),
    "a cell's state": (lambda: nn.GRUCell(4, 6), lambda m, v: m(X[0], v), H[0]),
    "a single step's state": (lambda: nn.RNNCell(4, 6), lambda m, v: m(X[0, 0], v), H[0, 0]),
}


@pytest.mark.parametrize("what", FROZEN)
def test_a_frozen_module_passes_gradients_on(what: str) -> None:
    make, call, value = FROZEN[what]
    module = make().requires_grad_(False)
    value = value.clone().requires_grad_()
    compare(module, lambda: call(module, value), {what: value})


def test_gradients_reach_a_network_that_makes_the_weights() -> None:
    module = nn.LSTM(4, 6).requires_grad_(False)
    made = torch.randn(24, 6, requires_grad=True)
    del module.weight_hh_l0
    module.weight_hh_l0 = made * 0.5
    compare(module, lambda: module(X)[0], {"weights": made})


def test_gradients_reach_weights_that_stand_in_for_a_modules_own() -> None:
    module = nn.GRUCell(4, 6).requires_grad_(False)
    weights = {name: value.clone().requires_grad_() for name, value in module.named_parameters()}
    compare(module, lambda: torch.func.functional_call(module, weights, (X[0], H[0])), weights)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own use of it
@pytest.mark.parametrize("grad", [True, False])
def test_derivatives_forwards_pass_too(grad: bool) -> None:
    module = nn.RNN(4, 6).requires_grad_(False)

    def derivative() -> Tensor:
        with forward_ad.dual_level(), torch.set_grad_enabled(grad):
            dual = forward_ad.make_dual(H, torch.ones_like(H))  # type: ignore[no-untyped-call]
            tangent: Tensor = forward_ad.unpack_dual(module(X, dual)[0]).tangent  # type: ignore[no-untyped-call]
            return tangent.clone()

    bare = derivative()
    with pipeline.capture(module):
        assert torch.equal(derivative(), bare)
