"""Attempts: which piece runs when, what is tried again and how often. The driver decides, never the cluster.

A piece may be tried any number of times, at once too: its shards appear whole and once, so the first writer wins
and the others find what they would have written.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic

from jobs.process import interruption
from jobs.runners.base import Argument, DeviceLost, OutOfMemory, Runner, Ticket, WorkerLost
from schemas.errors import StorageUnavailableError, UnrolledError


class Cause(Enum):
    """Why an attempt ended without its piece, in words for a person."""

    REFUSED = "was refused"  # bad input, damaged data: it would be so again
    BUG = "raised an error"
    LOST = "lost its worker"
    DEVICE = "lost its GPU"
    MEMORY = "ran out of memory"
    STORAGE = "got no answer from the store"
    TIME = "took too long"


class TookTooLongError(Exception):
    """An attempt was given up."""


# In this order: a store that is away is an error of ours, too.
_CAUSES: tuple[tuple[type[Exception], Cause], ...] = (
    (StorageUnavailableError, Cause.STORAGE),
    (UnrolledError, Cause.REFUSED),
    (WorkerLost, Cause.LOST),
    (DeviceLost, Cause.DEVICE),
    (OutOfMemory, Cause.MEMORY),
    (MemoryError, Cause.MEMORY),
    (TookTooLongError, Cause.TIME),
)


def cause_of(failure: Exception) -> Cause:
    """Why an attempt failed."""
    return next((cause for kind, cause in _CAUSES if isinstance(failure, kind)), Cause.BUG)


@dataclass(frozen=True)
class Limits:
    """How long and how often."""

    # Spot workers go often and it is nobody's fault; a bug is the same the second time, but for a flaky machine.
    caps: tuple[tuple[Cause, int], ...] = (
        (Cause.REFUSED, 1),
        (Cause.BUG, 2),
        (Cause.LOST, 20),
        (Cause.DEVICE, 3),
        (Cause.MEMORY, 3),
        (Cause.STORAGE, 6),
        (Cause.TIME, 3),
    )
    seconds: float | None = 3600.0  # that one attempt may take; None: as long as it likes
    pause: float = 0.5  # seconds before a second attempt, doubled before each further one
    longest_pause: float = 30.0
    # An attempt is a straggler when it has taken so many times what others of its size did, and so many seconds.
    straggler: float | None = 4.0
    straggler_seconds: float = 30.0


LIMITS = Limits()


@dataclass
class _Work(Generic[Argument]):
    argument: Argument
    failed: list[Cause] = field(default_factory=list)
    not_before: float = 0.0
    tickets: dict[Ticket, float | None] = field(default_factory=dict)  # under way, and when each could begin


class Attempts(Generic[Argument]):
    """Has a function called on every argument until it succeeds, or tells why it does not."""

    def __init__(
        self,
        runner: Runner,
        function: Callable[[Argument], None],
        limits: Limits,
        watch: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            runner: where attempts run.
            function: what is done with an argument.
            limits: how long and how often.
            watch: called now and then; what it raises ends everything.
            tell: is given a line for each attempt that failed and is made again.
            clock: seconds that only go forward.
        """
        self._runner, self._function, self._limits = runner, function, limits
        self._watch, self._tell, self._clock = watch, tell, clock
        self._caps = dict(limits.caps)
        self._waiting: list[_Work[Argument]] = []
        self._running: dict[Ticket, _Work[Argument]] = {}
        self._paces: list[float] = []  # seconds for a unit of size, of those that are done

    def make(self, arguments: Sequence[Argument]) -> Iterator[tuple[Argument, Exception | None]]:
        """Give each argument once its call is done, in any order, with its failure when no attempt is left."""
        self._waiting = [_Work(argument) for argument in arguments]
        try:
            while self._waiting or self._running:
                self._watch()
                self._submit()
                finished = self._finished()
                interruption.check()  # else a piece that a signal has ended would be tried again
                for ticket, failure in finished:
                    yield from self._settle(ticket, failure)
        finally:  # also when the caller has seen enough
            # After a signal the runner stops as a whole: Ray aborts a driver that cancels what is just ending.
            for ticket in () if interruption.is_interrupted() else self._running:
                self._runner.cancel(ticket)
            self._running.clear()

    def _submit(self) -> None:
        now, slots = self._clock(), self._runner.slots
        ready = [work for work in self._waiting if work.not_before <= now]
        for work in ready[: max(0, self._runner.window - len(self._running))]:
            self._waiting.remove(work)
            self._begin(work)
        if not self._waiting and len(self._running) < slots:
            for work in self._stragglers(now)[: slots - len(self._running)]:
                self._begin(work)
        for ticket, work in list(self._running.items())[:slots]:  # the rest wait at their workers
            if work.tickets[ticket] is None:
                work.tickets[ticket] = now

    def _begin(self, work: _Work[Argument]) -> None:
        ticket = self._runner.submit(self._function, work.argument)
        work.tickets[ticket] = None
        self._running[ticket] = work

    def _finished(self) -> list[tuple[Ticket, Exception | None]]:
        if not self._running:  # every piece that is left is to be tried again a little later
            time.sleep(max(0.0, min(1.0, min(work.not_before for work in self._waiting) - self._clock())))
            return []
        finished = list(self._runner.wait(list(self._running), seconds=0.5))
        ended, limit, now = {ticket for ticket, _ in finished}, self._limits.seconds, self._clock()
        for ticket, work in self._running.items():
            begun = work.tickets[ticket]
            if limit is not None and begun is not None and now - begun > limit and ticket not in ended:
                self._runner.cancel(ticket)
                finished.append((ticket, TookTooLongError(f"no end after {limit:g} seconds")))
        return finished

    def _settle(self, ticket: Ticket, failure: Exception | None) -> Iterator[tuple[Argument, Exception | None]]:
        work = self._running.pop(ticket, None)
        if work is None:  # the other attempt at the piece has ended meanwhile
            return

        begun = work.tickets.pop(ticket)
        if failure is None:
            if begun is not None:
                self._paces.append((self._clock() - begun) / _size(work.argument))
            for other in work.tickets:
                self._runner.cancel(other)
                del self._running[other]
            yield work.argument, None
            return

        cause = cause_of(failure)
        work.failed.append(cause)
        tries = work.failed.count(cause)
        if tries >= self._caps[cause]:
            for other in work.tickets:
                self._runner.cancel(other)
                del self._running[other]
            yield work.argument, failure
        elif not work.tickets:
            pause = min(self._limits.longest_pause, self._limits.pause * 2 ** (len(work.failed) - 1))
            work.not_before = self._clock() + pause
            self._waiting.append(work)
            self._tell(f"an attempt {cause.value} ({failure}); the next follows in {pause:g} s")

    def _stragglers(self, now: float) -> list[_Work[Argument]]:
        """Pieces whose only attempt takes far longer than others of their size did, the longest first."""
        limits = self._limits
        if limits.straggler is None or len(self._paces) < 3:
            return []
        pace = statistics.median(self._paces)
        late: list[tuple[float, int, _Work[Argument]]] = []
        for place, work in enumerate(self._running.values()):
            begun = next(iter(work.tickets.values()))
            if len(work.tickets) > 1 or begun is None:
                continue
            usual = max(limits.straggler_seconds, limits.straggler * pace * _size(work.argument))
            if now - begun > usual:
                late.append((begun, place, work))
        return [work for _, _, work in sorted(late)]


def _size(argument: object) -> float:
    return max(1e-9, float(getattr(argument, "size", 1.0)))
