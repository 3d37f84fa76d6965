"""An invariant: a .sql file of this folder that gives each row's residual and what rounding explains of it.

-- says: h = o * tanh(c)
-- cells: lstm, peephole_lstm              all of them when left out
-- needs: output_gate, cell_state          signals that the dump must hold
-- needs of gru: update_gate               the same, for one cell
-- rows: sum($neurons)                     what a row of the answer stands for; count(*) when left out

Its columns are layer, neuron, sequence, step, residual, tolerance, and signal where one row has several.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from schemas.signals import CELL_SIGNALS

# In the order in which they are told: what is there, what each row may hold, how rows follow from one another,
# how they follow from the weights.
STORED = (
    "complete",
    "signals",
    "ranges",
    "cell_state",
    "shown_state",
    "updated_state",
    "predicted_steps",
    "probabilities",
)
FROM_WEIGHTS = ("gates", "candidates", "reset_candidates", "simple_states")

_HEADER = re.compile(r"-- (says|cells|rows|needs(?: of \w+)?): (.*)")


@dataclass(frozen=True)
class Invariant:
    """What must hold of every row, in words and in SQL."""

    name: str
    says: str
    cells: tuple[str, ...]
    needs: dict[str, tuple[str, ...]]  # by cell; "" for every cell
    rows: str  # an aggregate: how many rows were checked
    sql: str

    def lacks(self, cell: str, signals: tuple[str, ...]) -> list[str]:
        """The signals that it needs of a cell and that were not dumped."""
        return [s for s in (*self.needs.get("", ()), *self.needs.get(cell, ())) if s not in signals]


def relation(name: str) -> str:
    """The SQL of a relation that several invariants read."""
    return (files("pipeline.queries.audit") / f"{name}.sql").read_text("utf-8")


@cache
def invariants() -> dict[str, Invariant]:
    """Every invariant by name, in the order in which they are told."""
    return {name: parse_invariant(name, relation(name)) for name in (*STORED, *FROM_WEIGHTS)}


def parse_invariant(name: str, text: str) -> Invariant:
    """An invariant from the text of its file."""
    header = {match[1]: match[2] for line in text.splitlines() if (match := _HEADER.fullmatch(line))}
    needs = {key: value for key, value in header.items() if key.startswith("needs")}
    return Invariant(
        name=name,
        says=header["says"],
        cells=tuple(header["cells"].split(", ")) if "cells" in header else tuple(CELL_SIGNALS),
        needs={key.removeprefix("needs").removeprefix(" of "): tuple(v.split(", ")) for key, v in needs.items()},
        rows=header.get("rows", "count(*)"),
        sql=text,
    )
