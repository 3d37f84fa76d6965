"""SIGINT and SIGTERM: the first ends the command in order and soon, a second one at once.

In order: running pieces are cancelled, the lease is given back, the Ray that was started is stopped. When that
takes too long, as with a store that does not answer, the process ends without it: no worse than kill -9.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import NoReturn

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS = 2.5  # for an end in order: with Ray it takes about one
SWEEPS = 50  # a process that is killed may have started another meanwhile
_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h

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
    """Whether a signal came."""
    return bool(_received)


def check() -> None:
    """Raise KeyboardInterrupt when a signal came as another error, which some libraries make of it."""
    if _received:
        raise KeyboardInterrupt


def end(number: int | None = None) -> NoReturn:
    """End the process now, with the signal's exit code, and all that it has started.

    Python's own end would wait for the requests and name look-ups of other threads. A Ray whose start was cut
    short is not stopped by itself: its agents outlive the raylet.
    """
    for _ in range(SWEEPS):
        if not (descendants := _descendants()):
            break
        for process in descendants:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.01)

    print("unrolled: stopped; the same command goes on from here", file=sys.stderr, flush=True)
    os._exit(128 + (number or _received[0]))


def adopt_orphans() -> None:
    """Make what a child leaves behind when it ends this process's own, so that `end` finds it; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants() -> list[psutil.Process]:
    """The processes that this one has started, and those that they have; none that only waits to be counted."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def _stop(number: int, _frame: FrameType | None) -> None:
    """Raise the one exception that Ray lets through from a signal."""
    _received.append(number)
    raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """Wait for a signal, then for a second one or the end of patience."""
    while number := os.read(reader, 1):
        if number[0] in SIGNALS:
            select.select([reader], [], [], SECONDS)
            end(number[0])
    os.close(reader)
