"""The laboratory: every kind of fault, and how to make one scenario of it from a seed.

A scenario makes faults happen to real drivers, goes on as a user would, by the same command, and judges what is in
the lake: the bytes of the undisturbed run, no object more, none less. It gives the number of faults that happened.
"""

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
    deep: int  # seeds, from 0 on
    quick: tuple[int, ...] = (0,)  # those of each test run; the others are for deep ones
    ray: bool = False
    long: str = "a whole run is struck, gone on with and judged"  # where three tests share two cores


@dataclass(frozen=True)
class Outcome:
    """A scenario that was survived."""

    kind: str
    seed: int
    faults: int
    seconds: float


THREE_KILLS = "Ray starts new workers after each of three kills"

# Where the seed's parity decides between two ways that no other test takes, a test run has a seed of each. Its
# damages are of a shard of activations, a model's weights, a record and a manifest.
KINDS = (
    Kind("driver killed", kills.driver, 30, (1,)),
    Kind("S3 answers 500", network.passing("error-500", 25), 3),
    Kind("S3 answers 503", network.passing("error-503", 25), 3),
    Kind("S3 says nothing", network.passing("timeout", 200), 3),
    Kind("connection reset", network.passing("reset-before", 25), 3),
    Kind("reset in an upload", network.passing("reset-in-upload", 10), 3),
    Kind("reset in an answer", network.passing("reset-in-answer", 25), 3),
    Kind("answer cut short", network.passing("cut-answer", 25), 3),
    Kind("slow answer", network.passing("slow-body", 25), 3),
    Kind("answer lost", network.passing("lost-answer", 10), 3),
    Kind("PUT arrives late", network.passing("late-put", 10), 3),
    Kind("S3 fails for good", network.outage, 6, long="every try of every request has to fail first"),
    Kind("driver killed before S3 took an object", network.dying("kill-before"), 6),
    Kind("driver killed after S3 took an object", network.dying("kill-after"), 6),
    Kind("a killed driver's PUT arrives late", network.dying("zombie"), 10, (0, 1)),
    Kind("disk full", disks.full, 10),
    Kind("no file left", disks.no_inodes, 6),
    Kind("disk turns read-only", disks.read_only, 6),
    Kind("object truncated", damage.damaged("truncated"), 18, (4,)),
    Kind("object with a flipped bit", damage.damaged("flipped"), 18, (10,)),
    Kind("object emptied", damage.damaged("emptied"), 18, (14,)),
    Kind("object missing", damage.damaged("missing"), 18, (13,)),
    Kind("two drivers at once", drivers.at_once, 6, (0, 1)),
    Kind("driver held up and taken over", drivers.held_up, 6, (1,)),
    Kind("wall clock jumps", drivers.clock_jumps, 6),
    Kind("Ray worker killed", clusters.worker, 5, ray=True, long=THREE_KILLS),
    Kind("Ray node killed", clusters.node, 5, ray=True, long=THREE_KILLS),
    Kind("driver of a Ray killed", clusters.driver, 5, ray=True, long=THREE_KILLS),
)


def experience(bench: Bench, kind: Kind, seed: int) -> Outcome:
    """One scenario. Raises AssertionError when it was not survived, or when nothing happened."""
    started = time.monotonic()
    faults = kind.scenario(bench, seed)
    assert faults, f"{kind.name}, seed {seed}: no fault was injected"
    return Outcome(kind.name, seed, faults, time.monotonic() - started)
