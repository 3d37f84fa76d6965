"""`pipeline.capture(module)`: run a network as usual, and have every signal of every recurrent layer.

    with pipeline.capture(model) as captured:
        logits = model(tokens)
    captured["encoder.lstm"]["forget_gate"]      # (layers, directions, batch, steps, neurons)

While it is open, recurrent modules compute through `pipeline.capturing.methods`, which give the same hidden states
within rounding. Where gradients are wanted the module's own forward runs as well and its output is passed on, so
that training through it is untouched; signals never carry gradients.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pipeline.capturing.modules import check_free, check_mode, find_recurrent, read_recurrent
from pipeline.capturing.unrolling import LayerRun, Unrolled, flip, unroll_module
from schemas.errors import UsageError, unknown
from schemas.signals import CELL_SIGNALS


@dataclass(frozen=True)
class LayerSignals(Mapping[str, Tensor]):
    """The signals of one recurrent module during one call, by name.

    A signal is (layers, directions, batch, steps, neurons), batch before steps whatever `batch_first` says; one
    sequence without a batch is a batch of 1. Direction 1 reads from the end, and its value at step t is that after
    reading step t. Steps that a packed sequence does not have are NaN. Several runs within one call (a Cell form,
    a decoder's loop) follow one another as steps. A signal is put together when it is asked for.
    """

    runs: list[Unrolled] = field(default_factory=list)

    def __getitem__(self, signal: str) -> Tensor:
        """One signal. Raises UsageError with the known ones for a name that the cell does not have."""
        if signal not in self.names:
            raise unknown(f"signal of a {self.cell}", signal, self.names)

        runs = [_stacked(run, signal) for run in self.runs]
        if len({run.shape[2] for run in runs}) > 1:
            raise UsageError(
                "the module ran with batches of different sizes within one call: see `runs`, one by one"
            )
        return runs[0] if len(runs) == 1 else torch.cat(runs, 3)

    def __iter__(self) -> Iterator[str]:
        """The cell's signals, in the order of the table."""
        return iter(self.names)

    def __len__(self) -> int:
        """Their number."""
        return len(self.names)

    @property
    def cell(self) -> str:
        """The kind of cell."""
        return self.runs[0].layers[0][0].cell

    @property
    def names(self) -> tuple[str, ...]:
        """The signals that the cell has."""
        return CELL_SIGNALS[self.cell]

    def layer(self, layer: int, direction: int = 0) -> LayerRun:
        """One layer in one direction, of the last run: its own tensors, without a copy."""
        return self.runs[-1].layers[layer][direction]


class Call(dict[str, LayerSignals]):
    """What one call of the module gave: signals by the path of each recurrent module that ran."""

    def __missing__(self, path: str) -> LayerSignals:
        """Raise UsageError with the known paths."""
        raise unknown("recurrent module", path, [known or '"" (the module itself)' for known in self])


class Capture:
    """Signals of every call between entering and leaving; `captured[path]` reads the last one."""

    def __init__(self, module: nn.Module, *, carry_state: bool = False) -> None:
        """See `pipeline.capture`.

        Args:
            module: any module with recurrent layers inside.
            carry_state: begin each run with the state that the last one of the same module ended with, unless it
                is given one: a long sequence can so be run in pieces.
        """
        self.calls: list[Call] = []
        self._module = module
        self._found = find_recurrent(module)
        self._carry_state = carry_state
        self._states: dict[str, Any] = {}
        self._depth = 0  # of calls of the module within one another
        self._hooks: list[Any] = []

    def __getitem__(self, path: str) -> LayerSignals:
        """The signals of one recurrent module in the last call; the path of the module itself is ""."""
        if not self.calls:
            raise UsageError("nothing was captured: call the module inside `with pipeline.capture(module):`")
        return self.calls[-1][path]

    def __contains__(self, path: object) -> bool:
        """Whether a recurrent module of that path ran in the last call."""
        return bool(self.calls) and path in self.calls[-1]

    def __iter__(self) -> Iterator[str]:
        """The paths of the recurrent modules inside, whether they have run or not."""
        return iter(self._found)

    def __len__(self) -> int:
        """Their number."""
        return len(self._found)

    def __repr__(self) -> str:
        """What was found, and how often it ran."""
        modules = ", ".join(f"{path!r}: {type(module).__name__}" for path, module in self._found.items())
        return f"<capture of {{{modules}}}, {len(self.calls)} calls>"

    def __call__(self, *inputs: Any, **options: Any) -> Self:
        """Run the module once, without gradients, and give the capture: `pipeline.capture(model)(batch)`."""
        with self, torch.no_grad():
            self._module(*inputs, **options)
        return self

    def __enter__(self) -> Self:
        """Begin to capture."""
        if self._hooks:
            raise UsageError("this capture is open already: one `with` at a time")
        check_free(self._found)
        for path, module in self._found.items():
            module.forward = partial(self._forward, path, module)
        self._hooks = [
            self._module.register_forward_pre_hook(self._begin_call),
            self._module.register_forward_hook(self._end_call, always_call=True),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave every module as it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._depth = 0
        for module in self._found.values():
            del module.forward

    def _begin_call(self, *_: object) -> None:
        if not self._depth:
            self.calls.append(Call())
        self._depth += 1

    def _end_call(self, *_: object) -> None:
        self._depth -= 1

    def _forward(
        self,
        path: str,
        module: nn.Module,
        input: Tensor | PackedSequence,  # noqa: A002  # torch's own names, for those who call by name
        hx: Any = None,
    ) -> Any:
        """What a captured module's forward is: the same output, and its signals kept."""
        check_mode(path, module)

        if not self._depth:  # a part of the module was called by itself
            self.calls.append(Call())
        if self._carry_state and hx is None and path not in self.calls[-1]:
            hx = self._states.get(path)

        with torch.no_grad():
            run = unroll_module(read_recurrent(module), input, hx)
        self._states[path] = run.state
        self.calls[-1].setdefault(path, LayerSignals()).runs.append(run)

        if _wants_gradients(module, input):
            own: Callable[..., Any] = type(module).forward
            return own(module, input) if hx is None else own(module, input, hx)
        return run.output


def _stacked(run: Unrolled, signal: str) -> Tensor:
    """A signal of one run, (layers, directions, batch, steps, neurons)."""
    layers = [torch.stack([_in_order(way, signal) for way in layer]) for layer in run.layers]
    return torch.stack(layers)


def _in_order(run: LayerRun, signal: str) -> Tensor:
    """A signal with steps in the order of the text, NaN where a packed sequence has none."""
    values = run.signals[signal]
    if run.is_reversed:
        values = flip(values, run.lengths)
    if run.lengths is None:
        return values
    steps = torch.arange(values.shape[1], device=values.device)
    return values.masked_fill((steps >= run.lengths[:, None])[..., None], torch.nan)


def _wants_gradients(module: nn.Module, inputs: Tensor | PackedSequence) -> bool:
    values = inputs.data if isinstance(inputs, PackedSequence) else inputs
    trained = any(parameter.requires_grad for parameter in module.parameters())
    return torch.is_grad_enabled() and (trained or values.requires_grad)
