"""The ways to a layer's signals agree with each other."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.capturing import methods
from pipeline.models import cells
from pipeline.models.recurrent_lm import layer_weights
from schemas.signals import STATE

MODULES: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@given(
    cell=st.sampled_from(sorted(MODULES)),
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 6), st.integers(1, 12)),
    seed=st.integers(0, 1000),
)
def test_the_product_equals_the_loop(
    cell: str, nonlinearity: str, sizes: tuple[int, int, int, int], seed: int
) -> None:
    batch, steps, features, neurons = sizes
    torch.manual_seed(seed)
    weights = layer_weights(dict(MODULES[cell](features, neurons).double().named_parameters()), "_l0")
    inputs = torch.randn(batch, steps, features, dtype=torch.float64)
    state = tuple(torch.randn(batch, neurons, dtype=torch.float64) for _ in STATE[cell])
    with torch.no_grad():
        expected = cells.run_layer(cell, inputs, weights, nonlinearity, state)
        made = methods.product(cell, inputs, weights, nonlinearity, state)
    assert list(made) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(made[name], values, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cell", ["feedforward", "rnn", "lstm", "gru", "peephole_lstm"])
def test_the_way_taken_equals_the_loop(cell: str) -> None:
    torch.manual_seed(0)
    rows = {"feedforward": 1, "rnn": 1, "lstm": 4, "gru": 3, "peephole_lstm": 4}[cell] * 6
    weights = cells.Weights(
        torch.randn(rows, 5), torch.randn(rows, 6), torch.randn(rows), torch.randn(rows), torch.randn(3, 6)
    )
    inputs = torch.randn(3, 8, 5)
    expected = cells.run_layer(cell, inputs, weights)
    for name, values in methods.run_layer_fast(cell, inputs, weights).items():
        torch.testing.assert_close(values, expected[name], rtol=0, atol=1e-5)
