"""A capture leaves nothing in a module: it may be copied, saved, captured again or checkpointed meanwhile."""

import copy
import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import pipeline
from pipeline.models.recurrent_lm import Layers
from schemas.experiment import Architecture

X = torch.randn(5, 2, 4)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.LSTM(4, 4), nn.Sequential(nn.GRU(4, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.encoder(inputs)[0])[0]  # type: ignore[no-any-return]


def saved(module: nn.Module) -> bytes:
    file = io.BytesIO()
    torch.save(module, file)
    return file.getvalue()


MODULES: dict[str, Callable[[], nn.Module]] = {
    "a module": lambda: nn.LSTM(4, 6),
    "a network": Net,
    "our own layers": lambda: Layers(
        Architecture(cell="peephole_lstm", layers=1, hidden_size=6, vocabulary_size=4),
    ),
}
COPIES: dict[str, Callable[[nn.Module], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "torch.save": lambda module: torch.load(io.BytesIO(saved(module)), weights_only=False),
    "an average": lambda module: torch.optim.swa_utils.AveragedModel(module).module,
}


@pytest.mark.parametrize("what", MODULES)
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_made_inside_a_capture_is_a_plain_module(what: str, how: str) -> None:
    module = MODULES[what]()
    before = [set(vars(part)) for part in module.modules()]
    with pipeline.capture(module) as captured:
        module(X)
        made = COPIES[how](module)
        assert [set(vars(part)) for part in module.modules()] == before
        made(X)
        assert len(captured.calls) == 1
        assert len(pipeline.capture(made)(X).calls) == 1
    for part in made.modules():
        assert "forward" not in vars(part)
        assert not part._forward_hooks
        assert not part._forward_pre_hooks


@pytest.mark.parametrize("what", MODULES)
def test_a_file_saved_inside_a_capture_holds_no_signals(what: str) -> None:
    module = MODULES[what]()
    outside = saved(module)
    with pipeline.capture(module):
        module(X)
        assert len(saved(module)) == len(outside)


def test_the_classes_have_their_own_forwards_again() -> None:
    class Inheriting(nn.Sequential):
        """Has no forward of its own."""

    kinds = (nn.LSTM, nn.GRUCell, Layers, Inheriting, nn.Sequential)
    before, hooks = [dict(vars(kind)) for kind in kinds], nn.modules.module._global_forward_hooks
    first, second = pipeline.capture(nn.Sequential(nn.LSTM(4, 6))), pipeline.capture(Inheriting(nn.GRUCell(4, 6)))
    with first:
        second.__enter__()
    assert vars(nn.LSTM)["forward"] is not before[0]["forward"]
    second.__exit__(None, None, None)
    assert [dict(vars(kind)) for kind in kinds] == before
    assert not hooks


def test_a_network_whose_forward_was_replaced_is_heard_and_left_as_it_was() -> None:
    net = Net()
    net.forward = partial(net.forward)  # type: ignore[method-assign]
    hooks = nn.modules.module._global_forward_hooks
    with pipeline.capture(net) as captured, pipeline.capture(Net()) as other:
        net(X)
        net(X)
    assert (len(captured.calls), len(other.calls)) == (2, 0)
    assert set(captured.calls[0]) == set(captured)
    assert not hooks


def test_other_modules_run_as_ever_meanwhile() -> None:
    other = nn.LSTM(4, 6)
    expected = other(X)[0]
    with pipeline.capture(nn.LSTM(4, 6)) as captured:
        given = other(X)[0]
    assert torch.equal(given, expected)
    assert not captured.calls


def test_captures_of_one_module_may_lie_within_one_another() -> None:
    net = Net()
    with torch.no_grad(), pipeline.capture(net) as outer:
        net(X)
        with pipeline.capture(net.encoder) as inner, pipeline.capture(net) as same:
            output = net(X)
        net(X)
    assert [len(captured.calls) for captured in (outer, inner, same)] == [3, 1, 1]
    expected = pipeline.capture(net)(X)["encoder"]["cell_state"]
    assert all(
        torch.equal(signals["cell_state"], expected)
        for signals in (outer.calls[0]["encoder"], outer["encoder"], inner[""], same["encoder"])
    )
    torch.testing.assert_close(output, net(X), rtol=0, atol=1e-6)


def test_captures_of_a_subclass_may_lie_within_one_another() -> None:
    class Named(nn.LSTM):
        """Has the forward of its parent."""

    module = Named(4, 6)
    with pipeline.capture(module) as outer, pipeline.capture(module) as inner:
        module(X)
    assert torch.equal(outer[""]["cell_state"], inner[""]["cell_state"])
    assert "forward" not in vars(Named)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("part", ["the network", "a layer"])
def test_a_checkpoint_that_is_worked_out_twice_is_captured_once(reentrant: bool, part: str) -> None:
    net = Net()
    inputs = X.clone().requires_grad_()

    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, inputs: Tensor) -> Tensor:
            if part == "the network":
                return checkpoint(self.net, inputs, use_reentrant=reentrant)  # type: ignore[no-any-return]
            hidden = checkpoint(self.net.encoder, inputs, use_reentrant=reentrant)[0]
            return self.net.head(hidden)[0]  # type: ignore[no-any-return]

    def gradients() -> list[Tensor]:
        inputs.grad = None
        net.zero_grad()
        saving(inputs).sum().backward()
        return [value.grad for value in (inputs, *net.parameters()) if value.grad is not None]

    saving = Saving()
    bare = gradients()
    with pipeline.capture(saving) as captured, pipeline.capture(net.encoder) as encoder:
        seen = gradients()
    torch.testing.assert_close(seen, bare, rtol=0, atol=1e-6)
    assert len(captured.calls) == len(encoder.calls) == 1
    assert captured["net.encoder"]["cell_state"].shape == encoder[""]["cell_state"].shape == (1, 1, 2, 5, 4)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_capture_may_be_opened_inside_a_checkpoint(reentrant: bool) -> None:
    lstm = nn.LSTM(4, 6)
    inputs = X.clone().requires_grad_()
    seen: list[Tensor] = []

    def run(inputs: Tensor) -> Tensor:
        with pipeline.capture(lstm) as captured:
            hidden: Tensor = lstm(inputs)[0]
        seen.append(captured[""]["cell_state"])
        return hidden

    checkpoint(run, inputs, use_reentrant=reentrant).sum().backward()
    for again in seen[1:]:  # the other kind of checkpoint stops as soon as it has what it needs
        torch.testing.assert_close(again, seen[0])
    assert inputs.grad is not None
