"""A finding, and how a check comes to one whatever goes wrong in it.

ok    root         ./lake: written in 4 ms, read in 0.2 ms, removed in 0.1 ms
warn  temporary    0.4 GB free in /tmp; free some, or set TMPDIR to a folder on a larger disk
fail  ray          RAY_ADDRESS is 10.0.0.1:6379, and nothing answers there; unset it, or start that cluster
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import Literal, TypeVar

from schemas.errors import UnrolledError
from schemas.redact import redact

State = Literal["ok", "warn", "fail"]
Result = TypeVar("Result")

_GRACE = 2.0  # seconds for a check to clear up after itself when Ctrl-C comes


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    name: str
    state: State
    text: str  # one line
    remedy: str = ""  # what to do about it, as it is typed; nothing when it is ok

    @property
    def line(self) -> str:
        """The finding for a person, without secrets."""
        text = f"{self.text}; {self.remedy}" if self.remedy else self.text
        return redact(f"{self.state:<4}  {self.name:<12} {text}")


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", text)


def examine(
    name: str, check: Callable[[], list[Finding]], remedy: str, seconds: float | None = None
) -> list[Finding]:
    """What a check finds; an error of it is a finding too.

    Args:
        name: what to call the finding when the check ends in an error.
        check: looks at something.
        remedy: what to do about an error that does not say so itself after its last semicolon.
        seconds: after which it is left behind, None for a check that reaches over no network.
    """
    try:
        return check() if seconds is None else within(seconds, check)
    except UnrolledError as error:
        text, _, last = str(error).rpartition("; ")
        return [Finding(name, "fail", text, last) if text else Finding(name, "fail", last, remedy)]
    except TimeoutError:
        return [Finding(name, "fail", f"no answer within {seconds:g} s", remedy)]
    except Exception as error:  # noqa: BLE001  # whatever is broken here, the other checks go on
        message = (str(error).splitlines() or [""])[0]
        return [Finding(name, "fail", f"{type(error).__name__}: {message}", remedy)]


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What a call gives. Raises TimeoutError when it takes longer, and whatever it raises.

    It runs in a thread that nobody waits for: no time limit of a client holds for the look-up of a name.
    """
    future: Future[Result] = Future()

    def run() -> None:
        """Call, in the thread."""
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except KeyboardInterrupt:
        wait([future], _GRACE)
        raise
