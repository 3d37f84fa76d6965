"""`make findings`: what the shipped small experiments' networks do, over eight seeds, on docs/findings.md.

Trains them, asks every claim of pipeline/queries/claims/, and writes what held. The lakes are thrown away unless
--keep says where they belong.

--quick trains next to nothing: it shows that the page is made.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.measure import one_a_core
from tests.findings.asking import Found, Job, run_one
from tests.findings.page import page

EXPERIMENTS = ("counting", "selective_counting", "state_memory", "copying")
FULL = ("model.seeds=8", "dump.checkpoints=all")
QUICK = (
    "model.seeds=2",
    "dump.checkpoints=all",
    "training.steps=2",
    "training.checkpoints=2",
    "corpus.train=100",
    "corpus.valid=10",
    "corpus.probe=40",
)
PAGE = Path(__file__).parent.parent.parent / "docs" / "findings.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, or these arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.findings", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes; needs --out")
    parser.add_argument("--out", type=Path, help="the page; docs/findings.md when left out")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the lakes there, and go on where they stopped")
    given = parser.parse_args(arguments)
    if given.quick and given.out is None:
        parser.error("--quick needs --out: its figures mean nothing and may not replace the page")
    changes = QUICK if given.quick else FULL
    found = []
    with nullcontext(given.keep) if given.keep else TemporaryDirectory() as folder:
        jobs = [Job(name, str(Path(folder, name)), changes) for name in EXPERIMENTS]
        for one in one_a_core(run_one, jobs, processes=not given.quick):
            print(_told(one), file=sys.stderr, flush=True)
            found.append(one)
    command = "python -m tests.findings --quick" if given.quick else "make findings"
    out = given.out or PAGE
    out.write_text(page(found, command), "utf-8")
    print(out.name)


def _told(found: Found) -> str:
    return f"{found.experiment}: {len(found.findings)} claims in {found.seconds:.0f} s"


if __name__ == "__main__":
    main()
