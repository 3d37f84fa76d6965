"""`pipeline.capture(module)`: run a network as usual, and have every signal of every recurrent layer.

    with pipeline.capture(model) as captured:
        logits = model(tokens)
    captured["encoder.lstm"]["forget_gate"]      # (layers, directions, batch, steps, neurons)

While it is open, recurrent modules compute through `pipeline.capturing.methods`, which give the same hidden states
within rounding. Where gradients are wanted the module's own forward runs as well and its output is passed on, so
that training through it is untouched; signals never carry gradients.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from pipeline.capturing import forwards
from pipeline.capturing.layer_signals import Call, LayerSignals, html_table
from pipeline.capturing.modules import find_recurrent, require_module, uncompiled
from pipeline.capturing.unrolling import Unrolled
from schemas.errors import UsageError


class Capture:
    """Signals of every call between entering and leaving; `captured[path]` reads the last one."""

    def __init__(self, module: nn.Module, *, carry_state: bool = False) -> None:
        """See `pipeline.capture`.

        Args:
            module: any module with recurrent layers inside.
            carry_state: begin each run with the state that the last one of the same module ended with, unless it
                is given one: a long sequence can so be run in pieces.
        """
        require_module(module)
        self.calls: list[Call] = []
        self._given = module
        self.module = uncompiled(module)
        self._found = find_recurrent(self.module)
        self._paths = {id(inner): path for path, inner in self._found.items()}
        self.known = frozenset((id(self.module), *self._paths))
        self._carry_state = carry_state
        self._states: dict[str, Any] = {}
        self._depth = 0  # of calls of the module within one another
        self._is_open = False
        self._backward = -1  # torch's number of the backward pass in which it was opened, -1 outside of any

    def __getitem__(self, path: str) -> LayerSignals:
        """The signals of one recurrent module in the last call; the path of the module itself is ""."""
        if not self.calls:
            raise UsageError("nothing was captured: call the module inside `with unrolled.capture(module):`")
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

    def _repr_html_(self) -> str:
        """The same for a notebook, a line a module."""
        rows = [
            (repr(path), type(module).__name__, sum(path in call for call in self.calls))
            for path, module in self._found.items()
        ]
        return html_table(("path", "module", "calls"), rows)

    def __call__(self, *inputs: Any, **options: Any) -> Self:
        """Run the module once, without gradients, and give the capture: `pipeline.capture(model)(batch)`."""
        with self, torch.no_grad():
            self._given(*inputs, **options)
        return self

    def __enter__(self) -> Self:
        """Begin to capture."""
        if self._is_open:
            raise UsageError("this capture is open already: one `with` at a time")
        self._is_open = True
        self._backward = _backward_pass()
        forwards.listen(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything as it was."""
        forwards.leave(self)
        self._is_open = False
        self._depth = 0

    def hears(self, module: nn.Module) -> bool:
        """Whether a recurrent module's run is to be captured.

        What runs in the middle of a backward pass is a checkpoint that is worked out a second time.
        """
        return id(module) in self._paths and _backward_pass() == self._backward

    def watches(self, module: nn.Module) -> bool:
        """Whether a call of a module is one of the calls that are counted."""
        return module is self.module and _backward_pass() == self._backward

    def begin_call(self) -> None:
        """The module is called."""
        if not self._depth:
            self.calls.append(Call())
        self._depth += 1

    def end_call(self) -> None:
        """A call has ended; one that began before the capture was opened counts for nothing."""
        self._depth = max(0, self._depth - 1)

    def path_of(self, module: nn.Module) -> str:
        """Where a recurrent module lies."""
        return self._paths[id(module)]

    def carried(self, module: nn.Module) -> Any:
        """The state that the next run of a recurrent module begins with if it is given none, or None."""
        path = self.path_of(module)
        ran_already = bool(self._depth) and path in self.calls[-1]
        return self._states.get(path) if self._carry_state and not ran_already else None

    def keep(self, module: nn.Module, run: Unrolled) -> None:
        """Keep what a recurrent module did."""
        if not self._depth:  # a part of the module was called by itself
            self.calls.append(Call())
        path = self.path_of(module)
        self._states[path] = run.state
        self.calls[-1].setdefault(path, LayerSignals()).runs.append(run)


def _backward_pass() -> int:
    """Torch's number of the backward pass that is going on in this thread, -1 for none."""
    return torch._C._current_graph_task_id()  # noqa: SLF001  # as torch.utils.checkpoint asks it
