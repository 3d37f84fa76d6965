"""An experiment's TOML file, by path or by the name of one in jobs/experiments, with --set laid over it."""

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.errors import UsageError, unknown
from schemas.experiment import Experiment
from schemas.parse import parse_experiment


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a file or name.

    Args:
        name: a path that ends in .toml, or the name of a shipped experiment.
        overrides: "section.key=value", the value as TOML; a bare word is a text.
    """
    try:
        document = tomllib.loads(_read(name))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not TOML: {error}") from None
    for override in overrides:
        _lay_over(document, override)
    return parse_experiment(document, name)


def shipped_experiments() -> list[str]:
    """The names of the experiments that come with unrolled."""
    folder = files("jobs.experiments")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _read(name: str) -> str:
    if name.endswith(".toml"):
        try:
            return Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the experiment {name}: {error}") from None
    if name not in shipped_experiments():
        raise unknown("experiment", name, shipped_experiments())
    return (files("jobs.experiments") / f"{name}.toml").read_text("utf-8")


def _lay_over(document: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals:
        raise UsageError(f"--set takes section.key=value, not {override!r}")
    *sections, key = path.split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise UsageError(f"--set {override}: {section} is a value, not a section")
    place[key] = _value(text)


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
