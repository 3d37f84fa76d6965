"""What a model read where it was dumped, each text once, and its signals there, a few neurons at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.queries.lake import Lake
from pipeline.roles.texts import Texts, lay_out
from pipeline.roles.thresholds import GROUP_NEURONS, LEAST_TEXTS, MOST_LENGTH, MOST_STEPS, MOST_TEXTS
from schemas.errors import UsageError
from schemas.signals import CELL_SIGNALS

READ = ("cell_state", "hidden_state", "input_gate", "forget_gate", "update_gate")  # what roles are told from
Signals = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Probe:
    """A model's texts, and where they lie in the lake."""

    run: str
    model: str
    checkpoint: int
    texts: Texts
    sequences: np.ndarray  # (T,) int64: the first sequence that holds each text, rising
    repeated: int  # sequences that hold these texts, all in all
    is_whole: bool  # whether these are all of them


def read_probe(lake: Lake, run: str, model: str, checkpoint: int | str | None) -> Probe:
    """The distinct texts of a model's dump, within what roles are told from.

    Raises:
        UsageError: the run has no such model or checkpoint, or too few texts.
    """
    table = lake.ask(
        "distinct_texts", run=run, model=model, checkpoint=checkpoint, length=MOST_LENGTH, limit=MOST_TEXTS + 1
    )
    rows: list[dict[str, Any]] = []
    steps = 0
    for row in table.to_pylist():
        steps += len(row["chars"])
        if len(rows) == MOST_TEXTS or (steps > MOST_STEPS and len(rows) >= LEAST_TEXTS):
            break
        rows.append(row)
    repeated = sum(row["sequences"] for row in rows)
    if len(rows) < LEAST_TEXTS:
        raise UsageError(
            f"{run} has {len(rows)} distinct texts in {repeated} dumped sequences, and roles are told from "
            f"{LEAST_TEXTS} on: ask for longer or more different ones (corpus.probe, task)"
        )
    texts = lay_out([row["chars"] for row in rows], [[bool(flag) for flag in row["determined"]] for row in rows])
    sequences = np.array([row["sequence"] for row in rows], np.int64)
    return Probe(run, model, rows[0]["checkpoint"], texts, sequences, repeated, len(rows) == len(table))


def read_signals(lake: Lake, probe: Probe) -> Iterator[tuple[int, int, Signals]]:
    """A layer, the first of some of its neurons, and their signals over a probe's texts, (neurons, N) float32.

    Raises UsageError when neither the cell state nor the hidden state was dumped.
    """
    place = {"run": probe.run, "model": probe.model}
    (spec,) = lake.fetch(
        "select cell, layers, hidden_size from models where run = $run and model = $model", place
    ).to_pylist()
    dumped = lake.catalog.dumped_signals(probe.run)
    names = [name for name in READ if name in CELL_SIGNALS[spec["cell"]] and name in dumped]
    if not {"cell_state", "hidden_state"} & set(names):
        raise UsageError(
            f"{probe.run} has no cell_state and no hidden_state of {probe.model}: dump.signals asks for none"
        )
    for layer in range(spec["layers"]):
        for first in range(0, spec["hidden_size"], GROUP_NEURONS):
            neurons = min(GROUP_NEURONS, spec["hidden_size"] - first)
            yield layer, first, _group(lake, probe, names, layer, first, neurons)


def _group(lake: Lake, probe: Probe, names: list[str], layer: int, first: int, neurons: int) -> Signals:
    """Each row is put into its place, so that nothing has to be sorted."""
    found = {name: np.full((neurons, len(probe.texts.codes)), np.nan, np.float32) for name in names}
    query = (
        f"select neuron, sequence, step, {', '.join(names)} from activations where run = $run and model = $model "
        "and checkpoint = $checkpoint and layer = $layer and neuron between $first and $last "
        "and sequence in (select unnest($sequences)) and sequence between $from and $to and step < $length"
    )
    asked = {
        "run": probe.run,
        "model": probe.model,
        "checkpoint": probe.checkpoint,
        "layer": layer,
        "first": first,
        "last": first + neurons - 1,
        "sequences": probe.sequences.tolist(),
        "from": int(probe.sequences[0]),
        "to": int(probe.sequences[-1]),
        "length": MOST_LENGTH,
    }
    for batch in lake.batches(query, asked):
        neuron, sequence, step = (batch[name].to_numpy() for name in ("neuron", "sequence", "step"))
        at = probe.texts.offsets[np.searchsorted(probe.sequences, sequence)] + step
        for name in names:
            found[name][neuron - first, at] = batch[name].to_numpy(zero_copy_only=False)
    return found
