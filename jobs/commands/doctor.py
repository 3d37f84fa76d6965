"""`unrolled doctor`: a line for each thing that a run needs."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from jobs.doctor import machine
from jobs.doctor.finding import Finding, examine
from schemas.errors import NotReadyError
from schemas.redact import redact

AGAIN = "type pip install --force-reinstall unrolled"
DISKS_LIMIT = 3.0  # seconds: a disk may lie behind a network


def doctor(options: argparse.Namespace) -> None:
    """The lines, as they are found. Raises NotReadyError, after the lines, when a check failed."""
    shown: list[Finding] = []
    for finding in findings(options.root):
        shown.append(finding)
        if not options.json:
            print(finding.line, flush=True)
    if options.json:
        _print_json(shown)

    failed = [finding.name for finding in shown if finding.state == "fail"]
    if failed:
        raise NotReadyError(f"{len(failed)} of {len(shown)} checks failed: {', '.join(failed)}")


def findings(root: str) -> Iterator[Finding]:
    """Every check, the quick ones first: Ray and torch take seconds to import."""
    yield from examine("python", machine.python, AGAIN)
    yield from examine("libraries", machine.libraries, AGAIN)
    yield from examine("root", lambda: _root(root), "choose another --root")
    yield from examine("disks", lambda: machine.disks(root), "choose another --root", DISKS_LIMIT)
    yield from examine("duckdb", machine.duckdb, AGAIN)
    yield from examine("ray", machine.ray, AGAIN)
    yield from examine("torch", machine.torch, AGAIN)


def _root(root: str) -> list[Finding]:
    from jobs.doctor import root as room  # with fsspec and botocore, which may be what is broken

    return room.root(root)


def _print_json(findings: list[Finding]) -> None:
    import pyarrow as pa

    from jobs.commands.output import print_json

    rows = [{name: redact(text) for name, text in asdict(finding).items()} for finding in findings]
    print_json(pa.Table.from_pylist(rows))
