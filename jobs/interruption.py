"""SIGINT and SIGTERM: the first ends the command in order and soon, a second one at once.

In order: running pieces are cancelled, the lease is given back, the Ray that was started is stopped. When it takes
too long, as with a store that does not answer, the process ends without it, which costs no more than kill -9 does.
"""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS = 2.5  # for an end in order: with Ray it takes about one

_received: list[int] = []


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it a signal raises KeyboardInterrupt, and the process ends soon whatever becomes of that."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # A handler in Python waits for the main thread, which may be deep in C++; the number of the signal is written
    # to this pipe at once.
    former_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    former = [signal.signal(number, _stop) for number in SIGNALS]
    Thread(target=_watch, args=(reader,), daemon=True).start()
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, former, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(former_fd)
        os.close(writer)  # the watch ends with it


def is_interrupted() -> bool:
    """Whether a signal came, as whatever exception it arrived: DuckDB and safetensors make their own of it."""
    return bool(_received)


def check() -> None:
    """Raise KeyboardInterrupt when a signal came that a library made another error of."""
    if _received:
        raise KeyboardInterrupt


def end(number: int | None = None) -> NoReturn:
    """End the process now, with the signal's exit code.

    Python's own end would wait for the requests and name look-ups of other threads.
    """
    print("unrolled: stopped; the same command goes on from here", file=sys.stderr, flush=True)
    os._exit(128 + (number or _received[0]))


def _stop(number: int, _frame: FrameType | None) -> None:
    """Raise the one exception that Ray lets through from a signal."""
    _received.append(number)
    raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """Wait for a signal, then for a second one or the end of patience."""
    while told := os.read(reader, 1):
        if told[0] in SIGNALS:
            select.select([reader], [], [], SECONDS)
            end(told[0])
    os.close(reader)
