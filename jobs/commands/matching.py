"""`unrolled match`: which neurons of two networks do the same, and which does every seed have?"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

import pipeline
from jobs.commands.matches import LayerMatches, Pair, matches_of
from jobs.commands.output import print_json, print_table
from jobs.commands.sides import Side, Texts, common_texts, find_side
from pipeline.matching.match import SHARED_R, Match, stability_of
from pipeline.queries.lake import Lake
from pipeline.queries.scope import Checkpoint
from schemas.command import command
from schemas.errors import UsageError

Row = dict[str, Any]


def match(options: argparse.Namespace) -> None:
    """The pairs of two networks, how stable one network's neurons are, or all networks of a run side by side."""
    lake = pipeline.open(options.root)
    names_other = options.other_model or options.other_run or options.other_checkpoint is not None
    if names_other and not options.model:
        raise UsageError(
            "--other-run and --other-checkpoint are of a second side: name the MODEL of the first too"
        )
    (_two if names_other else _one if options.model else _all)(lake, options)


def _two(lake: Lake, options: argparse.Namespace) -> None:
    at = options.checkpoint if options.other_checkpoint is None else options.other_checkpoint
    first = _side(lake, options, options.run, options.model, options.checkpoint)
    second = _side(lake, options, options.other_run or options.run, options.other_model or options.model, at)
    if first == second:
        raise UsageError(f"both sides are {first.label}: name another model, run or checkpoint")
    sides = [first, second]
    found, texts = _matched(lake, sides, [(0, 1)])
    rows = [row for layer in found for row in _pair_rows(sides, layer, texts)]
    if options.json:
        print_json(_table(rows))
        return

    other_run = "" if second.run == first.run else f" of {second.run}"
    signals = " and ".join(dict.fromkeys((first.signal, second.signal)))
    print(f"{first.run}: {first.label} (neuron) and {second.label}{other_run} (other), {signals}\n")
    rows.sort(key=lambda row: -abs(row["r"] or 0.0))
    _print_first([_pair_shown(row) for row in rows], options.limit)
    _print_summary(_summary(sides, found), texts, found)


def _one(lake: Lake, options: argparse.Namespace) -> None:
    run = lake.find_run(options.run)
    first = _side(lake, options, run, options.model, options.checkpoint)
    (seeds,) = [models for models in _seeds(lake, run) if first.model in models]
    if len(seeds) == 1:
        raise UsageError(
            f"{run} has no other seed of {first.model}: name an OTHER_MODEL, or another run or checkpoint"
        )
    others = [_side(lake, options, run, model, options.checkpoint) for model in seeds if model != first.model]
    sides = [first, *others]
    found, texts = _matched(lake, sides, [(0, other) for other in range(1, len(sides))])
    rows = [row for layer in found for row in _stability_rows(sides, layer, texts)]
    if options.json:
        print_json(_table(rows))
        return

    print(f"{run}: how stable are the neurons of {first.label}, {first.signal}?\n")
    rows.sort(key=lambda row: -row["stability"])
    _print_first([_stability_shown(row) for row in rows], options.limit)
    print(f"\npartners: of {', '.join(side.model for side in others)}; in brackets what is not shared")
    _print_summary(_summary(sides, found), texts, found)


def _all(lake: Lake, options: argparse.Namespace) -> None:
    run = lake.find_run(options.run)
    shapes = [models for models in _seeds(lake, run) if len(models) > 1]
    if not shapes:
        typed = command("match", run, "MODEL", "OTHER_MODEL", root=lake.catalog.root)
        raise UsageError(f"{run} has no two seeds of one shape: name two models, `{typed}`")
    listed: list[Row] = []
    for models in shapes:
        sides = [_side(lake, options, run, model, options.checkpoint) for model in models]
        found, texts = _matched(lake, sides, list(combinations(range(len(sides)), 2)))
        rows = _summary(sides, found)
        listed += rows
        if not options.json:
            print(
                f"{run}: how many neurons do the seeds of {_shape(models[0])} share, by their {sides[0].signal}?"
            )
            _print_summary(rows, texts, found)
    if options.json:
        print_json(_table(listed))


def _side(lake: Lake, options: argparse.Namespace, run: str, model: str, checkpoint: Checkpoint) -> Side:
    return find_side(lake, run, model, checkpoint, options.signal, options.layer)


def _matched(lake: Lake, sides: Sequence[Side], wanted: Sequence[Pair]) -> tuple[list[LayerMatches], Texts]:
    texts = common_texts(lake, sides)
    layers = sorted(set.intersection(*(set(side.layers) for side in sides)))
    if not layers:
        own = ", ".join(f"{side.label} has {', '.join(map(str, side.layers))}" for side in sides)
        raise UsageError(f"no layer was dumped of all sides: {own}")
    for side in sides:
        if alone := [f"L{layer}" for layer in side.layers if layer not in layers]:
            print(
                f"unrolled: {', '.join(alone)} of {side.label} has no counterpart and is left out", file=sys.stderr
            )
    return matches_of(lake, sides, wanted, layers, texts), texts


