"""`unrolled roles`: what each neuron of a model does, with the evidence."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

import pipeline
from jobs.commands.output import print_folded, print_json_rows
from jobs.commands.probe_signals import Probe, read_probe, read_signals
from pipeline.queries.lake import Lake
from pipeline.roles.certify import certificates
from pipeline.roles.counting import Failing
from pipeline.roles.role import Role
from schemas.errors import some

_NAMED = 12  # neurons without a role that one line names


class _Found(NamedTuple):
    layer: int
    neuron: int
    role: Role

    @property
    def label(self) -> str:
        """As L0/N7."""
        return f"L{self.layer}/N{self.neuron}"


def roles(options: argparse.Namespace) -> None:
    """List a model's neurons with their roles."""
    lake = pipeline.open(options.root)
    run = lake.find_run(options.run)
    lake.catalog.require(run, "dump")
    probe = read_probe(lake, run, options.model, options.checkpoint)
    found = list(_found(lake, probe))
    if options.json:
        print_json_rows(_row(one, probe) for one in found)
        return
    print(_title(probe))
    shown = [one for one in found if one.role.name or options.all]
    if shown:
        rows = [
            {
                "neuron": one.label,
                "role": one.role.name or "-",
                "signal": one.role.figures["signal"],
                "evidence": one.role.evidence,
            }
            for one in shown
        ]
        print()
        print_folded(pa.Table.from_pylist(rows))
    if len(shown) < len(found):
        without = [one.label for one in found if not one.role.name]
        print(f"\nno role: {some(without, _NAMED)}; --all says what comes nearest")


def _found(lake: Lake, probe: Probe) -> Iterator[_Found]:
    failing = _failing(lake, probe)
    for layer, first, signals in read_signals(lake, probe):
        for neuron, held in enumerate(certificates(signals, probe.texts, failing), first):
            yield from (_Found(layer, neuron, role) for role in held)


def _failing(lake: Lake, probe: Probe) -> Failing | None:
    """How the model did its task at sizes beyond training, at this checkpoint."""
    query = (
        "select min(size) filter (correct < total) as first, max(size) as largest from extrapolation "
        "where run = $run and model = $model and checkpoint = $checkpoint"
    )
    asked = {"run": probe.run, "model": probe.model, "checkpoint": probe.checkpoint}
    (row,) = lake.fetch(query, asked).to_pylist()
    return None if row["largest"] is None else Failing(row["first"], row["largest"])


def _row(one: _Found, probe: Probe) -> dict[str, object]:
    place = {"model": probe.model, "checkpoint": probe.checkpoint, "layer": one.layer, "neuron": one.neuron}
    said = {"role": one.role.name, "evidence": one.role.evidence, "texts": len(probe.texts)}
    return {**place, **said, **one.role.figures}


def _title(probe: Probe) -> str:
    texts, steps = probe.texts, len(probe.texts.codes)
    first = "" if probe.is_whole else "the first "
    return (
        f"{probe.model}, checkpoint {probe.checkpoint}: from {first}{len(texts)} distinct texts of "
        f"{probe.repeated:,} sequences, {steps:,} steps"
    )
