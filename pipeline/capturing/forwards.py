"""Where captures meet torch: while one is open, recurrent classes compute through what is below.

Nothing is put into a module. The forwards of torch's classes (and of ours) are replaced by one that asks who
listens to this very module, and runs the class's own where nobody does; calls of a whole network are seen by
torch's global hooks. So a module that is copied or saved meanwhile is the plain module that it was, and its copy
is heard by no one. When the last capture closes, the classes have their own forwards again.
"""

import inspect
import threading
from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from pipeline.capturing.modules import RECURRENT, check_mode, read_recurrent
from pipeline.capturing.unrolling import Unrolled, unroll_module

Forward = Callable[..., Any]


class Listener(Protocol):
    """An open capture, as this file sees it."""

    def hears(self, module: nn.Module) -> bool:
        """Whether a recurrent module is one of its own."""

    def watches(self, module: nn.Module) -> bool:
        """Whether a module is the one whose calls it counts."""

    def begin_call(self) -> None:
        """The module whose calls it counts begins one."""

    def end_call(self) -> None:
        """It ends one."""

    def path_of(self, module: nn.Module) -> str:
        """Where a recurrent module lies, for an error."""

    def carried(self, module: nn.Module) -> Any:
        """The state that a module's next run begins with if it is given none, or None."""

    def keep(self, module: nn.Module, run: Unrolled) -> None:
        """Take what a module did."""


_lock = threading.Lock()
_listeners: tuple[Listener, ...] = ()  # a new one for each change: another thread may be reading it
_own: dict[type[nn.Module], Forward] = {}  # the classes' forwards, while they are replaced
_hooks: list[RemovableHandle] = []
_signature = cache(inspect.signature)


def listen(listener: Listener) -> None:
    """Let a capture hear what its modules do from now on."""
    global _listeners  # noqa: PLW0603  # torch's classes are as global as that
    with _lock:
        if not _listeners:
            _replace_forwards()
        _listeners = (*_listeners, listener)


def leave(listener: Listener) -> None:
    """Let a capture hear no more."""
    global _listeners  # noqa: PLW0603
    with _lock:
        _listeners = tuple(other for other in _listeners if other is not listener)
        if not _listeners:
            _restore_forwards()


def _replace_forwards() -> None:
    for kind in RECURRENT:
        _own[kind] = kind.forward
        kind.forward = _captured(kind.forward)
    _hooks.append(register_module_forward_pre_hook(_begin_call))
    _hooks.append(register_module_forward_hook(_end_call, always_call=True))


def _restore_forwards() -> None:
    for hook in _hooks:
        hook.remove()
    _hooks.clear()
    for kind, own in _own.items():
        kind.forward = own
    _own.clear()


def _begin_call(module: nn.Module, *_: object) -> None:
    for listener in _listeners:
        if listener.watches(module):
            listener.begin_call()


def _end_call(module: nn.Module, *_: object) -> None:
    for listener in _listeners:
        if listener.watches(module):
            listener.end_call()


def _captured(own: Forward) -> Forward:
    """The forward of a class while captures are open; `own` is its own."""

    def forward(module: nn.Module, *inputs: Any, **options: Any) -> Any:
        """Run a module, and tell those who listen to it."""
        listening = [listener for listener in _listeners if listener.hears(module)]
        if not listening:
            return own(module, *inputs, **options)
        return _run(own, module, listening, *_arguments(own, module, inputs, options))

    return update_wrapper(forward, own)


def _arguments(
    own: Forward, module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Any]:
    """Inputs and state, by whatever names the class gives them. Raises TypeError as any call does."""
    bound = _signature(own).bind(module, *inputs, **options)
    bound.apply_defaults()
    _, given, state = bound.args
    return given, state


def _run(own: Forward, module: nn.Module, listening: list[Listener], inputs: Any, state: Any) -> Any:
    """What a captured module's forward does: the same output, and its signals kept by all who listen."""
    with torch.no_grad():
        recurrent = read_recurrent(module)
    path = listening[-1].path_of(module) or recurrent.name
    check_mode(path, module, recurrent.weights[0][0].weight_ih.device.type)
    if state is None:
        states = (listener.carried(module) for listener in listening)
        state = next((carried for carried in states if carried is not None), None)

    with torch.no_grad():
        run = unroll_module(recurrent, inputs, state)
    for listener in listening:
        listener.keep(module, run)

    if _wants_gradients((*module.parameters(), recurrent.weights, inputs, state)):
        return own(module, inputs, state)
    return run.output


def _wants_gradients(values: Any) -> bool:
    """Whether a derivative may be asked through any tensor, backwards or (a dual tensor) forwards."""
    if not torch.is_grad_enabled() and forward_ad._current_level < 0:  # noqa: SLF001  # asked for each step of a cell
        return False
    if isinstance(values, Tensor):
        needs_graph = torch.is_grad_enabled() and values.requires_grad
        return needs_graph or forward_ad.unpack_dual(values).tangent is not None  # type: ignore[no-untyped-call]
    return isinstance(values, tuple | list) and any(map(_wants_gradients, values))
