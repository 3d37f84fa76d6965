"""What real networks do to their recurrent modules, and to what those give them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import pipeline
from schemas.errors import UsageError


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def reparametrised(module: nn.Module) -> None:
    parametrize.register_parametrization(module, "bias_ih_l0", Doubled())


CHANGES: dict[str, Callable[[nn.LSTM], object]] = {
    "pruned biases": lambda lstm: prune.random_unstructured(lstm, "bias_hh_l0", 0.5),  # type: ignore[no-untyped-call]
    "pruned weights": lambda lstm: prune.random_unstructured(lstm, "weight_hh_l0", 0.5),  # type: ignore[no-untyped-call]
    "a parametrised bias": reparametrised,
    "weight norm": lambda lstm: parametrizations.weight_norm(lstm, "weight_hh_l0"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore:RNN module weights are not part of single contiguous chunk")
def test_weights_are_read_as_the_forward_reads_them(change: str) -> None:
    lstm = nn.LSTM(4, 6, batch_first=True)
    CHANGES[change](lstm)
    inputs = torch.randn(3, 8, 4)
    with torch.no_grad():
        own, _ = lstm(inputs)
        with pipeline.capture(lstm) as captured:
            output, _ = lstm(inputs)
    torch.testing.assert_close(output, own, rtol=0, atol=1e-5)
    torch.testing.assert_close(captured[""]["hidden_state"][0, 0], own, rtol=0, atol=1e-5)


def test_what_a_network_does_in_place_leaves_signals_alone() -> None:
    lstm = nn.LSTM(4, 4, batch_first=True)
    inputs = torch.randn(3, 8, 4)
    expected = pipeline.capture(lstm)(inputs)[""]["hidden_state"]
    with torch.no_grad(), pipeline.capture(lstm) as captured:
        hidden, (last, cell) = lstm(inputs)
        hidden.relu_()
        inputs += hidden
        last.zero_()
        cell.zero_()
    assert torch.equal(captured[""]["hidden_state"], expected)
    assert captured[""]["cell_state"].abs().min() > 0


def test_arguments_may_be_named_as_torch_names_them() -> None:
    lstm = nn.LSTM(4, 6, batch_first=True)
    inputs, state = torch.randn(3, 8, 4), (torch.randn(1, 3, 6), torch.randn(1, 3, 6))
    with torch.no_grad():
        own, _ = lstm(input=inputs, hx=state)
        with pipeline.capture(lstm):
            output, _ = lstm(input=inputs, hx=state)
            lstm(inputs, hx=None)
    torch.testing.assert_close(output, own, rtol=0, atol=1e-5)


class Recursive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)

    def forward(self, inputs: Tensor, times: int) -> Any:
        hidden, _ = self.lstm(inputs)
        return hidden if times == 1 else self(hidden, times - 1)


def test_a_network_that_calls_itself_is_one_call() -> None:
    captured = pipeline.capture(Recursive())(torch.randn(2, 5, 4), 3)
    assert len(captured.calls) == 1
    assert captured["lstm"]["forget_gate"].shape == (1, 1, 2, 15, 4)


def test_autocast_is_refused() -> None:
    gru = nn.GRU(4, 6)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(UsageError, match="leave the autocast block"),
        pipeline.capture(gru),
    ):
        gru(torch.randn(8, 3, 4))


def test_training_that_begins_inside_is_noticed() -> None:
    lstm = nn.LSTM(4, 6, 2, dropout=0.5).eval()
    with pytest.raises(UsageError, match=r"call \.eval\(\)"), pipeline.capture(lstm):
        lstm.train()(torch.randn(8, 3, 4))


def test_a_capture_says_what_it_holds() -> None:
    model = nn.ModuleDict({"a": nn.LSTM(4, 6), "b": nn.GRU(4, 6)})
    captured = pipeline.capture(model)
    assert list(captured) == ["a", "b"]
    assert len(captured) == 2
    assert repr(captured) == "<capture of {'a': LSTM, 'b': GRU}, 0 calls>"
    with captured:
        model["a"](torch.randn(5, 2, 4))
    assert "a" in captured
    assert "b" not in captured
    assert captured._repr_html_().endswith("<tr><td>&#x27;b&#x27;</td><td>GRU</td><td>0</td></tr></table>")


def test_what_is_captured_is_shown_by_its_shape() -> None:
    long = pipeline.capture(nn.LSTM(4, 60, 2, bidirectional=True, proj_size=7))(torch.randn(5000, 2, 4))[""]
    signals = "input_gate, forget_gate, output_gate, candidate, cell_state, hidden_state"
    assert repr(long) == f"<lstm, 2 layers, 2 directions, batch 2, 5000 steps, 7 neurons: {signals}>"
    assert repr(long.layer(1, 1)) == "<lstm layer of 7 neurons over (2, 5000, 14), read backwards>"
    assert len(repr(long.runs)) < 400
    assert (
        "<td>cell_state</td><td>2 layers, 2 directions, batch 2, 5000 steps, 60 neurons</td>" in long._repr_html_()
    )


def test_what_ran_step_by_step_is_shown_whole() -> None:
    cell = nn.GRUCell(4, 6)
    with pipeline.capture(nn.Sequential(cell)) as captured:
        cell(torch.randn(2, 4))
    assert repr(captured.calls[-1]).startswith(
        "{'0': <gru, 1 layers, 1 directions, batch 2, 1 steps, 6 neurons: re"
    )
