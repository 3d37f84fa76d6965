"""The laboratory: every kind of fault, and how to make one scenario of it from a seed.

A scenario makes faults happen to real drivers, goes on as a user would, by the same command, and judges what is in
the lake: the bytes of the undisturbed run, no object more, none less. It gives the number of faults that happened.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import clusters, damage, disks, drivers, kills, network
from tests.faults.bench import Bench

Scenario = Callable[[Bench, int], int]


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    scenario: Scenario
    quick: int  # seeds of each test run
    deep: int  # seeds of a deep one
    ray: bool = False

    def seeds(self) -> range:
        """As many as were asked for: UNROLLED_FAULTS=deep asks for more."""
        return range(self.deep if os.environ.get("UNROLLED_FAULTS") == "deep" else self.quick)


@dataclass(frozen=True)
class Outcome:
    """A scenario that was survived."""

    kind: str
    seed: int
    faults: int
    seconds: float


KINDS = (
    Kind("driver killed", kills.driver, 6, 30),
    Kind("S3 answers 500", network.passing("error-500", 25), 1, 3),
    Kind("S3 answers 503", network.passing("error-503", 25), 1, 3),
    Kind("S3 says nothing", network.passing("timeout", 200), 1, 3),
    Kind("connection reset", network.passing("reset-before", 25), 1, 3),
    Kind("reset in an upload", network.passing("reset-in-upload", 10), 1, 3),
    Kind("reset in an answer", network.passing("reset-in-answer", 25), 1, 3),
    Kind("answer cut short", network.passing("cut-answer", 25), 1, 3),
    Kind("slow answer", network.passing("slow-body", 25), 1, 3),
    Kind("answer lost", network.passing("lost-answer", 10), 1, 3),
    Kind("PUT arrives late", network.passing("late-put", 10), 1, 3),
    Kind("S3 fails for good", network.outage, 1, 6),
    Kind("driver killed before S3 took an object", network.dying("kill-before"), 1, 6),
    Kind("driver killed after S3 took an object", network.dying("kill-after"), 1, 6),
    Kind("a killed driver's PUT arrives late", network.dying("zombie"), 2, 10),
    Kind("disk full", disks.full, 2, 10),
    Kind("no file left", disks.no_inodes, 1, 6),
    Kind("disk turns read-only", disks.read_only, 2, 6),
    Kind("object truncated", damage.damaged("truncated"), 3, 18),
    Kind("object with a flipped bit", damage.damaged("flipped"), 3, 18),
    Kind("object emptied", damage.damaged("emptied"), 3, 18),
    Kind("object missing", damage.damaged("missing"), 3, 18),
    Kind("two drivers at once", drivers.at_once, 2, 6),
    Kind("driver held up and taken over", drivers.held_up, 2, 6),
    Kind("wall clock jumps", drivers.clock_jumps, 2, 6),
    Kind("Ray worker killed", clusters.worker, 1, 5, ray=True),
    Kind("Ray node killed", clusters.node, 1, 5, ray=True),
    Kind("driver of a Ray killed", clusters.driver, 1, 5, ray=True),
)


def experience(bench: Bench, kind: Kind, seed: int) -> Outcome:
    """One scenario. Raises AssertionError when it was not survived, or when nothing happened."""
    started = time.monotonic()
    faults = kind.scenario(bench, seed)
    assert faults, f"{kind.name}, seed {seed}: no fault was injected"
    return Outcome(kind.name, seed, faults, time.monotonic() - started)
