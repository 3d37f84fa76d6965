"""What to know of a hypothesis before its scores are believed: one line each, for a run's answer and `top`."""

from collections.abc import Iterator
from typing import Any

from pipeline.queries.lake import Lake

Row = dict[str, Any]
FEW = 5  # steps of one answer: fewer are met by chance


def hypothesis_notes(lake: Lake, run: str, hypothesis: str | None = None) -> dict[str, str]:
    """A line for each annotated hypothesis of which there is something to know, by name.

    Args:
        lake: that the run lies in.
        run: its id.
        hypothesis: one of its hypotheses, None for all.
    """
    rows = lake.ask("hypothesis_answers", run=run, hypothesis=hypothesis).to_pylist()
    lines = {row["hypothesis"]: "; ".join(_told(row, run)) for row in rows}
    return {name: line for name, line in lines.items() if line}


def _told(row: Row, run: str) -> Iterator[str]:
    name, steps = row["hypothesis"], row["steps"]
    if row["note"]:
        shards = f"{row['failed_shards']} shard{'s' if row['failed_shards'] > 1 else ''}"
        yield f"{row['note']}: it is NULL " + (f"over {shards} of the probe split" if steps else "everywhere")
    if not steps:
        if not row["note"]:
            yield f"{name} is NULL at every step of {run}'s probe split: there is nothing to measure against it"
        return
    if row["kind"] == "mixed":
        yield f"{name} gives text in some shards of the probe split and numbers in others"
    if row["answers"] == 1:
        yield f"{name} is the same at each of the {steps} steps where it has a value: no measure is defined"
        return
    if row["yes_steps"] is not None:
        yield from _few(name, row["yes_steps"], steps)
    if row["says_next_char"]:
        yield f"{name} says what comes next: a neuron that follows it predicts rather than remembers"


def _few(name: str, yes: int, steps: int) -> Iterator[str]:
    for answer, count in (("yes", yes), ("no", steps - yes)):
        if count < FEW:
            yield f"{name} says {answer} at {count} of {steps} steps: so few may be met by chance"
