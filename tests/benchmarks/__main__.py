"""`python -m tests.benchmarks` runs every theme and writes their pages; `--page` writes one of them.

With a theme's name it prints that theme, and writes nothing.

--quick measures next to nothing: it shows that every theme runs.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import (
    capturing,
    committing,
    corpora,
    dumping,
    faults,
    layouts,
    memory,
    networks,
    peers,
    precision,
    quality,
    reading,
    remote,
    resuming,
    together,
    training,
    workers,
)
from tests.benchmarks.page import Page, table, write_page

ALTERNATED = (
    "Figures are medians, with the smallest and the largest in brackets. The sides of a comparison ran "
    "alternately in one\nprocess; the machine is noisy, so look at the ratios."
)
LOCAL = (
    "S3 and other remote stores: a local folder only.",
    "A cold disk: emptying the system's cache needs root. Reads come from the cache, writes end in an fsync.",
)
PAGES = {
    "capture": Page(
        "Capture",
        {"capture": capturing.run},
        ALTERNATED,
        (
            "A compiled loop: it needs a C++ compiler at run time, and could gain little for an lstm on a CPU.",
            "Bidirectional and packed inputs, projections.",
        ),
    ),
    "main-path": Page(
        "The main path",
        {"dumping": dumping.run, "reading": reading.run, "memory": memory.run},
        ALTERNATED,
        (
            "GPUs: the stages run on the CPU.",
            "Several processes: everything runs in one, without Ray, so the figures are those of the code alone.",
            *LOCAL,
            "Cells other than the LSTM, and other sizes: these are the two that the shipped experiments use.",
            "Tools other than PyTorch and NumPy: those are on the peers' page.",
        ),
    ),
    "training": Page(
        "Training",
        {"training": training.run, "together": together.run},
        ALTERNATED,
        (
            "GPUs, mixed precision, more than two workers and more than one machine.",
            "Cells other than the LSTM.",
            "The quality of what was trained.",
        ),
    ),
    "corpora": Page(
        "Corpora",
        {"corpora": corpora.run},
        "Each figure is from one run: look at the ratio of the peaks.",
        (
            "S3 and archives, whose documents also arrive one by one.",
            "Many small documents: the survey keeps 20 bytes for each, which makes 200 MB for 10 million tweets.",
        ),
    ),
    "quality": Page(
        "Quality",
        {"quality": quality.run},
        "Nothing here is timed; another machine's rounding moves a figure as another seed does.",
        (
            "Training to convergence: every network sees each character once or twice.",
            "Larger networks and other settings: docs/log.md has those that were tried.",
            "The two texts of the paper.",
        ),
    ),
    "networks": Page(
        "The article's networks",
        {"networks": networks.run},
        "Seconds aside, another machine's rounding moves a figure as another seed does.",
        (
            "What the networks' neurons do: the experiments' own answers say that.",
            "Other settings: docs/log.md has those that were tried.",
        ),
    ),
    "layouts": Page(
        "Layouts",
        {"layouts": layouts.run},
        ALTERNATED,
        ("Lists and wide tables, which lost by a wide margin: their figures are in decision 9.", *LOCAL),
    ),
    "peers": Page(
        "Peers",
        {"peers": peers.run},
        ALTERNATED,
        (
            "GPUs, several processes, and cells other than the LSTM.",
            *LOCAL,
            "Questions other than one neuron's greatest values; SQL over arrays and pickles, which have none.",
            "Padding, sequences of different lengths, and tools that cannot see into an LSTM at all.",
        ),
    ),
    "sql-on-s3": Page(
        "SQL on S3",
        {"remote": remote.run},
        "Figures are medians, with the smallest and the largest in brackets. The methods took turns in one "
        "process.",
        (
            "A real network: a delay is added to each request, but the bytes then arrive at loopback speed.",
            "TLS, and more than one reader at a time.",
            "A cold store on disk.",
        ),
    ),
    "storage": Page(
        "Storage",
        {"committing": committing.run, "resuming": resuming.run, "workers": workers.run},
        ALTERNATED,
        (
            "AWS itself, or any store across a network: S3 is a server in this machine's memory.",
            "More than two workers, and more than one machine.",
        ),
    ),
    "faults": Page(
        "Faults",
        {"faults": faults.run},
        "Seconds are for a whole scenario with its runs; they say what a seed costs, not how fast anything is.",
        (
            "Spot notices, machines that vanish, and networks between machines: the nodes are processes here.",
            "AWS itself: the store is LocalBucket behind the laboratory's own proxy.",
            "Faults during multipart uploads: the shards of the experiment are too small for them.",
        ),
    ),
    "precision": Page(
        "Precision",
        {"precision": precision.run},
        "Nothing here is timed: the figures are from one run on one trained network of each kind, and vary with "
        "the weights.",
        (
            "Other seeds, sizes and cells.",
            "Spearman's rho and AUC.",
            "What a person would conclude from an answer that differs.",
        ),
    ),
}
THEMES = {name: run for page in PAGES.values() for name, run in page.themes.items()}
FOLDER = Path(__file__).parent.parent.parent / "docs" / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, or these arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("theme", nargs="?", choices=sorted(THEMES), help="print one theme, and write nothing")
    parser.add_argument("--page", choices=sorted(PAGES), help="the one page to write; all when left out")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; needs --out unless a theme is named")
    parser.add_argument("--out", type=Path, help="folder of the pages; docs/benchmarks when left out")
    given = parser.parse_args(arguments)
    if given.theme:
        print(table(THEMES[given.theme](quick=given.quick)))
        return
    if given.quick and given.out is None:
        parser.error("--quick needs --out: its figures mean nothing and may not replace a real page")
    for name in [given.page] if given.page else PAGES:
        _write(name, quick=given.quick, folder=given.out or FOLDER)


def _write(name: str, *, quick: bool, folder: Path) -> None:
    page, themes = PAGES[name], {}
    for theme, run in page.themes.items():
        themes[theme] = run(quick=quick)
        print(table(themes[theme]), flush=True)
    command = f"python -m tests.benchmarks --page {name}" + (" --quick" if quick else "")
    print(write_page(name, page, themes, folder, command).name)


if __name__ == "__main__":
    main()
