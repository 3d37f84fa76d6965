"""A shipped question: a .sql file of this folder whose header says what it asks, its parameters and its tables.

-- question: Which neurons follow a hypothesis best?
-- parameter run run: the run's id, or the start of it
-- parameter limit integer = 20: rows to give
-- tables: scores

A parameter's type is text, integer, count (an integer from 1), number, or what it names, as `run`: then the lake
must have it (names.py).

A claim is a question in the folder claims/ whose header has two more lines. Its answer has a row for each network:
`model`, `checkpoint`, `held`, `neuron`, and the figures that decide; its numbers with a default are thresholds.

-- claim: A hidden neuron counts the a's, and then the b's that are left.
-- tasks: counting, selective_counting
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pipeline.queries.claims import CLAIMS
from schemas.errors import UsageError, unknown

NAMES = {"run": str, "hypothesis": str, "model": str, "signal": str, "measure": str}
NUMBERS = {"checkpoint": int, "layer": int, "neuron": int, "sequence": int}
CLAIMED = ("model", "checkpoint", "held", "neuron")  # the columns of a claim's answer, before its figures
_LARGEST = 2**63  # of SQL's BIGINT


def read_checkpoint(text: str) -> int | Literal["last"]:
    """A checkpoint as it is typed: its number, or "last". Raises ValueError for anything else."""
    return "last" if text == "last" else _integer(text)


def _integer(text: str) -> int:
    number = int(text)
    if not -_LARGEST <= number < _LARGEST:
        raise ValueError(f"{number} is no BIGINT")
    return number


def _count(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise ValueError(f"{number} is less than 1")
    return number


_INTEGERS = dict.fromkeys(("integer", *NUMBERS), _integer)
_READERS: dict[str, Callable[[str], object]] = {
    "text": str,
    "number": float,
    "count": _count,
    **NAMES,
    **_INTEGERS,
    "checkpoint": read_checkpoint,
}
_WANTED = {
    "number": "a number",
    "count": "a whole number from 1 to 2^63 - 1",
    "checkpoint": "a whole number below 2^63, or last",
}
_PARAMETER = re.compile(rf"-- parameter (\w+) ({'|'.join(_READERS)})(?: = ([^:]*))?: (.*)")


@dataclass(frozen=True)
class Parameter:
    """A value to fill in."""

    name: str
    kind: str  # text, integer, count, number, or what it names
    default: str | None  # None: it must be given; "": NULL
    note: str

    def read(self, value: object) -> object:
        """The value in its type; the empty text is NULL."""
        if value is None or value == "":
            return None
        try:
            return _READERS[self.kind](str(value))
        except ValueError:
            wanted = _WANTED.get(self.kind, "a whole number below 2^63")
            raise UsageError(f"parameter {self.name} is {wanted}, not {value!r}") from None


@dataclass(frozen=True)
class Question:
    """A question in words and in SQL."""

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    tables: tuple[str, ...]
    sql: str
    claim: str = ""  # the sentence that holds of a network or does not; empty unless it is a claim
    tasks: tuple[str, ...] = ()  # what a claim is about

    def __repr__(self) -> str:
        """What it is given and what it asks, without its SQL."""
        given = ", ".join(p.name if p.default is None else f"[{p.name}]" for p in self.parameters)
        return f"<Question {self.name}({given}): {self.question}>"

    @property
    def thresholds(self) -> dict[str, float]:
        """Its numbers that have a default: what a claim decides by."""
        numbers = (p for p in self.parameters if p.kind == "number" and p.default)
        return {parameter.name: float(parameter.default or 0) for parameter in numbers}

    def complete(self, given: Mapping[str, object]) -> dict[str, object]:
        """All parameters: those given, and the defaults of the others.

        Raises UsageError for one that is unknown, missing or of a wrong type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise unknown(f"parameter of {self.name}", name, known)
        missing = [p.name for p in self.parameters if p.default is None and p.read(given.get(p.name)) is None]
        if missing:
            how = f"give {missing[0]}=… in Python, --set {missing[0]}=… on the command line"
            raise UsageError(f"{self.name} needs {', '.join(missing)}: {how}")
        return {name: p.read(given.get(name, p.default)) for name, p in known.items()}


@cache
def questions() -> dict[str, Question]:
    """Every shipped question by name, but for the claims."""
    folder = files("pipeline.queries")
    return _read(sorted(file.name[:-4] for file in folder.iterdir() if file.name.endswith(".sql")))


@cache
def claims() -> dict[str, Question]:
    """Every claim by name, as `claims/counts`, in the order in which they are told."""
    return _read(f"claims/{name}" for name in CLAIMS)


def _read(names: Iterable[str]) -> dict[str, Question]:
    folder = files("pipeline.queries")
    return {name: parse_question(name, (folder / f"{name}.sql").read_text("utf-8")) for name in names}


def find_question(name: str) -> Question:
    """The shipped question or claim of a name. Raises UsageError that lists the known ones."""
    known = questions() | claims()
    if name not in known:
        raise unknown("question", name, known)
    return known[name]


def parse_question(name: str, text: str) -> Question:
    """A question from the text of its file."""
    lines = text.splitlines()
    asked, tables, claim, tasks = (_said(lines, what) for what in ("question", "tables", "claim", "tasks"))
    if len(asked) != 1 or len(tables) != 1:
        raise ValueError(f"{name}.sql needs one `-- question:` and one `-- tables:` line in its header")
    matches = [_PARAMETER.fullmatch(line) for line in lines if line.startswith("-- parameter ")]
    if not all(matches):
        raise ValueError(
            f"{name}.sql has a parameter line that is not `-- parameter NAME TYPE [= DEFAULT]: meaning`"
        )
    parameters = tuple(Parameter(*match.groups()) for match in matches if match)
    about = tuple(tasks[0].split(", ")) if tasks else ()
    return Question(name, asked[0], parameters, tuple(tables[0].split(", ")), text, "".join(claim), about)


def _said(lines: list[str], what: str) -> list[str]:
    """What the header says under a word."""
    return [line.removeprefix(f"-- {what}: ") for line in lines if line.startswith(f"-- {what}: ")]
