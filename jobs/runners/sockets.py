"""Whether Ray's sockets find room: a system takes no socket whose path is longer than a hundred and some bytes."""

import os
import sys
from collections.abc import Mapping

from schemas.errors import UsageError

_LONGEST = 103 if sys.platform == "darwin" else 107  # bytes of a socket's path


def check_socket_room(environment: Mapping[str, str] = os.environ) -> None:
    """Raise UsageError when a Ray that is started here could not make its sockets, as in a long TMPDIR."""
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in environment else "TMPDIR"
    folder = environment.get(name, "/tmp")  # noqa: S108  # where Ray goes
    path = f"{folder}/ray/session_2026-01-31_12-00-00_000000_{os.getpid()}/sockets/plasma_store"
    if (excess := len(os.fsencode(path)) - _LONGEST) > 0:
        raise UsageError(
            f"{name} is {folder}, {excess} bytes too long for Ray's sockets; set RAY_TMPDIR to a short folder "
            "such as /tmp, or give --runner local"
        )
