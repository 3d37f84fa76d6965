"""Faults between a driver and S3, made by the proxy; and a driver that dies in the middle of a request."""

from collections.abc import Callable
from random import Random

from tests.faults.bench import CLIENT_SECONDS, Bench, s3_variables
from tests.faults.proxy import Proxy, Rule

KILLED = -9
STORAGE_ERROR = 5
PUTS = 70  # that a run makes, at the least
FAULTS = 10  # in a run: each costs the client a pause


def passing(kind: str, every: int) -> Callable[[Bench, int], int]:
    """Faults that a client outlives by itself, at every so many requests: the run ends well at once."""

    def scenario(bench: Bench, seed: int) -> int:
        random = Random(seed)
        rule = Rule(kind, random.randint(every // 2, every), random.randint(1, every), limit=FAULTS)
        root = bench.new_s3_root()
        with Proxy(bench.store, rule, client_timeout=CLIENT_SECONDS) as proxy:
            bench.resume(root, environment=s3_variables(proxy.endpoint))
            proxy.deliver()
            bench.judge(root)
            return len(proxy.struck)

    return scenario


def outage(bench: Bench, seed: int) -> int:
    """The store fails every request for good: a clear error in bounded time, and the run goes on afterwards."""
    random = Random(seed)
    root = bench.new_s3_root()
    kind = ("error-503", "reset-before", "error-500")[seed % 3]
    with Proxy(bench.store, Rule(kind, 1, random.randint(20, 3 * PUTS))) as proxy:
        variables = s3_variables(proxy.endpoint)
        ended = bench.run(root, environment=variables)
        assert ended.code == STORAGE_ERROR, ended
        assert root in ended.told or proxy.endpoint in ended.told, ended
        struck = len(proxy.struck)
        proxy.quiet()
        bench.resume(root, environment=variables)
        bench.judge(root)
        assert struck
        return 1


def dying(kind: str) -> Callable[[Bench, int], int]:
    """The driver is killed -9 while the store takes one of its PUTs; another goes on."""

    def scenario(bench: Bench, seed: int) -> int:
        random = Random(seed)
        root = bench.new_s3_root()
        # How many beats of the lease there are depends on the machine, so they are not counted.
        rule = Rule(kind, 1, random.randint(1, PUTS), limit=1, but=".beat")
        with Proxy(bench.store, rule, late_first=bool(seed % 2)) as proxy:
            variables = s3_variables(proxy.endpoint)
            driver = bench.start(root, environment=variables)
            proxy.on_strike = driver.kill
            ended = bench.forks.wait(driver)
            assert ended.code == KILLED, ended
            bench.resume(root, environment=variables)
            proxy.deliver()
            bench.judge(root)
            return len(proxy.struck)

    return scenario
