"""Progress on stderr: a bar with rate and time left on a terminal, a line every ten seconds elsewhere."""

import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from schemas.errors import StorageError

WIDTH = 28  # characters of the bar
CLEARED = "\r\033[K"  # back to the start of the line, and nothing on it
TERMINAL_SECONDS, LOG_SECONDS = 0.2, 10.0
LIVE_SECONDS = 2.0  # between two looks into the lake, each a listing


class Live(NamedTuple):
    """What can be seen in the lake of pieces that are not finished yet."""

    done: float  # in the stage's measure
    remark: str = ""  # how it goes, in a few words


class Watch(Protocol):
    """Looks into the lake."""

    def __call__(self, *, last: bool = False) -> Live:
        """What there is; `last` when nobody will look again."""


class Progress:
    """Counts work while it is done; `live` reads how much of it can be seen in the lake already.

    `total` is what is to be done, and `before` what had been finished when this command began.
    """

    def __init__(
        self, label: str, total: float, measure: str, live: Watch | None = None, before: float = 0.0
    ) -> None:
        self._label, self._measure, self._live = label, measure, live
        self._base = live().done if live else 0.0
        self._begun = max(0.0, self._base - before)  # what an earlier command did of unfinished pieces
        self._total = total - self._begun
        self._remark = ""
        self._done = self._seen = self._looked = 0.0
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._start = CLEARED if self._terminal else ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> Self:
        """Begin to report."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report for the last time."""
        self._stop.set()
        self._thread.join()
        if self._live:
            self._look(last=True)
        print(f"{self._start}{self._line()}", file=sys.stderr)

    def add(self, size: float) -> None:
        """Count some work as done."""
        self._done += size

    def tell(self, line: str) -> None:
        """Say something that is no progress."""
        print(f"{self._start}{self._label}: {line}", file=sys.stderr)

    def _report(self) -> None:
        while not self._stop.wait(TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            end = "" if self._terminal else "\n"
            print(f"{self._start}{self._line()}", end=end, file=sys.stderr, flush=True)

    def _line(self) -> str:
        seconds = time.monotonic() - self._started
        if self._live and seconds - self._looked > LIVE_SECONDS:
            self._looked = seconds
            self._look()

        done = max(self._done - self._begun, self._seen)
        share = min(1.0, done / self._total) if self._total else 1.0
        rate = done / seconds if seconds else 0.0
        filled = round(share * WIDTH)

        bar = f"{'█' * filled}{'·' * (WIDTH - filled)} " if self._terminal else ""
        left = f"  {clock((self._total - done) / rate)} left" if 0 < share < 1 else f"  {clock(seconds)}"
        remark = f"  {self._remark}" if self._remark else ""
        return f"{self._label:<12}{bar}{share:>5.0%}  {short(rate)} {self._measure}/s{left}{remark}"

    def _look(self, *, last: bool = False) -> None:
        if self._live:
            with suppress(StorageError, OSError):  # the next look may find it
                seen, self._remark = self._live(last=last)
                self._seen = seen - self._base


def clock(seconds: float) -> str:
    """Seconds as 1:05 or 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short(number: float) -> str:
    """A number with a unit's prefix: 1234567 is 1.23 M."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g}"
