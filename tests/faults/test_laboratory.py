"""Every kind of fault is survived: a few seeds of each, and all of them with `--deep`."""

from collections.abc import Iterator

import pytest

from tests.faults.bench import Bench, open_bench
from tests.faults.laboratory import KINDS, Kind, experience


def _marks(kind: Kind, seed: int) -> list[pytest.MarkDecorator]:
    """What ray, deep and long say of a scenario; those on Ray run beside the other tests of clusters."""
    marks = [pytest.mark.ray, pytest.mark.xdist_group("clusters")] if kind.ray else []
    if seed not in kind.quick:
        marks.append(pytest.mark.deep)
    return [*marks, pytest.mark.long(kind.long)]


SCENARIOS = [
    pytest.param(kind, seed, id=f"{kind.name}-{seed}", marks=_marks(kind, seed))
    for kind in KINDS
    for seed in range(kind.deep)
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Bench]:
    """Deep runs take the pauses of users; else only how often something is tried again is as usual."""
    is_deep = pytestconfig.getoption("deep")
    with open_bench(tmp_path_factory.mktemp("bench"), longest_pause=None if is_deep else 0.05) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "seed"), SCENARIOS)
def test_it_is_survived(bench: Bench, kind: Kind, seed: int) -> None:
    assert experience(bench, kind, seed).faults
