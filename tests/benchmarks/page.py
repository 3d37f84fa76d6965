"""A page: the machine, a table a theme, what was not measured; the raw figures as JSON next to it."""

import json
import os
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.measure import Theme

VERSIONED = ("torch", "numpy", "pyarrow", "duckdb")


class Page(NamedTuple):
    """Themes that are run and told together."""

    title: str
    themes: Mapping[str, Callable[..., Theme]]  # called with quick=…
    reading: str  # how to read its figures
    not_measured: tuple[str, ...]


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


def write_page(name: str, page: Page, themes: Mapping[str, Theme], folder: Path, command: str) -> Path:
    """Write a page and its JSON; give the page's path."""
    here, now = machine(), datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{here['cores']}-core-cpu_{now:%Y%m}.md"
    head = _head(page, here, f"{now:%Y-%m-%d}", command)
    last = "\n".join(["## Not measured", "", *(f"- {line}" for line in page.not_measured), ""])
    path.write_text("\n".join([head, *map(table, themes.values()), last]), "utf-8")
    raw = {"machine": here, "command": command, "themes": {name: theme.raw for name, theme in themes.items()}}
    path.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n", "utf-8")
    return path


def _head(page: Page, here: Mapping[str, object], day: str, command: str) -> str:
    versions = ", ".join(f"{name} {here[name]}" for name in ("python", *VERSIONED))
    return f"""\
# {page.title} on {here["cores"]} CPU cores

Made by `{command}` on {day}; the raw figures are next to this page, as JSON.

Machine: {here["cores"]} cores ({here["processor"]}, {here["system"]}), {here["memory_gb"]} GB; {versions}.
torch runs on one thread on all sides of every comparison, as it does in the stages.

{page.reading}
"""


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
