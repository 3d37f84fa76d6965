"""Which tests run, where and when: deep ones only when asked for, a file's on one worker, the long ones first.

`-n 3 --dist loadgroup` gives a group of tests to whichever worker is free, in the order that is set here. A file
is a group, so that its fixtures are made once. What starts a Ray is one group; what kills parts of a cluster is
another, "clusters", so there are at most two Rays at a time; a third worker uses the cores while they wait.
"""

from collections.abc import Iterator, Sequence

import pytest

LONG = 20.0  # seconds, from which on a test must say why it takes so long
# What a test counts for when groups are ordered; only the order of the sums matters.
WEIGHTS = {"ray": 40.0, "slow": 4.0}
UNMARKED = 0.1


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--deep`, for `make test-deep`."""
    parser.addoption("--deep", action="store_true", help="also run what is marked deep")


def pytest_configure(config: pytest.Config) -> None:
    """Keep watch over how long tests take."""
    config.pluginmanager.register(_Watch())


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Leave the deep ones out and group the others; when pytest-randomly has shuffled them, order the groups."""
    if not config.getoption("deep"):
        deep = [item for item in items if item.get_closest_marker("deep")]
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]
    for item in items:
        _check_reason(item)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    yield
    items[:] = _in_order(items)


def _check_reason(item: pytest.Item) -> None:
    for mark in item.iter_markers("long"):
        if len(mark.args) != 1 or not isinstance(mark.args[0], str):
            raise pytest.UsageError(f'{item.nodeid}: write @pytest.mark.long("why it takes so long")')


def _group_of(item: pytest.Item) -> str:
    return "ray" if item.get_closest_marker("ray") else item.nodeid.split("::", maxsplit=1)[0]


def _in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Group by group, the heaviest first, so that no worker is left with a long one when the other is done."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        (mark,) = list(item.iter_markers("xdist_group"))[:1]
        groups.setdefault(str(mark.args[0]), []).append(item)
    heaviest_first = sorted(groups.values(), key=lambda group: -sum(map(_weight, group)))
    return [item for group in heaviest_first for item in group]


def _weight(item: pytest.Item) -> float:
    return max((weight for name, weight in WEIGHTS.items() if item.get_closest_marker(name)), default=UNMARKED)


class _Watch:
    """Notices tests that take long and do not say why, and tells of them; machines differ, so none fails."""

    def __init__(self) -> None:
        self._found: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of a test alone: fixtures are shared."""
        if report.when == "call" and report.duration > LONG and "long" not in report.keywords:
            self._found.append(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The list, in red."""
        if not self._found:
            return
        title = f"tests above {LONG:g} s without @pytest.mark.long(reason)"
        terminalreporter.section(title, red=True)
        for report in sorted(self._found, key=lambda report: -report.duration):
            terminalreporter.write_line(f"{report.duration:.0f} s {report.nodeid}", red=True)
