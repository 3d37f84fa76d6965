"""`unrolled runs rm` and `unrolled gc`: what would go, and making it go."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa

from jobs.clearing.collect import find_garbage, remove_garbage
from jobs.clearing.remove import known_runs, remove_run, run_objects
from jobs.commands.output import print_json, print_table
from pipeline.queries.catalog import lost_run
from pipeline.queries.names import match_run
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import check_lake
from schemas.command import command
from schemas.errors import UsageError
from schemas.redact import redact


def remove(options: argparse.Namespace) -> None:
    """A run: without --yes what would go, with it what has gone."""
    folder = _lake(options.root)
    run = match_run(options.run, known_runs(folder), folder.root)
    sure = options.yes and not options.dry_run

    objects = remove_run(folder, run, _tell) if sure else run_objects(folder, run)
    _print_kinds([(path.split("/")[0], size, path) for path, size in objects.items()], "table", options)
    count = f"{_counted(objects.values())}"

    if sure:
        _tell(f"{run} is gone: {count}")
    else:
        _tell(f"{run} would go: {count}" + ("" if options.dry_run else "; add --yes"))


def collect(options: argparse.Namespace) -> None:
    """What no run needs, all over the lake."""
    if getattr(options, "run", None):
        removed = command("runs", "rm", options.run, root=options.root)
        raise UsageError(f"gc looks at the whole lake and takes no RUN; `{removed}` removes one")

    folder = _lake(options.root)
    garbage = find_garbage(folder, options.older_than)
    if not options.dry_run:
        garbage = remove_garbage(folder, garbage, _tell)

    rows = garbage.rows()
    _print_kinds([(item.kind, item.bytes, item.path) for item in rows], "kind", options)

    for run in garbage.held:
        _tell(f"{run} has a driver, or one that ended elsewhere without a word: left alone")

    for run in garbage.lost:
        _tell(lost_run(run, folder.root))

    if not rows:
        _tell(f"nothing to clear up in {folder.root}")
    elif options.dry_run:
        _tell(f"would go: {_counted(item.bytes for item in rows)}; without --dry-run they go")
    else:
        _tell(f"gone: {_counted(item.bytes for item in rows)}")


def _lake(root: str) -> Folder:
    folder = Folder(root)
    check_lake(folder)
    return folder


def _print_kinds(objects: Iterable[tuple[str, int, str]], what: str, options: argparse.Namespace) -> None:
    """A row for each kind of object; nothing for people when there is none."""
    kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for kind, size, path in objects:
        kinds[kind].append((size, path))
    rows = [
        {what: kind, "objects": len(those), "bytes": sum(size for size, _ in those), "example": those[0][1]}
        for kind, those in sorted(kinds.items())
    ]
    counts = ("objects", pa.int64()), ("bytes", pa.int64())

    table = pa.Table.from_pylist(rows, pa.schema([(what, pa.string()), *counts, ("example", pa.string())]))
    if options.json:
        print_json(table)
    elif rows:
        print_table(table)


def _counted(sizes: Iterable[int]) -> str:
    sizes = list(sizes)
    return f"{len(sizes):,} object{'s' if len(sizes) != 1 else ''}, {sum(sizes):,} bytes"


def _tell(line: str) -> None:
    """A line for the person; stdout has the table."""
    print(redact(line), file=sys.stderr)
