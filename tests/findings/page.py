"""The findings as a page: a table of claims and one of scores for each experiment, then every claim's figures."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from pipeline.queries.question import CLAIMED, find_question
from tests.benchmarks.page import VERSIONED, machine
from tests.findings.asking import Finding, Found

SQL = "../pipeline/queries"  # from the page

HEAD = """\
# Findings

Made by `{command}` on {day}, from networks that it trains ({versions}).
Another machine's rounding moves a figure as another seed does.

The article "Exploring LSTMs" (2017) tells what neurons do, from one network of each kind. Here each of its
claims is a query, asked of {seeds} networks that differ in their seed. `unrolled claims RUN` asks it of a run of
your own.

- The unit is the distinct text: one that was drawn again says nothing new, and is left out.
- *Before training*: the same query about the same networks' first weights. What holds of them too says little.
- *With other thresholds*: of how many networks the claim holds, at least and at most, as the odds of its
  thresholds are halved and doubled (0.1 becomes 0.053 and 0.18, 0.99 becomes 0.980 and 0.995).
- A claim is about the neuron that is best at it. The best of ten is good at something by chance alone, so compare
  with *before training*.
- *Best neuron*: chosen by one half of the texts; *held out* is its measure over the other half, *by chance* what
  it reaches one time in twenty when whole texts swap their annotations ([scores](scores.md)). `count_a` is the
  position where every text begins with its a's: chance does as well, and q is near 1.
- Figures are medians over the networks, with the least and the greatest in brackets.
"""


class Column(NamedTuple):
    """A column of a table, for what its rows are about."""

    title: str
    cell: Callable[[Any], str]


CLAIM_COLUMNS = (
    Column("claim", lambda finding: find_question(finding.claim).claim),
    Column("held", lambda finding: f"{finding.held} of {len(finding.trained)}"),
    Column("before training", lambda finding: f"{finding.held_untrained} of {len(finding.untrained)}"),
    Column("with other thresholds", lambda finding: "–".join(map(str, _range(finding)))),
)
SCORE_COLUMNS = (
    Column("hypothesis", lambda score: f"`{score.hypothesis}`"),
    Column("measure", lambda score: score.measure),
    Column("best neuron", lambda score: spread(score.trained)),
    Column("held out", lambda score: spread(score.held_out)),
    Column("by chance", lambda score: spread(score.chance)),
    Column("q < 0.05", lambda score: f"{score.finds} of {len(score.trained)}"),
    Column("before training", lambda score: spread(score.untrained)),
)


def page(found: Sequence[Found], command: str) -> str:
    """The whole page, as Markdown."""
    here = machine()
    head = HEAD.format(
        command=command,
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        versions=", ".join(f"{name} {here[name]}" for name in ("python", *VERSIONED)),
        seeds=len(found[0].findings[0].trained),
    )
    return "\n".join([head, *(line for one in found for line in _experiment(one))])


def _experiment(found: Found) -> Iterable[str]:
    yield f"## {found.experiment}\n"
    changes = " ".join(f"--set {change}" for change in found.changes)
    yield f"`unrolled run {found.experiment} {changes}`; {found.texts} distinct texts in the probe split.\n"
    yield from _table(CLAIM_COLUMNS, found.findings)
    yield from _table(SCORE_COLUMNS, found.scores)
    for finding in found.findings:
        yield from _claim(finding)


def _claim(finding: Finding) -> Iterable[str]:
    claim = find_question(finding.claim)
    thresholds = ", ".join(f"`{name}` = {value:g}" for name, value in claim.thresholds.items())
    yield f"### {claim.claim}\n"
    yield f"{reading(finding)}\n"
    link = f"[{finding.claim}.sql]({SQL}/{finding.claim}.sql)"
    yield " ".join([claim.question, *([f"{thresholds}."] if thresholds else []), f"{link}\n"])
    columns = (
        Column("figure", lambda name: f"`{name}`"),
        Column("trained", lambda name: spread([row[name] for row in finding.trained])),
        Column("before training", lambda name: spread([row[name] for row in finding.untrained])),
    )
    yield from _table(columns, [name for name in finding.trained[0] if name not in CLAIMED])


def reading(finding: Finding) -> str:
    """What the counts let one say, in words."""
    networks, held, before = len(finding.trained), finding.held, finding.held_untrained
    much = f"all {networks}" if held == networks else f"{held or 'none'} of {networks}"
    match held, before:
        case 0, 0:
            after = "."
        case 0, _:
            after = f", although in {before} before training."
        case _, 0:
            after = ", and in none before training."
        case _:
            little = ": it does not tell what was learnt" if 2 * before >= held else ""
            after = f", and in {before} before training{little}."
    return f"Held in {much} networks{after} {_firmness(finding)}"


def _firmness(finding: Finding) -> str:
    """How much the choice of thresholds matters."""
    counts = _range(finding)
    if not counts:
        return "It has no threshold."
    if len(counts) == 1:
        return "Other thresholds change nothing."
    decide = 4 * (counts[1] - counts[0]) > len(finding.trained)  # more than a quarter of the networks
    weight = "they decide" if decide else "they matter little"
    return f"With other thresholds in {counts[0]} to {counts[1]}: {weight}."


def _range(finding: Finding) -> list[int]:
    """Of how many it holds at least and at most, one number if they are the same; empty without thresholds."""
    counts = [finding.held, *finding.elsewhere]
    return sorted({min(counts), max(counts)}) if finding.elsewhere else []


def _table(columns: Sequence[Column], rows: Sequence[Any]) -> Iterable[str]:
    yield _line([column.title for column in columns])
    yield _line(["---", *["---:"] * (len(columns) - 1)])
    yield from (_line([column.cell(row) for column in columns]) for row in rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float | None]) -> str:
    """As 0.993 (0.981–0.9996); those that are undefined are left out and counted."""
    there = [value for value in values if value is not None]
    undefined = f", {len(values) - len(there)} undefined" if len(there) < len(values) else ""
    if not there:
        return "undefined"
    return f"{figure(median(there))} ({figure(min(there))}–{figure(max(there))}{undefined})"


def figure(value: float) -> str:
    """Three decimals, or as many as it takes for what is no whole number not to look like one, up to nine."""
    if float(value).is_integer():
        return f"{value:.0f}"
    texts = [f"{value:.{digits}f}" for digits in range(3, 10)]
    return next((text for text in texts if not float(text).is_integer()), texts[0])
