"""What torch makes of modules while a capture is open: scripts, traces, exported programs, compiled functions."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pipeline
from pipeline.capturing.capture import Capture
from schemas.errors import UsageError

OLD = "ignore:.*(deprecated|TorchScript).*"
EXPORT = "ignore:.*assigned during export"  # an nn.LSTM's own list of its weights
pytestmark = [pytest.mark.filterwarnings(OLD, EXPORT, "ignore::torch.jit.TracerWarning")]
X = torch.randn(2, 3, 4)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.readout = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.readout(self.lstm(x)[0])
        return output


class Steps(nn.Module):
    """A recurrent module that torch.compile goes into, as it does not into an nn.LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.zeros(len(x), 6)
        for step in range(x.shape[1]):
            hidden = self.cell(x[:, step], hidden)
        return hidden


def script(module: nn.Module) -> Callable[..., Any]:
    return torch.jit.script(module)  # type: ignore[no-any-return]


OTHERS = [
    (lambda: nn.Sequential(nn.LSTM(4, 6)), X),
    (lambda: nn.Sequential(nn.GRU(4, 6)), X),
    (lambda: nn.LSTMCell(4, 6), X[0]),
    (lambda: nn.RNNCell(4, 6), X[0]),
    (Net, X),
]


@pytest.mark.parametrize(
    ("root", "make", "inputs"),
    [
        *((Net, *other) for other in OTHERS),
        (lambda: nn.LSTM(4, 6), Net, X),
        (lambda: nn.Sequential(Net()), Net, X),
    ],
)
def test_other_modules_are_scripted_inside_a_capture_and_after_it(
    root: Callable[[], nn.Module], make: Callable[[], nn.Module], inputs: Tensor
) -> None:
    before, inside, after = make(), make(), make()
    scripts = [script(before)]
    with pipeline.capture(root()) as captured:
        scripts.append(script(inside))
        torch.testing.assert_close(scripts[1](inputs), inside(inputs))
    scripts.append(script(after))
    for own, scripted in zip((before, inside, after), scripts, strict=True):
        torch.testing.assert_close(scripted(inputs), own(inputs))
    assert not captured.calls


def test_the_captured_module_is_scripted_before_and_after_and_else_refused() -> None:
    net = Net()
    before = script(net)
    with pipeline.capture(net) as captured:
        told = r"that is being captured cannot be scripted: do that before or after `with pipeline\.capture"
        for part in (net, net.lstm, nn.Sequential(net.lstm)):
            with pytest.raises(UsageError, match=told):
                script(part)
        torch.testing.assert_close(before(X), net(X))
    assert len(captured.calls) == 1
    torch.testing.assert_close(script(net)(X), net(X))
    assert not hasattr(Net, "__prepare_scriptable__")


def test_a_traced_module_is_another_one_or_refused() -> None:
    net, other = Net(), Net()
    with pipeline.capture(net) as captured, torch.no_grad():
        traced = torch.jit.trace(other, X)
        for part, inputs in ((net, X), (net.lstm, X)):
            with pytest.raises(
                UsageError, match="cannot be traced or exported, for then there are no values to keep"
            ):
                torch.jit.trace(part, inputs)
        captured.calls.clear()
        net(X)
    torch.testing.assert_close(traced(X), other(X))
    assert len(captured.calls) == 1, "what failed has ended"


def test_a_class_that_is_pickled_inside_a_capture_keeps_its_own_forward() -> None:
    own = nn.LSTM.forward
    with pipeline.capture(nn.LSTM(4, 6)):
        assert nn.LSTM.forward is own
        assert pickle.loads(pickle.dumps(vars(nn.LSTM)["forward"])) is own


@pytest.mark.slow  # torch's compiler takes some seconds to import
@pytest.mark.parametrize("strict", [False, True])
def test_other_modules_are_exported_inside_a_capture(strict: bool) -> None:
    for make in (Net, Steps, lambda: nn.Sequential(nn.Linear(4, 2))):
        other = make().eval()
        with pipeline.capture(Net()):
            program = torch.export.export(other, (X,), strict=strict)
        torch.testing.assert_close(program.module()(X), other(X))


@pytest.mark.slow
def test_the_captured_module_is_not_exported() -> None:
    with pipeline.capture(net := Net().eval()), pytest.raises(UsageError, match="cannot be traced or exported"):
        torch.export.export(net, (X,))
    with (
        pipeline.capture(net),
        pytest.raises(Exception, match="a module that is being captured runs as it is written"),
    ):
        torch.export.export(net, (X,), strict=True)
    torch.testing.assert_close(torch.export.export(net, (X,)).module()(X), net(X))


def compiled(module: nn.Module, **options: Any) -> Callable[..., Any]:
    torch.compiler.reset()
    return torch.compile(module, backend="eager", **options)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Net, Steps])
def test_modules_are_compiled_inside_a_capture(make: type[nn.Module]) -> None:
    net, other = make(), make()
    quick = compiled(other, fullgraph=make is Steps)
    with pipeline.capture(net) as captured:
        torch.testing.assert_close(quick(X), other(X))
        torch.testing.assert_close(compiled(net)(X), net(X))
    assert len(captured.calls) == 2, "those of the captured module, which runs as it is written"
    torch.testing.assert_close(quick(X), other(X))


def signals(captured: Capture) -> list[Tensor]:
    return [call[path]["hidden_state"] for call in captured.calls for path in call]


@pytest.mark.slow
@pytest.mark.parametrize("make", [Net, Steps])
def test_a_compiled_module_is_captured_as_the_one_that_it_was_made_from(make: type[nn.Module]) -> None:
    net = make()
    quick: Any = compiled(net)
    quick(X)
    with torch.no_grad(), pipeline.capture(net) as inner, pipeline.capture(quick) as outer:
        quick(X)
        net(X)
    assert list(inner) == list(outer)
    assert len(inner.calls) == len(outer.calls) == 2
    for given in (inner, outer):
        assert all(map(torch.equal, signals(given), signals(pipeline.capture(net)(X)) * 2))
    quick(X)
    assert len(inner.calls) == 2
