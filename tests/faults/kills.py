"""kill -9 of a driver at any change that it makes to the lake."""

from random import Random

from schemas.stages import STAGES
from tests.faults.bench import Bench

KILLED = -9


def driver(bench: Bench, seed: int) -> int:
    """Killed in a stage, and again while it goes on, up to three times."""
    random = Random(seed)
    root = bench.new_root()
    kills, number = 0, bench.undisturbed.moment(random, STAGES[seed % len(STAGES)])
    for _ in range(1 + seed % 3):
        ended = bench.run(root, hooks={"kill_at": [root, number]})
        assert ended.code in (KILLED, 0), ended
        kills += ended.code == KILLED
        number = random.randint(1, 60)  # soon after it went on
    bench.resume(root)
    bench.judge(root, was_killed=True)
    return kills
