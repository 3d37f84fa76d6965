"""What tests of drivers share: a process that they are forked from, and a small run that nothing disturbed."""

from collections.abc import Iterator

import pytest

from jobs.run.context import Run
from tests.conftest import do_all, tiny_run
from tests.faults.forks import Forks

# Two models of two layers: every table has several shards.
SMALL = {"cell": ["lstm", "peephole_lstm"], "layers": [2]}


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Starts `unrolled` in processes that need not import torch first: for tests that are not about starting."""
    with Forks(tmp_path_factory.mktemp("told")) as opened:
        yield opened


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run of the small experiment; tests only read it."""
    run = tiny_run(tmp_path_factory.mktemp("small") / "lake", model=SMALL)
    do_all(run)
    return run
