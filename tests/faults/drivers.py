"""Two drivers on one run: at once, or when the first was held up for so long that the second took over."""

import signal
import time
from random import Random

from schemas.stages import STAGES
from tests.faults.bench import Bench, check_told, s3_variables
from tests.faults.forks import Driver

HELD = 4  # exit code: another driver has the lease
FUTURE = 3 * 86_400.0  # seconds: a clock that is wrong by days


def at_once(bench: Bench, seed: int) -> int:
    """Started together, locally or on S3: one does the work, the others say that it is being done."""
    is_s3 = bool(seed % 2)
    root = bench.new_s3_root() if is_s3 else bench.new_root()
    variables = s3_variables(bench.store) if is_s3 else {}
    started = [bench.start(root, environment=variables) for _ in range(2 + seed % 3 // 2)]
    ended = [bench.forks.wait(driver) for driver in started]
    for one in ended:
        check_told(one)
        assert one.code in (0, HELD), one
    assert any(one.code == 0 for one in ended), ended
    bench.judge(root)
    return len(started) - 1


def held_up(bench: Bench, seed: int) -> int:
    """Stopped at a change, taken over by another, whose clock is right or days ahead; then it goes on."""
    random = Random(seed)
    root = bench.new_root()
    number = bench.undisturbed.moment(random, STAGES[seed % len(STAGES)])
    first = bench.start(root, hooks={"stop_at": [root, number]})
    _wait_until_stopped(first)
    try:
        second = bench.run(root, hooks={"jump_clock": [[FUTURE]]} if seed % 2 else {})
    finally:
        first.signal(signal.SIGCONT)
    assert second.code == 0, second
    ended = bench.forks.wait(first)
    check_told(ended)
    assert ended.code in (0, HELD), ended
    bench.resume(root)
    bench.judge(root, was_killed=True)
    return 1


def clock_jumps(bench: Bench, seed: int) -> int:
    """Every reading of the wall clock is wrong, by hours or days, to and fro; killed, and gone on with so."""
    random = Random(seed)
    jumps = [random.uniform(-FUTURE, FUTURE) for _ in range(7)]
    root = bench.new_root()
    number = bench.undisturbed.moment(random, STAGES[seed % len(STAGES)])
    bench.run(root, hooks={"jump_clock": [jumps], "kill_at": [root, number]})
    ended = bench.run(root, hooks={"jump_clock": [jumps[::-1]]})
    assert ended.code == 0, ended
    bench.judge(root, was_killed=True)
    return 1


def _wait_until_stopped(driver: Driver, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while driver.state() != "T":
        assert time.monotonic() < end, "it was never stopped"
        assert driver.runs(), "it ended before it was stopped"
        time.sleep(0.01)
