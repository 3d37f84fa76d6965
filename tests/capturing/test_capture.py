"""`pipeline.capture` on any recurrent module, against the float64 reference and against the module itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import pipeline
from pipeline.capturing import workspace
from schemas.signals import CELL_SIGNALS
from tests.capturing.reference import reference

KINDS = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}
OPTIONS = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
    }
)
SIZES = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 7), st.integers(1, 20))


def make(
    kind: Callable[..., nn.RNNBase], features: int, neurons: int, options: dict[str, Any], seed: int
) -> nn.RNNBase:
    torch.manual_seed(seed)
    return kind(features, neurons, **options).eval()


def first_state(module: nn.RNNBase, batch: int) -> tuple[Tensor, ...]:
    ways = module.num_layers * (2 if module.bidirectional else 1)
    hidden = torch.randn(ways, batch, module.proj_size or module.hidden_size)
    return (hidden, torch.randn(ways, batch, module.hidden_size)) if isinstance(module, nn.LSTM) else (hidden,)


def check(module: nn.RNNBase, inputs: Tensor, state: tuple[Tensor, ...] | None) -> None:
    """Signals equal the reference, and the output the module's own; inputs are (batch, steps, features)."""
    given_inputs = inputs if module.batch_first else inputs.transpose(0, 1)
    given_state = state if state is None or len(state) > 1 else state[0]
    with torch.no_grad():
        with pipeline.capture(module) as captured:
            output, last = module(given_inputs, given_state)
        own_output, own_last = module(given_inputs, given_state)
    torch.testing.assert_close(output, own_output, rtol=0, atol=1e-5)
    torch.testing.assert_close(last, own_last, rtol=0, atol=1e-5)
    expected = reference(module, inputs.numpy(), None if state is None else [part.numpy() for part in state])
    signals = captured[""]
    assert tuple(signals) == CELL_SIGNALS[KINDS[type(module)]]
    for name, values in signals.items():
        right = np.stack([np.stack([way[name] for way in layer]) for layer in expected])
        assert values.shape == right.shape
        np.testing.assert_allclose(values.numpy(), right, rtol=0, atol=1e-5)


