"""`import unrolled` beside a person's own files, in a Python of its own."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.python import run_python

NAMES = ["pipeline", "jobs", "schemas"]


@pytest.fixture(params=[*NAMES, "pipeline/", "namespace schemas/"])
def shadow(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file or folder of a person's own that has the name of one of our packages."""
    name: str = request.param.removeprefix("namespace ").rstrip("/")
    if request.param.endswith("/"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("mine.py" if "namespace" in request.param else "__init__.py")).write_text("own = 1\n")
    else:
        (tmp_path / f"{name}.py").write_text("own = 1\n")
    return name


def test_it_works_beside_a_file_of_the_same_name(shadow: str, tmp_path: Path) -> None:
    done = run_python(
        f"import sys, unrolled\nprint(unrolled.open.__module__, 'torch' in sys.modules)\n"
        f"import {shadow}\n{shadow}.own",
        tmp_path,
    )
    assert done.stdout == "pipeline False\n", done.stderr
    assert (
        f"Unrolled's package `{shadow}` has no 'own'; a {shadow}.py of your own needs another name" in done.stderr
    )


def test_it_gives_what_the_pages_use(tmp_path: Path) -> None:
    done = run_python(
        "import unrolled\nfrom torch import nn\n"
        "print(unrolled.capture(nn.GRU(1, 2)), unrolled.dump_module.__module__)\nunrolled.dump",
        tmp_path,
    )
    assert done.stdout == "<capture of {'': GRU}, 0 calls> jobs.dump_module\n"
    assert "unrolled has no 'dump': it has UnrolledError, UsageError, capture, dump_module, open" in done.stderr


def test_a_file_of_the_same_name_that_came_first_is_named(shadow: str, tmp_path: Path) -> None:
    (tmp_path / shadow).mkdir(exist_ok=True)
    (tmp_path / shadow / "__init__.py").touch()  # a folder without one gives way to ours
    done = run_python(f"import {shadow}\nimport unrolled\n", tmp_path)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(f"ImportError: unrolled needs its own package `{shadow}`, and ")
    assert str(tmp_path) in told
    assert told.endswith("was imported under that name: give it another name")


def test_the_command_line_works_beside_such_files(tmp_path: Path) -> None:
    for name in ("pipeline", "schemas"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('theirs')\n")
    done = run_python(
        "import runpy, sys\nsys.argv[1:] = ['runs']\nrunpy.run_module('jobs', run_name='__main__')", tmp_path
    )
    assert done.stderr.startswith("unrolled: there is no lake at ./lake: make one with `unrolled run counting"), (
        done
    )
    assert done.returncode == 2


def test_it_is_installed_beside_the_packages() -> None:
    assert set((distribution("unrolled").read_text("top_level.txt") or "").split()) >= {"unrolled", *NAMES}
