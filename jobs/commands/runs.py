"""`unrolled runs`: what the lake holds, and one run of it; removing and clearing up are in clearing.py."""

import argparse
import json

import pyarrow as pa

import pipeline
from jobs.commands.output import print_json, print_table
from pipeline.queries.lake import Lake


def runs(options: argparse.Namespace) -> None:
    """List or show."""
    lake = pipeline.open(options.root)
    if options.action == "ls":
        table = _listing(lake)
        (print_json if options.json else print_table)(table)
        return
    _show(lake, lake.find_run(options.run), as_json=options.json)


def _listing(lake: Lake) -> pa.Table:
    totals = {
        row["run"]: row
        for row in lake.fetch(
            "select run, sum(rows) filter (\"table\" = 'activations') as activations, sum(bytes) as bytes "
            "from shards group by run"
        ).to_pylist()
    }

    created = {row["run"]: row["created"] for row in lake.fetch("select run, created from runs").to_pylist()}

    rows = [
        {
            "run": run,
            "status": status,
            "created": created.get(run),
            "activation_rows": totals.get(run, {}).get("activations"),
            "bytes": totals.get(run, {}).get("bytes"),
        }
        for run, status in sorted(lake.catalog.status.items())
    ]

    names = ("run", pa.string()), ("status", pa.string()), ("created", pa.timestamp("s", tz="UTC"))
    counts = ("activation_rows", pa.int64()), ("bytes", pa.int64())
    return pa.Table.from_pylist(rows, pa.schema([*names, *counts]))


def _show(lake: Lake, run: str, *, as_json: bool) -> None:
    record = lake.catalog.runs[run]
    if as_json:
        print(json.dumps({"status": lake.catalog.status[run], **record.model_dump()}, indent=1))
        return
    print(f"{run}: {lake.catalog.status[run]}\n")
    print_table(lake.ask("model_answers", run=run))
    print()
    print_table(lake.ask("dumped", run=run))
    print(f"\nsettings:\n{json.dumps(record.experiment, indent=1)}")
