"""A port of the loopback address for a server under test."""

import os
import random
import socket

# Below those that systems give to whoever connects, above those of Ray's workers; each test process has its own.
FIRST, COUNT = 21_000, 2_000
_random = random.SystemRandom()  # pytest-randomly sets the seed of the usual one


def free_port() -> int:
    """A port that nobody listens on, and that no other test process gets."""
    own = FIRST + COUNT * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = own + _random.randrange(COUNT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
