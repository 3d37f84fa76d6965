"""`unrolled audit`: do the stored rows obey the cells' own equations?"""

import argparse
import textwrap

import pyarrow as pa

import pipeline
from jobs.commands.output import print_folded, print_json, terminal_width
from jobs.process.progress import Progress
from pipeline.queries.audit.check import PUBLISHED
from pipeline.queries.audit.dumps import find_dumps
from pipeline.queries.lake import Lake
from schemas.errors import AuditError
from schemas.stages import STAGES, TABLES_OF


def audit(options: argparse.Namespace) -> None:
    """A line for each invariant. Raises AuditError, after the lines, when one is violated or unchecked."""
    lake = pipeline.open(options.root)
    run = lake.find_run(options.run)
    rows = sum(dump.rows for dump in find_dumps(lake.catalog, run, options.model, options.checkpoint))
    with Progress("audit", rows, "rows") as progress:
        done = 0.0

        def tell(share: float) -> None:
            """Move the bar to a share of the rows."""
            nonlocal done
            progress.add(share * rows - done)
            done = share * rows

        lines = lake.audit(run, options.model, options.checkpoint, tell)
    (print_json if options.json else _print)(lines)
    _raise_violations(lake, run, lines)
    _raise_unchecked(run, lines)


def _print(lines: pa.Table) -> None:
    """For people: figures of three digits, and each note on lines of its own; --json has all of it."""
    shown = lines.select(["invariant", "says", "rows_checked", "violations"])
    for name in ("largest", "tolerance"):
        figures = ["" if value is None else f"{value:.3g}" for value in lines[name].to_pylist()]
        shown = shown.append_column(name, pa.array(figures))
    print_folded(shown)
    for line in lines.to_pylist():
        if line["note"]:
            print(textwrap.fill(f"{line['invariant']}: {line['note']}", terminal_width(), break_long_words=False))


def _raise_violations(lake: Lake, run: str, lines: pa.Table) -> None:
    violated = [line for line in lines.to_pylist() if line["violations"]]
    if not violated:
        return
    counts = ", ".join(f"{line['invariant']} ({line['violations']:,})" for line in violated)
    if [line["invariant"] for line in violated] == [PUBLISHED]:
        go_on = lake.catalog.runs[run].again(lake.catalog.root)
        raise AuditError(f"{run} is not finished: {violated[0]['note']}; to go on with it, {go_on}")
    raise AuditError(
        f"{run} does not hold what it should: {counts}; {violated[0]['note']}; "
        f"{lake.catalog.again(run, _stage(violated))}"
    )


def _raise_unchecked(run: str, lines: pa.Table) -> None:
    """What was dumped and cannot be checked is no pass; what the dump's own settings left out is."""
    unchecked = [line for line in lines.to_pylist() if line["unchecked"]]
    if unchecked:
        names = ", ".join(line["invariant"] for line in unchecked)
        raise AuditError(
            f"nothing in {run} is wrong, but {names} could not be checked in full: {unchecked[0]['note']}"
        )


def _stage(violated: list[dict[str, object]]) -> str:
    """The first stage whose objects have changed; where only rows are wrong, dump."""
    notes = str(violated[0]["note"]) if violated[0]["invariant"] == "digests" else ""
    changed = [stage for stage in STAGES if any(f"{table}/run=" in notes for table in TABLES_OF[stage])]
    return changed[0] if changed else "dump"
