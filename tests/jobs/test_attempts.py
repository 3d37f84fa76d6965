"""The driver's loop over attempts, on a runner whose calls end as each test says; time passes as it is told to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.driver.attempts import LIMITS, Attempts, Cause, Limits, cause_of
from jobs.runners.base import Argument, DeviceLost, Needs, OutOfMemory, Ticket, WorkerLost
from schemas.errors import StorageError, StorageUnavailableError, UsageError

NEVER = object()  # a call that does not end


@dataclass
class ScriptedRunner:
    """Each argument's calls end in the order given, one second after they began; then well."""

    script: dict[str, list[object]]
    slots: int = 2
    window: int = 4
    now: float = 0.0
    calls: list[str] = field(default_factory=list)
    cancelled: list[Ticket] = field(default_factory=list)
    open: dict[Ticket, object] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def needing(self, needs: Needs) -> Self:  # noqa: ARG002
        return self

    def submit(self, function: Callable[[Argument], None], argument: Argument) -> Ticket:  # noqa: ARG002
        name = str(argument)
        self.calls.append(name)
        ticket = f"{name} {self.calls.count(name)}"
        ends = self.script.get(name, [])
        self.open[ticket] = ends.pop(0) if ends else None
        return ticket

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> list[tuple[Ticket, Exception | None]]:  # noqa: ARG002
        self.now += 1.0
        for ticket in tickets:
            end = self.open[ticket]
            if end is not NEVER:
                del self.open[ticket]
                assert end is None or isinstance(end, Exception)
                return [(ticket, end)]
        return []

    def cancel(self, ticket: Ticket) -> None:
        self.cancelled.append(ticket)
        self.open.pop(ticket, None)


def make(runner: ScriptedRunner, arguments: list[str], limits: Limits = LIMITS) -> dict[str, Exception | None]:
    now = replace(limits, pause=0.0)
    attempts: Attempts[str] = Attempts(runner, print, now, clock=lambda: runner.now)
    done = list(attempts.make(arguments))
    assert len(done) == len(arguments), "each argument once"
    return dict(done)


@pytest.mark.parametrize(
    ("failure", "cause", "cap"),
    [
        (RuntimeError("x"), Cause.BUG, 2),
        (WorkerLost("gone"), Cause.LOST, 20),
        (DeviceLost("CUDA error"), Cause.DEVICE, 3),
        (OutOfMemory("none left"), Cause.MEMORY, 3),
        (MemoryError(), Cause.MEMORY, 3),
        (StorageUnavailableError("503"), Cause.STORAGE, 6),
        (StorageError("damaged"), Cause.REFUSED, 1),
        (UsageError("no"), Cause.REFUSED, 1),
    ],
)
def test_every_cause_has_its_own_cap(failure: Exception, cause: Cause, cap: int) -> None:
    assert cause_of(failure) is cause
    runner = ScriptedRunner({"a": [failure] * (cap - 1)})
    assert make(runner, ["a", "b"]) == {"a": None, "b": None}
    runner = ScriptedRunner({"a": [failure] * cap})
    assert make(runner, ["a", "b"]) == {"a": failure, "b": None}
    assert runner.calls.count("a") == cap


def test_an_attempt_that_does_not_end_is_given_up_and_made_again() -> None:
    runner = ScriptedRunner({"a": [NEVER, NEVER]})
    assert make(runner, ["a"], Limits(seconds=10.0)) == {"a": None}
    assert runner.cancelled == ["a 1", "a 2"]
    runner = ScriptedRunner({"a": [NEVER] * 3})
    (failure,) = make(runner, ["a"], Limits(seconds=10.0)).values()
    assert "no end after 10 seconds" in str(failure)


def test_waiting_at_a_worker_is_not_counted_as_taking_long() -> None:
    """With one slot, the second call begins when the first has ended."""
    runner = ScriptedRunner({"a": [NEVER]}, slots=1, window=2)
    attempts = Attempts(runner, print, Limits(seconds=10.0, pause=0.0), clock=lambda: runner.now)
    assert dict(attempts.make(["a", "b"])) == {"a": None, "b": None}
    assert runner.cancelled == ["a 1"]


def test_a_straggler_gets_a_second_attempt_and_the_first_to_end_wins() -> None:
    names = ["a", "b", "c", "d", "late"]
    runner = ScriptedRunner({"late": [NEVER, None]})
    assert make(runner, names, Limits(straggler_seconds=5.0)) == dict.fromkeys(names)
    assert runner.calls.count("late") == 2
    assert runner.cancelled == ["late 1"]
    runner = ScriptedRunner({"late": [NEVER, None]})
    make(runner, names, Limits(straggler=None, seconds=100.0))
    assert runner.now > 100, "without stragglers it waits for the time-out"


def test_failures_of_one_of_two_attempts_leave_the_other_to_it() -> None:
    names = ["a", "b", "c", "late"]
    runner = ScriptedRunner({"late": [NEVER, WorkerLost("x"), None]})
    assert make(runner, names, Limits(straggler_seconds=5.0)) == dict.fromkeys(names)


def test_an_end_from_outside_cancels_what_is_under_way() -> None:
    runner = ScriptedRunner({"a": [NEVER], "b": [NEVER]})

    def watch() -> None:
        if runner.now > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Attempts(runner, print, LIMITS, watch, clock=lambda: runner.now).make(["a", "b", "c"]))
    assert set(runner.cancelled) == {"a 1", "b 1"}


def test_pauses_grow_and_are_told() -> None:
    told: list[str] = []
    runner = ScriptedRunner({"a": [StorageUnavailableError("503 SlowDown")] * 2})
    limits = Limits(pause=0.001)
    assert list(Attempts(runner, print, limits, tell=told.append).make(["a"])) == [("a", None)]
    assert told == [
        "an attempt got no answer from the store (503 SlowDown); the next follows in 0.001 s",
        "an attempt got no answer from the store (503 SlowDown); the next follows in 0.002 s",
    ]


ENDS = st.lists(st.sampled_from([None, NEVER, RuntimeError("x"), WorkerLost("x"), UsageError("x")]), max_size=6)


@given(st.dictionaries(st.sampled_from("abcdefgh"), ENDS, min_size=1), st.integers(1, 4), st.integers(0, 4))
def test_every_plan_is_told_once_whatever_happens(script: dict[str, list[object]], slots: int, more: int) -> None:
    runner = ScriptedRunner({name: list(ends) for name, ends in script.items()}, slots, slots + more)
    make(runner, list(script), Limits(seconds=20.0, straggler_seconds=5.0))
    assert not runner.open
