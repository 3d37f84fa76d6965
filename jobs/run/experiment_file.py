"""An experiment's TOML file, by path or by the name of one in jobs/experiments, with --set laid over it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.annotation.dependence import modules_of
from schemas.errors import UsageError, unknown
from schemas.experiment import Experiment
from schemas.parse import parse_experiment

STDLIB = "{stdlib}"  # of task.files: Python's own library


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a file or name.

    Args:
        name: a path that ends in .toml, or the name of a shipped experiment.
        overrides: "section.key=value", the value as TOML; a bare word is a text.

    Relative paths of files are from the file's folder, those of an override from the working directory.
    """
    try:
        document = tomllib.loads(_read(name))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not TOML: {error}") from None
    _anchor(document, code_folder(name))
    _read_definitions(document, code_folder(name))
    return _parsed(document, overrides, name)


def network_experiment(flags: Mapping[str, Any], overrides: Sequence[str] = ()) -> Experiment:
    """The experiment that the flags of `unrolled dump --model …` describe, with paths from the working directory.

    Args:
        flags: model, weights, vocabulary and corpus; name, tokenizer, recurrent, window and sequences or None.
        overrides: as those of an experiment file.
    """
    missing = [f"--{flag}" for flag in ("model", "weights", "vocabulary", "corpus") if not flags[flag]]
    if missing:
        raise UsageError(
            f"a network needs --model, --weights, --vocabulary and --corpus: {', '.join(missing)} not given"
        )

    module = flags["model"].partition(":")[0].rpartition(".")[2]
    task = {"name": "text", "files": flags["corpus"], "window": flags["window"]}
    settings = ("model", "weights", "vocabulary", "tokenizer", "recurrent")
    document: dict[str, Any] = {
        "name": flags["name"] or re.sub(r"[^a-z0-9_]|^(?=[^a-z])", "_", module.lower()).lstrip("_") or "network",
        "task": {key: value for key, value in task.items() if value is not None},
        "network": {key: flags[key] for key in settings if flags[key] is not None},
    }

    if flags["sequences"] is not None:
        document["corpus"] = {"probe": flags["sequences"]}
    return _parsed(document, overrides, "the command line")


def code_folder(name: str | None) -> str:
    """The folder that a network's Python is imported from: an experiment file's, else the working directory."""
    return str(Path(name).absolute().parent if name and name.endswith(".toml") else Path.cwd())


def _parsed(document: dict[str, Any], overrides: Sequence[str], source: str) -> Experiment:
    for override in overrides:
        _lay_over(document, override)
    _anchor(document, str(Path.cwd()))
    _read_definitions(document, str(Path.cwd()))
    return parse_experiment(document, source)


def _anchor(document: dict[str, Any], folder: str) -> None:
    """Make relative paths of files absolute: workers may run in another folder."""
    network, task = document.get("network"), document.get("task")
    if isinstance(network, dict):
        for key in ("weights", "vocabulary"):
            if isinstance(network.get(key), str) and network[key]:
                network[key] = _anchored(network[key], folder)
    if isinstance(task, dict) and isinstance(task.get("files"), list):
        task["files"] = [_anchored(path, folder) if isinstance(path, str) else path for path in task["files"]]


def _read_definitions(document: dict[str, Any], folder: str) -> None:
    """Put the source of the user's own hypotheses into the experiment, so that it travels to workers and lake."""
    score = document.get("score")
    for definition in score.get("define", []) if isinstance(score, dict) else []:
        python = definition.get("python") if isinstance(definition, dict) else None
        if isinstance(python, str) and ":" in python and not definition.get("source"):
            path = Path(folder, python.rpartition(":")[0])
            try:
                definition["source"] = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"score.define: cannot read {path}: {error}") from None
            _check_imports(path, definition["source"])


def _check_imports(path: Path, source: str) -> None:
    """Raise UsageError where a hypothesis needs another file: no worker has it, and no change of it is noticed."""
    for folder in dict.fromkeys((path.parent, Path.cwd())):
        for module in sorted(modules_of(source)):
            if (folder / f"{module}.py").exists() or any((folder / module).glob("*.py")):
                raise UsageError(
                    f"score.define: {path} imports {module}, which lies in {folder}: only {path.name} travels "
                    "with the run, and only its changes are noticed; put into it what it needs"
                )


def _anchored(path: str, folder: str) -> str:
    return path if "://" in path or path.startswith(STDLIB) else str(Path(folder, path))


def shipped_experiments() -> list[str]:
    """The names of the experiments that come with unrolled."""
    folder = files("jobs.experiments")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _read(name: str) -> str:
    if name.endswith(".toml"):
        try:
            return Path(name).read_text("utf-8")
        except FileNotFoundError:
            raise UsageError(f"there is no file {name} to read the experiment from") from None
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
