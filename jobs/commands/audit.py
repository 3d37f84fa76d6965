"""`unrolled audit`: do the stored rows obey the cells' own equations?"""

import argparse

import pyarrow as pa

import pipeline
from jobs.commands.output import print_json, print_table
from jobs.commands.runs import resolve_run
from jobs.process.progress import Progress
from pipeline.queries.audit.check import PUBLISHED
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
    (print_json if options.json else print_table)(lines)
    _raise_violations(lake, run, options.root, lines)


def _raise_violations(lake: Lake, run: str, root: str, lines: pa.Table) -> None:
    violated = [line for line in lines.to_pylist() if line["violations"]]
    if not violated:
        return
    counts = ", ".join(f"{line['invariant']} ({line['violations']:,})" for line in violated)
    command = f"unrolled run {lake.catalog.runs[run].experiment['name']} --root {root}"
    if [line["invariant"] for line in violated] == [PUBLISHED]:
        raise AuditError(f"{run} is not finished: {violated[0]['note']}; type `{command}` to go on with it")
    raise AuditError(
        f"{run} does not hold what it should: {counts}; {violated[0]['note']}; "
        f"type `{command} --replace {_stage(violated)}` to make it again"
    )


def _stage(violated: list[dict[str, object]]) -> str:
    """The first stage whose objects have changed; where only rows are wrong, dump."""
    notes = str(violated[0]["note"]) if violated[0]["invariant"] == "digests" else ""
    changed = [stage for stage in STAGES if any(f"{table}/run=" in notes for table in TABLES_OF[stage])]
    return changed[0] if changed else "dump"
