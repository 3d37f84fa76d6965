"""What is called ahead is called in order, on as many cores as a process has."""

import os
import threading
from collections.abc import Iterator

import pytest

from jobs.process.ahead import Ahead
from jobs.process.cores import share_cores, usable_cores

CORES = len(os.sched_getaffinity(0))


@pytest.fixture(params=[1, CORES])
def sharing(request: pytest.FixtureRequest) -> Iterator[int]:
    """With all cores, and with one that is shared out."""
    share_cores(request.param)
    yield request.param
    share_cores(1)


def test_a_share_of_the_cores_is_at_least_one(sharing: int) -> None:
    assert usable_cores() == CORES // sharing
    share_cores(10 * CORES)
    assert usable_cores() == 1


@pytest.mark.usefixtures("sharing")
def test_calls_are_made_in_order_and_each_keeps_the_order_of_its_items() -> None:
    made: list[int] = []
    with Ahead() as ahead:

        def several(first: int) -> None:
            made.extend(ahead.each(lambda item: item * item, range(first, first + 7)))

        for first in (0, 7, 14):
            ahead.call(several, first)
    assert made == [item * item for item in range(21)]


@pytest.mark.usefixtures("sharing")
def test_what_a_call_raises_is_raised() -> None:
    def fails(item: int) -> float:
        return 1 / item

    with pytest.raises(ZeroDivisionError), Ahead() as ahead:
        ahead.call(lambda: list(ahead.each(fails, [1, 0, 2])))


@pytest.mark.skipif(CORES == 1, reason="needs two cores")
def test_items_are_worked_on_at_the_same_time() -> None:
    together = threading.Barrier(2)
    with Ahead() as ahead:
        ahead.call(lambda: list(ahead.each(lambda _: together.wait(10), range(2))))
