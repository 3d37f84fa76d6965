"""Where captures meet torch: while one is open, what it listens to computes through what is below.

Nothing is put into a module. Its class's forward is replaced by one that is the class's own for every module but
those that somebody listens to: recurrent ones, and the one whose calls are counted. So a module that is copied or
saved meanwhile is the plain module that it was, and its copy is heard by no one; any other module of its class can
be scripted, compiled and exported. When the last capture closes, the classes are as they were.
"""

import copy
import inspect
import threading
from collections.abc import Callable
from functools import cache, partial, update_wrapper
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from pipeline.capturing.modules import RECURRENT, check_mode, read_recurrent
from pipeline.capturing.unrolling import Unrolled, unroll_module
from schemas.errors import UsageError

BEFORE = "do that before or after `with pipeline.capture(module)`"
PREPARE = "__prepare_scriptable__"  # what torch.jit.script asks of every module before it reads it
Forward = Callable[..., Any]


class Listener(Protocol):
    """An open capture, as this file sees it."""

    @property
    def module(self) -> nn.Module:
        """The one whose calls it counts."""

    @property
    def known(self) -> frozenset[int]:
        """The modules that it may hear or watch, by id()."""

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
_replaced: list[type[nn.Module]] = []
_hooks: list[RemovableHandle] = []
_signature = cache(inspect.signature)


def listen(listener: Listener) -> None:
    """Let a capture hear what its modules do from now on."""
    global _listeners  # noqa: PLW0603  # torch's classes are as global as that
    with _lock:
        for kind in (*RECURRENT, type(listener.module)):
            _replace_forward(kind)
        if "forward" in vars(listener.module) and not _hooks:  # someone has replaced its forward, which hides ours
            _hooks.append(register_module_forward_pre_hook(_begin_call))
            _hooks.append(register_module_forward_hook(_end_call, always_call=True))
        _listeners = (*_listeners, listener)


def leave(listener: Listener) -> None:
    """Let a capture hear no more."""
    global _listeners  # noqa: PLW0603
    with _lock:
        _listeners = tuple(other for other in _listeners if other is not listener)
        if not _listeners:
            _restore_forwards()


class _Forward:
    """The forward of a class while captures are open."""

    def __init__(self, kind: type[nn.Module]) -> None:
        """It stands for what the class has, or inherits, itself; what was replaced further up counts as it was."""
        own: Any = inspect.getattr_static(kind, "forward")
        self.own: Any = own.own if isinstance(own, _Forward) else own
        self.was_its_own = "forward" in vars(kind)

    def __get__(self, module: nn.Module | None, kind: type[nn.Module]) -> Forward:
        """The class's own, or for a module that someone listens to the one that tells them."""
        own: Forward = self.own.__get__(module, kind) if hasattr(self.own, "__get__") else self.own
        for listener in _listeners:
            if module is not None and id(module) in listener.known:
                return _telling(own, module)
        return own

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with a class, as cloudpickle does, it is the class's own."""
        return copy.copy, (self.own,)


def _telling(own: Forward, module: nn.Module) -> Forward:
    """The forward of a module that someone listens to."""
    return update_wrapper(partial(_call, own, module), own)


def _replace_forward(kind: type[nn.Module]) -> None:
    if isinstance(vars(kind).get("forward"), _Forward):
        return
    kind.forward = _Forward(kind)  # type: ignore[assignment]
    if not hasattr(kind, PREPARE):
        setattr(kind, PREPARE, _refuse_to_script)
    _replaced.append(kind)


def _restore_forwards() -> None:
    for kind in _replaced:
        forward = vars(kind)["forward"]
        if forward.was_its_own:
            kind.forward = forward.own
        else:
            del kind.forward
        if vars(kind).get(PREPARE) is _refuse_to_script:
            delattr(kind, PREPARE)
    _replaced.clear()
    for hook in _hooks:
        hook.remove()
    _hooks.clear()


def _is_listened_to(module: nn.Module) -> bool:
    return any(id(module) in listener.known for listener in _listeners)


def _refuse_to_script(module: nn.Module) -> nn.Module:
    """Raise UsageError when a module that someone listens to is to be scripted."""
    if _is_listened_to(module):
        raise UsageError(f"a {type(module).__name__} that is being captured cannot be scripted: {BEFORE}")
    return module


def _call(own: Forward, module: nn.Module, *inputs: Any, **options: Any) -> Any:
    """Run a module, and tell those who listen to it."""
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        raise UsageError(
            f"a {type(module).__name__} that is being captured cannot be traced or exported, for then there are "
            f"no values to keep: {BEFORE}"
        )
    _begin_call(module)
    try:
        listening = [listener for listener in _listeners if listener.hears(module)]
        if listening:
            return _run(own, module, listening, *_arguments(own, inputs, options))
        return own(*inputs, **options)
    finally:
        _end_call(module)


def _begin_call(module: nn.Module, *_: object) -> None:
    for listener in _listeners:
        if listener.watches(module):
            listener.begin_call()


def _end_call(module: nn.Module, *_: object) -> None:
    for listener in _listeners:
        if listener.watches(module):
            listener.end_call()


def _leave_as_it_is() -> None:
    """Keep torch.compile away from what is captured: that runs as it is written, and fullgraph=True tells why.

    Nor may it make a function of `__get__` alone, whose result it would look up as `module.forward` again. This is
    what torch.compiler.disable does, which takes seconds to import.
    """
    compiler = torch._C._dynamo.eval_frame  # noqa: SLF001
    skip = compiler._FrameAction.SKIP  # noqa: SLF001
    for function in (_Forward.__get__, _call):
        compiler.set_code_exec_strategy(function.__code__, compiler._FrameExecStrategy(skip, skip))  # noqa: SLF001
    told = f"a module that is being captured runs as it is written: {BEFORE}"
    vars(_telling).update(_torchdynamo_disable=True, _torchdynamo_disable_msg=told)


_leave_as_it_is()


def _arguments(own: Forward, inputs: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
    """Inputs and state, by whatever names the class gives them. Raises TypeError as any call does."""
    bound = _signature(own.__func__).bind(own.__self__, *inputs, **options)  # type: ignore[attr-defined]
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
        return own(inputs, state)
    return run.output


def _wants_gradients(values: Any) -> bool:
    """Whether a derivative may be asked through any tensor, backwards or (a dual tensor) forwards."""
    if not torch.is_grad_enabled() and forward_ad._current_level < 0:  # noqa: SLF001  # asked for each step of a cell
        return False
    if isinstance(values, Tensor):
        needs_graph = torch.is_grad_enabled() and values.requires_grad
        return needs_graph or forward_ad.unpack_dual(values).tangent is not None  # type: ignore[no-untyped-call]
    return isinstance(values, tuple | list) and any(map(_wants_gradients, values))
