"""`unrolled claims`: which claims about its task hold of a run's networks, with the figures that decide."""

import argparse
from collections.abc import Mapping

import pyarrow as pa

import pipeline
from jobs.commands.output import print_json, print_table
from pipeline.queries.question import CLAIMED, find_question

_ROW = pa.schema(
    [
        ("claim", pa.string()),
        ("sentence", pa.string()),
        ("model", pa.string()),
        ("checkpoint", pa.int64()),
        ("held", pa.bool_()),
        ("neuron", pa.string()),
        ("figures", pa.map_(pa.string(), pa.float64())),
    ]
)


def claims(options: argparse.Namespace) -> None:
    """A table for each claim, or one JSON list of claims and networks."""
    answers = pipeline.open(options.root).claims(options.run, options.checkpoint)
    if options.json:
        print_json(_rows(answers))
        return
    for name, table in answers.items():
        _print(name, table)


def _rows(answers: Mapping[str, pa.Table]) -> pa.Table:
    rows = [
        {
            "claim": name,
            "sentence": find_question(name).claim,
            **{column: row.pop(column) for column in CLAIMED},
            "figures": list(row.items()),
        }
        for name, table in answers.items()
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows, _ROW)


def _print(name: str, table: pa.Table) -> None:
    claim, held = find_question(name), table["held"].to_pylist()
    thresholds = "".join(f", {threshold} = {value:g}" for threshold, value in claim.thresholds.items())
    print(f"{claim.claim} Held in {sum(held)} of {len(held)}.\n{name}{thresholds}: {claim.question}\n")
    words = pa.array(["held" if one else "did not" for one in held], pa.string())
    print_table(table.set_column(table.column_names.index("held"), "held", words))
    print()
