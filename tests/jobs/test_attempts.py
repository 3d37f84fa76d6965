"""The driver's loop over attempts, on a runner whose calls end as each test says; time passes as it is told to."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.driver import attempts as attempts_module
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
    assert runner.now < 20, "of 3,600 seconds that an attempt may take"
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


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> tuple[ScriptedRunner, list[float]]:
    """A runner whose clock goes on by what the driver sleeps, and those sleeps."""
    runner, slept = ScriptedRunner({}), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        runner.now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    return runner, slept


def test_a_pause_is_slept_in_seconds_and_has_an_end(sleeps: tuple[ScriptedRunner, list[float]]) -> None:
    runner, slept = sleeps
    runner.script["a"] = [WorkerLost("x")] * 3
    told: list[str] = []
    limits = Limits(pause=2.5, longest_pause=6.0)
    attempts = Attempts(runner, print, limits, tell=told.append, clock=lambda: runner.now)
    assert list(attempts.make(["a"])) == [("a", None)]
    assert [line.rpartition(" in ")[2] for line in told] == ["2.5 s", "5 s", "6 s"]
    assert slept == [1.0, 1.0, 0.5] + [1.0] * 5 + [1.0] * 6
    assert runner.now == 4 + sum(slept)


def test_what_failed_goes_to_the_back_of_the_row() -> None:
    runner = ScriptedRunner({"a": [WorkerLost("x")]}, slots=1, window=1)
    attempts = Attempts(runner, print, Limits(pause=2.0), clock=lambda: runner.now)
    assert [plan for plan, _ in attempts.make(["a", "b", "c", "d"])] == ["b", "c", "d", "a"]


def test_each_cause_is_counted_by_itself() -> None:
    failures = [WorkerLost("x"), RuntimeError("x"), WorkerLost("x"), OutOfMemory("x"), DeviceLost("x")]
    runner = ScriptedRunner({"a": [*failures, None]})
    assert make(runner, ["a"]) == {"a": None}
    assert runner.calls == ["a"] * 6


def test_a_limit_is_passed_only_by_more() -> None:
    runner = ScriptedRunner({"a": [NEVER]})
    make(runner, ["a"], Limits(seconds=10.0))
    assert runner.now == 11 + 1, "not given up at 10; then one second for the next attempt"


def test_no_more_is_submitted_than_the_window_holds() -> None:
    most: list[int] = []

    class Counted(ScriptedRunner):
        def wait(self, tickets: Sequence[Ticket], seconds: float) -> list[tuple[Ticket, Exception | None]]:
            most.append(len(tickets))
            return super().wait(tickets, seconds)

    make(Counted({}, slots=2, window=3), list("abcde"))
    assert most == [3, 3, 3, 2, 1]


def test_a_refusal_of_one_of_two_attempts_ends_both() -> None:
    names, refused = ["a", "b", "c", "late"], UsageError("x")
    runner = ScriptedRunner({"late": [NEVER, refused]})
    assert make(runner, names, Limits(straggler_seconds=5.0)) == dict.fromkeys(names) | {"late": refused}
    assert runner.cancelled == ["late 1"]
    assert not runner.open


@dataclass(frozen=True)
class Sized:
    name: str
    size: float


def test_a_pace_is_of_a_unit_of_size_from_when_an_attempt_could_begin() -> None:
    runner = ScriptedRunner({}, slots=1, window=2)
    attempts = Attempts(runner, print, LIMITS, clock=lambda: runner.now)
    assert len(list(attempts.make([Sized("a", 4.0), Sized("b", 0.5), "c"]))) == 3
    assert attempts._paces == [0.25, 2.0, 1.0]


def test_who_is_late_by_hand() -> None:
    """The median pace is 2 s for a unit, so 8 s are usual for one and 24 s for three, and never less than 5 s."""
    limits = Limits(straggler=4.0, straggler_seconds=5.0)
    attempts: Attempts[object] = Attempts(ScriptedRunner({}), print, limits)
    attempts._paces = [1.0, 9.0]
    works = {name: attempts_module._Work[object](Sized(name, size)) for name, size in SIZES.items()}
    for name, work in works.items():
        work.tickets[name] = {"second": 1.0, "waits": None}.get(name, 2.0)
        attempts._running[name] = work
    works["twice"].tickets["again"] = 2.0

    def late(now: float) -> list[str]:
        return [getattr(work.argument, "name", "") for work in attempts._stragglers(now)]

    assert late(1000.0) == [], "two are too few to know"
    attempts._paces.append(2.0)
    assert late(7.0) == []
    assert late(7.5) == ["small"]
    assert late(9.5) == ["second", "small"], "the longest first"
    assert late(10.0) == ["second", "small"]
    assert late(10.5) == ["second", "one", "small"]
    assert late(26.0) == ["second", "one", "small"]
    assert late(26.5) == ["second", "one", "small", "three"]


SIZES = {"one": 1.0, "second": 1.0, "small": 0.25, "three": 3.0, "twice": 1.0, "waits": 1.0}
ENDS = st.lists(st.sampled_from([None, NEVER, RuntimeError("x"), WorkerLost("x"), UsageError("x")]), max_size=6)


@given(st.dictionaries(st.sampled_from("abcdefgh"), ENDS, min_size=1), st.integers(1, 4), st.integers(0, 4))
def test_every_plan_is_told_once_whatever_happens(script: dict[str, list[object]], slots: int, more: int) -> None:
    runner = ScriptedRunner({name: list(ends) for name, ends in script.items()}, slots, slots + more)
    make(runner, list(script), Limits(seconds=20.0, straggler_seconds=5.0))
    assert not runner.open
