"""One piece after another, in this process: no cluster, and a debugger works."""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from jobs.runners.base import Argument, Needs, Ticket


class LocalRunner:
    """Needs nothing and starts nothing. A call runs when it is waited for, and cannot be cut short."""

    slots = 1
    window = 1

    def __init__(self) -> None:
        self._calls: dict[Ticket, Callable[[], None]] = {}
        self._next = 0

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget what was left."""
        self._calls.clear()

    def needing(self, needs: Needs) -> Self:  # noqa: ARG002
        """It has what this process has."""
        return self

    def submit(self, function: Callable[[Argument], None], argument: Argument) -> Ticket:
        """Note a call."""
        self._next += 1
        self._calls[self._next] = partial(function, argument)
        return self._next

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[tuple[Ticket, Exception | None]]:  # noqa: ARG002
        """Make the first call, however long it takes."""
        try:
            self._calls.pop(tickets[0])()
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller decides
            return [(tickets[0], error)]
        return [(tickets[0], None)]

    def cancel(self, ticket: Ticket) -> None:
        """Forget a call that has not begun."""
        self._calls.pop(ticket, None)
