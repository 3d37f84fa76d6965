"""How many cores a process may use."""

import os

_sharing = 1  # processes like this one on the machine


def share_cores(processes: int) -> None:
    """Note how many processes like this one do the same work at the same time on the machine."""
    global _sharing  # noqa: PLW0603  # of the process, as its cores are
    _sharing = max(1, processes)


def usable_cores() -> int:
    """The share that a process has of the cores it is held to, on Linux; of all of the machine's elsewhere."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // _sharing)
