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
    "A figure is a median, with the least and the greatest in brackets. The sides of a comparison ran alternately "
    "in one\nprocess; the machine is noisy, so read the ratios."
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
            "A compiled loop: it needs a C++ compiler at run time, and leaves an lstm on a CPU little to win.",
            "Bidirectional and packed inputs, projections.",
        ),
    ),
    "main-path": Page(
        "The main path",
        {"dumping": dumping.run, "reading": reading.run, "memory": memory.run},
        ALTERNATED,
        (
            "GPUs: the stages run on the CPU.",
            "Several processes: all is one, without Ray, so the figures are those of the code alone.",
            *LOCAL,
            "Other cells than the LSTM, and other sizes: these are the two that the shipped experiments use.",
            "Tools other than PyTorch and NumPy: those are on the peers' page.",
        ),
    ),
    "training": Page(
        "Training",
        {"training": training.run, "together": together.run},
        ALTERNATED,
        (
            "GPUs, mixed precision, more than two workers and more than one machine.",
            "Other cells than the LSTM.",
            "How good what was trained is.",
        ),
    ),
    "corpora": Page(
        "Corpora",
        {"corpora": corpora.run},
        "Each figure is of one run: read the ratio of the peaks.",
        (
            "S3 and archives, whose documents come one by one as well.",
            "Many small documents: 20 bytes of survey for each are held, 200 MB for 10 million tweets.",
        ),
    ),
    "quality": Page(
        "Quality",
        {"quality": quality.run},
        "Nothing here is timed, and every figure is the same on every machine but for rounding.",
        (
            "Training until nothing more is learnt: every network sees each character once or twice.",
            "Larger networks, other recipes, and other rates than these two.",
            "The two texts of the paper.",
        ),
    ),
    "layouts": Page(
        "Layouts",
        {"layouts": layouts.run},
        ALTERNATED,
        ("Lists and wide tables, which lost by far: their figures are in decision 9.", *LOCAL),
    ),
    "peers": Page(
        "Peers",
        {"peers": peers.run},
        ALTERNATED,
        (
            "GPUs, several processes, and other cells than the LSTM.",
            *LOCAL,
            "Other questions than one neuron's greatest values; SQL over arrays and pickles, which have none.",
            "Padding, sequences of several lengths, and tools that see no LSTM at all.",
        ),
    ),
    "sql-on-s3": Page(
        "SQL on S3",
        {"remote": remote.run},
        "A figure is a median, with the least and the greatest in brackets. The ways took turns in one process.",
        (
            "A real network: a delay is added to each request, the bytes then come at the loopback's speed.",
            "TLS, and more than one reader at a time.",
            "A store on disk that is cold.",
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
        "Seconds are of the whole scenario with its runs; they tell what a seed costs, no speed.",
        (
            "Spot notices, machines that vanish, and networks between machines: the nodes are processes here.",
            "AWS itself: the store is LocalBucket behind a proxy of the laboratory.",
            "Uploads in parts under fire: the shards of the experiment are too small for them.",
        ),
    ),
    "precision": Page(
        "Precision",
        {"precision": precision.run},
        "Nothing here is timed: one run on one trained network of each kind, and other weights give others.",
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
