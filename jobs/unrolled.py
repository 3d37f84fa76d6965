"""`import unrolled`: what Python code uses, under one name. Setuptools puts this file beside the packages.

    import unrolled
    lake = unrolled.open("./lake")

The packages are called `schemas`, `pipeline` and `jobs`, as people's own files often are. A script's folder comes
first on Python's path, so they are looked for with that in mind: ours are imported whatever lies there, and where
another one of that name was imported before, that is said.
"""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_OURS = {"schemas": "experiment.py", "pipeline": "capturing", "jobs": "dump_module.py"}  # each with what is in it
_FOLDERS = (Path(__file__).parent, Path(__file__).parent.parent)  # installed, and in a checkout


def _is_ours(name: str, folders: list[str] | None) -> bool:
    return any(Path(folder, _OURS[name]).exists() for folder in folders or ())


def _import(name: str) -> ModuleType:
    """One of our packages. Raises ImportError when another one of its name is there already."""
    there = sys.modules.get(name)
    if there is not None:
        if not _is_ours(name, getattr(there, "__path__", None)):
            where = getattr(there, "__file__", None) or ", ".join(getattr(there, "__path__", ["something else"]))
            why = f"{where} was imported under that name: give it another name"
            raise ImportError(f"unrolled needs its own package `{name}`, and {why}")
        return there

    spec = find_spec(name)
    if spec is not None and _is_ours(name, spec.submodule_search_locations):
        return importlib.import_module(name)

    home = next((folder for folder in _FOLDERS if _is_ours(name, [str(folder / name)])), None)
    if home is None:
        raise ImportError(f"unrolled's package `{name}` is not where it was installed: install unrolled again")
    sys.path.insert(0, str(home))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(home))


for _name in _OURS:
    _import(_name)

from pipeline import capture, open  # noqa: A004, E402  # once all of them are ours
from schemas.errors import UnrolledError, UsageError  # noqa: E402

if TYPE_CHECKING:
    from jobs.dump_module import dump_module

__all__ = ["UnrolledError", "UsageError", "capture", "dump_module", "open"]


def __getattr__(name: str) -> object:
    if name == "dump_module":  # with torch, which takes a second
        from jobs.dump_module import dump_module

        return dump_module
    raise AttributeError(f"unrolled has no {name!r}: it has {', '.join(__all__)}")
