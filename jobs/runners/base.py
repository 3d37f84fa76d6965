"""What a runner is. It knows nothing of stages: it calls a function, somewhere, once for each ticket."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

Argument = TypeVar("Argument")
Ticket = Hashable


class WorkerLost(Exception):  # noqa: N818  # what happened, not what was done wrong
    """The process or machine that made a call has gone."""


class DeviceLost(Exception):  # noqa: N818
    """A GPU failed under a call. Its process can use none any more; Ray gives every GPU task a fresh one."""


class OutOfMemory(Exception):  # noqa: N818
    """A call's process was ended because its machine had no memory left."""


class Needs(NamedTuple):
    """What a call occupies of a cluster while it runs."""

    cpus: float = 1.0
    gpus: float = 0.0
    at_once: int | None = None  # calls that may run at the same time; None: as many as there are cores
    memory: float = 0.0  # bytes at its peak, where they may be many: no machine gets more than it has room for
    calls: Mapping[str, float] = MappingProxyType({})  # what it starts beside itself, by Ray's names


class Runner(Protocol):
    """Calls a function on one argument after another; entered before its first use, left after its last."""

    def __enter__(self) -> Self:
        """Start what is needed."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started."""

    def needing(self, needs: Needs) -> "Runner":
        """The same runner, for calls that need so much."""

    @property
    def slots(self) -> int:
        """How many calls run at the same time."""

    @property
    def window(self) -> int:
        """How many calls may be under way, with those that wait at their worker."""

    def submit(self, function: Callable[[Argument], None], argument: Argument) -> Ticket:
        """Have the function called on an argument, once."""

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[tuple[Ticket, Exception | None]]:
        """The calls that have ended, each with its failure if any; none when none has after so many seconds."""

    def cancel(self, ticket: Ticket) -> None:
        """End a call, by force if it does not end; whatever it had done stays."""
