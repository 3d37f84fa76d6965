"""How many cores a process may use."""

import os


def usable_cores() -> int:
    """The cores that this process is held to, on Linux; all of the machine elsewhere."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