@given(
    kind=st.sampled_from(list(KINDS)),
    options=OPTIONS,
    sizes=SIZES,
    with_state=st.booleans(),
    relu=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_signals_equal_the_float64_reference(
    kind: Callable[..., nn.RNNBase],
    options: dict[str, Any],
    sizes: tuple[int, int, int, int],
    with_state: bool,
    relu: bool,
    seed: int,
) -> None:
    batch, steps, features, neurons = sizes
    extra = {"nonlinearity": "relu"} if kind is nn.RNN and relu else {}
    module = make(kind, features, neurons, options | extra, seed)
    check(module, torch.randn(batch, steps, features), first_state(module, batch) if with_state else None)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's own forward
@given(options=OPTIONS, sizes=SIZES, with_state=st.booleans(), seed=st.integers(0, 1000), data=st.data())
def test_projections_equal_the_reference(
    options: dict[str, Any], sizes: tuple[int, int, int, int], with_state: bool, seed: int, data: st.DataObject
) -> None:
    batch, steps, features, neurons = sizes
    if neurons == 1:
        return  # torch wants a projection smaller than the layer
    projected = data.draw(st.integers(1, neurons - 1))
    module = make(nn.LSTM, features, neurons, options | {"proj_size": projected}, seed)
    check(module, torch.randn(batch, steps, features), first_state(module, batch) if with_state else None)


@given(
    kind=st.sampled_from(list(KINDS)),
    bidirectional=st.booleans(),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5),
    with_state=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_packed_sequence_equals_its_sequences_one_by_one(
    kind: Callable[..., nn.RNNBase], bidirectional: bool, lengths: list[int], with_state: bool, seed: int
) -> None:
    module = make(kind, 3, 5, {"num_layers": 2, "bidirectional": bidirectional}, seed)
    parts = [torch.randn(length, 3) for length in lengths]
    packed = pack_sequence(parts, enforce_sorted=False)
    state = first_state(module, len(lengths)) if with_state else None
    hx = state if state is None or len(state) > 1 else state[0]
    with torch.no_grad():
        with pipeline.capture(module) as captured:
            output, last = module(packed, hx)
        own_output, own_last = module(packed, hx)
    assert isinstance(output, PackedSequence)
    torch.testing.assert_close(output.data, own_output.data, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.batch_sizes, own_output.batch_sizes)
    torch.testing.assert_close(last, own_last, rtol=0, atol=1e-5)
    for row, part in enumerate(parts):
        alone = None if state is None else [piece[:, row : row + 1].numpy() for piece in state]
        expected = reference(module, part[None].numpy(), alone)
        for name, values in captured[""].items():
            right = np.stack([np.stack([way[name][0] for way in layer]) for layer in expected])
            np.testing.assert_allclose(values[:, :, row, : len(part)].numpy(), right, rtol=0, atol=1e-5)
            assert torch.isnan(values[:, :, row, len(part) :]).all()


@pytest.mark.parametrize(("cell", "whole"), [(nn.LSTMCell, nn.LSTM), (nn.GRUCell, nn.GRU), (nn.RNNCell, nn.RNN)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_cell_stepped_by_hand_equals_its_module(
    cell: Callable[..., nn.RNNCellBase], whole: Callable[..., nn.RNNBase], bias: bool
) -> None:
    class Stepping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell(4, 6, bias=bias)

        def forward(self, inputs: Tensor) -> Tensor:
            state = None
            steps = []
            for step in inputs.unbind(1):
                state = self.cell(step, state)
                steps.append(state[0] if isinstance(state, tuple) else state)
            return torch.stack(steps, 1)

    torch.manual_seed(3)
    stepping = Stepping()
    module = whole(4, 6, batch_first=True, bias=bias)
    module.load_state_dict({f"{name}_l0": value for name, value in stepping.cell.state_dict().items()})
    inputs = torch.randn(3, 7, 4)
    by_hand = pipeline.capture(stepping)(inputs)["cell"]
    at_once = pipeline.capture(module)(inputs)[""]
    for name, values in at_once.items():
        torch.testing.assert_close(by_hand[name], values, rtol=0, atol=1e-6)


class CharacterModel(nn.Module):
    """As a stranger writes one: two recurrent modules, an embedding, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.encoder = nn.ModuleDict({"lstm": nn.LSTM(8, 9, 2, batch_first=True, dropout=0.5)})
        self.gru = nn.GRU(9, 7, batch_first=True)
        self.head = nn.Linear(7, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.encoder["lstm"](self.embed(tokens))
        return self.head(self.gru(hidden)[0])  # type: ignore[no-any-return]


def test_modules_inside_a_network_are_captured_by_path_and_call_by_call() -> None:
    model = CharacterModel().eval()
    first, second = torch.randint(11, (2, 5)), torch.randint(11, (3, 4))
    with torch.no_grad():
        with pipeline.capture(model) as captured:
            logits = model(first)
            model(second)
        assert torch.allclose(logits, model(first), atol=1e-6)
    assert set(captured.calls[0]) == {"encoder.lstm", "gru"}
    assert captured.calls[0]["encoder.lstm"]["forget_gate"].shape == (2, 1, 2, 5, 9)
    assert captured["gru"]["reset_gate"].shape == (1, 1, 3, 4, 7)
    assert len(captured.calls) == 2


def test_gradients_flow_as_without_capture() -> None:
    model = CharacterModel().eval()
    tokens = torch.randint(11, (2, 5))
    with pipeline.capture(model) as captured:
        model(tokens).sum().backward()
    inside = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    model(tokens).sum().backward()
    outside = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert len(inside) == len(outside)
    assert all(torch.equal(one, other) for one, other in zip(inside, outside, strict=True))
    assert not captured["gru"]["candidate"].requires_grad


def test_everything_is_as_before_after_leaving_even_through_an_error() -> None:
    model = CharacterModel().eval()
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    with pytest.raises(IndexError), pipeline.capture(model):
        model(torch.tensor([[11]]))
    after = {name: dict(vars(module)) for name, module in model.named_modules()}
    assert all(before[name].keys() == after[name].keys() for name in before)
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_pieces_with_carried_state_equal_the_whole() -> None:
    from pipeline.capturing.capture import Capture

    model = CharacterModel().eval()
    tokens = torch.randint(11, (2, 50))
    whole = pipeline.capture(model)(tokens)
    with torch.no_grad(), Capture(model, carry_state=True) as captured:
        for piece in torch.split(tokens, 7, 1):
            model(piece)
    for path in ("encoder.lstm", "gru"):
        for name, values in whole[path].items():
            pieces = torch.cat([call[path][name] for call in captured.calls], 3)
            torch.testing.assert_close(pieces, values, rtol=0, atol=1e-6)


@given(
    neurons=st.integers(1, 150), features=st.integers(1, 300), batch=st.integers(1, 20), steps=st.integers(1, 9)
)
def test_the_kernels_workspace_is_read_for_every_shape(
    neurons: int, features: int, batch: int, steps: int
) -> None:
    """A torch whose kernel keeps its gates elsewhere makes capture slow, not wrong; this test then tells us."""
    from pipeline.models.recurrent_lm import layer_weights

    module = nn.LSTM(features, neurons)
    weights = layer_weights(dict(module.named_parameters()), "_l0")
    inputs = torch.randn(batch, steps, features)
    workspace._known.clear()
    assert workspace.can_read(inputs, weights)
    assert workspace.lstm(inputs, weights) is not None


def test_a_workspace_that_holds_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_row_length", lambda values: values + 16)
    monkeypatch.setattr(workspace, "_known", set())
    module = nn.LSTM(3, 5, batch_first=True)
    check(module, torch.randn(2, 6, 3), None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", list(KINDS))
def test_on_a_gpu_signals_equal_the_float64_reference(kind: Callable[..., nn.RNNBase]) -> None:
    module = make(kind, 20, 128, {"num_layers": 2, "batch_first": True}, 0)
    inputs = torch.randn(8, 50, 20)
    expected = reference(module, inputs.numpy())
    captured = pipeline.capture(module.cuda())(inputs.cuda())
    for name, values in captured[""].items():
        right = np.stack([np.stack([way[name] for way in layer]) for layer in expected])
        np.testing.assert_allclose(values.cpu().numpy(), right, rtol=0, atol=1e-5)
