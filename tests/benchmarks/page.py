"""The page of a whole run: the machine, a table a theme, what was not measured; the raw figures as JSON."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.measure import Theme

VERSIONED = ("torch", "numpy", "pyarrow", "duckdb")
NOT_MEASURED = """\
## Not measured

- GPUs: the stages run on the CPU.
- Several processes: all is one process without Ray, so the figures are those of the code and not of a scheduler.
- S3 and other remote stores: a local folder only.
- A cold disk: emptying the system's cache needs root. All reads come from the cache, all writes end in an fsync.
- Other cells than the LSTM, and other sizes: these are the two that the shipped experiments use.
- Tools other than PyTorch and NumPy.
"""


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONED},
    }


def table(theme: Theme) -> str:
    """A theme as Markdown."""
    lines = [f"## {theme.title}", "", theme.method, ""]
    lines += [_line(theme.header), _line(["---", *["---:"] * (len(theme.header) - 1)])]
    lines += [_line(row) for row in theme.rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in theme.notes), ""])


def write_page(themes: Mapping[str, Theme], folder: Path, command: str) -> Path:
    """Write the page and its JSON; give the page's path."""
    here, now = machine(), datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"main-path_{here['cores']}-core-cpu_{now:%Y%m}.md"
    text = "\n".join([_head(here, f"{now:%Y-%m-%d}", command), *map(table, themes.values()), NOT_MEASURED])
    path.write_text(text, "utf-8")
    raw = {"machine": here, "command": command, "themes": {name: theme.raw for name, theme in themes.items()}}
    path.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n", "utf-8")
    return path


def _head(here: Mapping[str, object], day: str, command: str) -> str:
    versions = ", ".join(f"{name} {here[name]}" for name in ("python", *VERSIONED))
    return f"""\
# The main path on {here["cores"]} CPU cores

Made by `{command}` on {day}; the raw figures lie beside this page as JSON.

Machine: {here["cores"]} cores ({here["processor"]}, {here["system"]}), {here["memory_gb"]} GB; {versions}.
torch runs on one thread on both sides of every comparison, as the stages do.

A figure is a median, with the least and the greatest in brackets. The sides of a comparison ran alternately in one
process; the machine is noisy, so read the ratios.
"""


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
