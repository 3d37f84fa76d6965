"""Work that runs behind its caller: packing a block while the next one is computed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import torch

from jobs.process.cores import usable_cores

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
Result = TypeVar("Result")
WAITING = 2  # calls that may wait, with the memory that they hold
MOST = 8  # threads of `each`: more pack faster than one thread writes


class Ahead:
    """One thread that makes calls in their order; leaving waits for all of them, and raises what one raised.

    On a single core calls are made at once: two threads on it take 0.7 ns a value from each other.
    """

    def __init__(self) -> None:
        self._cores = min(MOST, usable_cores())
        self._thread = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
        self._several = ThreadPoolExecutor(self._cores, initializer=torch.set_num_threads, initargs=(1,))
        self._calls: deque[Future[object]] = deque()

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def call(
        self, function: Callable[Arguments, object], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> None:
        """Have a function called, when fewer than WAITING calls are left to make."""
        if self._cores == 1:
            function(*arguments, **named)
            return
        while len(self._calls) >= WAITING:
            self._calls.popleft().result()
        self._calls.append(self._thread.submit(function, *arguments, **named))

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What a function makes of each item, in their order, on every core; for a call that is being made."""
        if self._cores == 1:
            yield from map(function, items)
            return
        made: deque[Future[Result]] = deque()
        for item in items:
            made.append(self._several.submit(function, item))
            if len(made) > self._cores:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the calls, or forget those not begun when the block ended with an error."""
        self._thread.shutdown(cancel_futures=kind is not None)
        self._several.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for call in self._calls:
                call.result()
