"""`unrolled audit`: do the stored rows obey the cells' own equations?"""

import argparse
import textwrap

import pyarrow as pa

import pipeline
from jobs.commands.output import print_folded, print_json, terminal_width
from jobs.commands.runs import resolve_run
from jobs.process.progress import Progress
from pipeline.queries.audit.dumps import find_dumps
from pipeline.queries.lake import Lake
from schemas.errors import AuditError
from schemas.stages import STAGES, TABLES_OF


def audit(options: argparse.Namespace) -> None:
    """A line for each invariant. Raises AuditError, after the lines, when one is violated."""
    lake = pipeline.open(options.root)
    run = resolve_run(lake, options.run)
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
    raise AuditError(
        f"{run} does not hold what it should: {counts}; {violated[0]['note']}; "
        f"{lake.catalog.again(run, _stage(violated))}"
    )


def _stage(violated: list[dict[str, object]]) -> str:
    """The first stage whose objects have changed; where only rows are wrong, dump."""
    notes = str(violated[0]["note"]) if violated[0]["invariant"] == "digests" else ""
    changed = [stage for stage in STAGES if any(f"{table}/run=" in notes for table in TABLES_OF[stage])]
    return changed[0] if changed else "dump"
