from collections.abc import Iterator

import pytest

from tests.faults.bench import Bench, open_bench
from tests.faults.laboratory import KINDS, Kind, experience

SCENARIOS = [
    pytest.param(kind, seed, id=f"{kind.name}-{seed}", marks=[pytest.mark.ray] if kind.ray else [])
    for kind in KINDS
    for seed in kind.seeds()
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("bench")) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "seed"), SCENARIOS)
def test_it_is_survived(bench: Bench, kind: Kind, seed: int) -> None:
    assert experience(bench, kind, seed).faults
