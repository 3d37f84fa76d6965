"""`python -m tests.benchmarks` runs every theme and writes the page; with a theme's name, it prints that one.

--quick measures next to nothing: it shows that every theme runs.
"""

import argparse
from pathlib import Path

from tests.benchmarks import dumping, layouts, memory, reading, training
from tests.benchmarks.page import table, write_page

THEMES = {
    "training": training.run,
    "dumping": dumping.run,
    "layouts": layouts.run,
    "reading": reading.run,
    "memory": memory.run,
}
FOLDER = Path(__file__).parent.parent.parent / "docs" / "benchmarks"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("theme", nargs="?", choices=sorted(THEMES), help="one theme; all when left out")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; needs --out unless a theme is named")
    parser.add_argument("--out", type=Path, help="folder of the page; docs/benchmarks when left out")
    given = parser.parse_args()
    if given.theme:
        print(table(THEMES[given.theme](quick=given.quick)))
        return
    if given.quick and given.out is None:
        parser.error("--quick needs --out: its figures mean nothing and may not replace a real page")
    themes = {}
    for name, run in THEMES.items():
        themes[name] = run(quick=given.quick)
        print(table(themes[name]), flush=True)
    command = "python -m tests.benchmarks" + (" --quick" if given.quick else "")
    print(write_page(themes, given.out or FOLDER, command).name)


if __name__ == "__main__":
    main()
