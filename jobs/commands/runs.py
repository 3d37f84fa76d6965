"""`unrolled runs`: what the lake holds, one run of it, and how to be rid of one."""

import argparse
import json

import pyarrow as pa

import pipeline
from jobs.commands.output import print_json, print_table
from pipeline.queries.lake import Lake
from schemas import TABLES
from schemas.errors import UsageError, unknown


def runs(options: argparse.Namespace) -> None:
    """List, show or remove."""
    lake = pipeline.open(options.root)
    if options.action == "ls":
        table = _listing(lake)
        (print_json if options.json else print_table)(table)
        return
    if not options.run:
        raise UsageError(f"which run? unrolled runs {options.action} RUN; `unrolled runs` lists them")
    run = resolve_run(lake, options.run)
    if options.action == "show":
        _show(lake, run, as_json=options.json)
    else:
        _remove(lake, run, sure=options.yes)


def resolve_run(lake: Lake, name: str) -> str:
    """The run of an id, or the only one whose id begins so."""
    known = list(lake.catalog.runs)
    found = [run for run in known if run == name] or [run for run in known if run.startswith(name)]
    if not found:
        raise unknown("run", name, known)
    if len(found) > 1:
        raise UsageError(f"{name!r} begins {len(found)} runs: {', '.join(sorted(found))}; type more of it")
    return found[0]


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


def _remove(lake: Lake, run: str, *, sure: bool) -> None:
    folder = lake.folder
    places = [f"{name}/run={run}" for name in (*TABLES, "checkpoints")]
    bytes_there = sum(o.bytes for manifest in lake.catalog.manifests[run] for o in manifest.objects)
    if not sure:
        print(f"{run} would go, {bytes_there:,} bytes: add --yes")
        return
    for path in folder.list(f"_meta/run={run}"):
        if path.endswith("/manifest.json"):
            folder.remove(path)  # first, so that no manifest ever lists what has gone
    for place in places:
        folder.remove(place)
    folder.remove(f"_meta/run={run}")
    print(f"{run} is gone, {bytes_there:,} bytes")