def _seeds(lake: Lake, run: str) -> list[list[str]]:
    """A run's models, those of one shape together."""
    lake.catalog.require(run, "train")
    query = "select model, cell, layers, hidden_size from models where run = $run order by seed"
    shapes = defaultdict(list)
    for row in lake.fetch(query, {"run": run}).to_pylist():
        shapes[row["cell"], row["layers"], row["hidden_size"]].append(row["model"])
    return list(shapes.values())


def _shape(model: str) -> str:
    return model.rpartition("-")[0]


def _pair_rows(sides: Sequence[Side], found: LayerMatches, texts: Texts) -> Iterable[Row]:
    """A row for each pair of two sides."""
    first, second = sides
    own = {"run": first.run, "model": first.model, "checkpoint": first.checkpoint, "layer": found.layer}
    other = {"other_run": second.run, "other_model": second.model, "other_checkpoint": second.checkpoint}
    for pair in _each(found.matches[0, 1]):
        yield {
            **own,
            "neuron": pair["neuron"],
            "signal": first.signal,
            **other,
            "other_neuron": pair["other_neuron"],
            "other_signal": second.signal,
            **{name: pair[name] for name in ("r", "chance", "shared")},
            "texts": len(texts.lengths),
            "steps": texts.steps,
        }


def _stability_rows(sides: Sequence[Side], found: LayerMatches, texts: Texts) -> Iterable[Row]:
    """A row for each neuron of the first side."""
    first = sides[0]
    stability = stability_of(list(found.matches.values()), found.neurons[0])
    partners = defaultdict(list)
    for (_, other), one in found.matches.items():
        for pair in _each(one):
            partners[pair.pop("neuron")].append({"model": sides[other].model, **pair})
    for neuron in range(found.neurons[0]):
        yield {
            "run": first.run,
            "model": first.model,
            "checkpoint": first.checkpoint,
            "layer": found.layer,
            "neuron": neuron,
            "signal": first.signal,
            "stability": float(stability.mean_r[neuron]),
            "shared_by": int(stability.shared[neuron]),
            "others": len(found.matches),
            "partners": partners[neuron],
            "texts": len(texts.lengths),
            "steps": texts.steps,
        }


def _each(found: Match) -> Iterable[Row]:
    for neuron, other, r, chance, shared in zip(*found.pairs, found.chance, found.shared, strict=True):
        yield {
            "neuron": int(neuron),
            "other_neuron": int(other),
            "r": None if np.isnan(r) else float(r),
            "chance": float(chance),
            "shared": bool(shared),
        }


def _summary(sides: Sequence[Side], found: Iterable[LayerMatches]) -> list[Row]:
    """A row for each pair of sides and layer."""
    return [
        {
            "model": sides[one].model,
            "checkpoint": sides[one].checkpoint,
            "other_model": sides[other].model,
            "other_checkpoint": sides[other].checkpoint,
            "layer": layer.layer,
            "pairs": len(match.pairs.r),
            "shared": int(match.shared.sum()),
            "shared_by_chance": match.shared_by_chance,
            "mean_r": match.mean_r,
        }
        for layer in found
        for (one, other), match in layer.matches.items()
    ]


def _pair_shown(row: Row) -> Row:
    return {
        "neuron": f"L{row['layer']}/N{row['neuron']}",
        "other": f"L{row['layer']}/N{row['other_neuron']}",
        "r": _figure(row["r"]),
        "chance": _figure(row["chance"]),
        "shared": "yes" if row["shared"] else "no",
    }


def _stability_shown(row: Row) -> Row:
    texts = [(f"N{p['other_neuron']} {_figure(p['r'])}", p["shared"]) for p in row["partners"]]
    return {
        "neuron": f"L{row['layer']}/N{row['neuron']}",
        "stability": _figure(row["stability"]),
        "shared by": f"{row['shared_by']} of {row['others']}",
        "partners": ", ".join(text if shared else f"({text})" for text, shared in texts),
    }


def _print_first(rows: list[Row], limit: int) -> None:
    print_table(_table(rows[:limit]))
    if len(rows) > limit:
        print(f"… the first {limit} of {len(rows)}; --limit {len(rows)} shows them all")


def _print_summary(rows: list[Row], texts: Texts, found: Sequence[LayerMatches]) -> None:
    """How much is shared, and what that word says."""
    shown = [
        {
            **{name: row[name] for name in ("model", "other_model", "layer")},
            "shared": f"{row['shared']} of {row['pairs']}",
            "by chance": _figure(row["shared_by_chance"]),
            "mean |r|": _figure(row["mean_r"]),
        }
        for row in rows
    ]
    print()
    print_table(_table(shown))
    pairings = next(iter(found[0].matches.values())).pairings
    print(
        f"\nOver {len(texts.lengths)} distinct texts, {texts.steps:,} steps. shared: |r| >= {SHARED_R}, and above "
        f"chance, the\nneuron's best |r| in {pairings} pairings with the texts of the other side permuted, whole."
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows)
