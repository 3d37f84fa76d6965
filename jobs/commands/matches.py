"""The matches of some dumps, each read once a layer, in memory that does not grow with the text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.commands.sides import LayerReader, Side, Texts
from jobs.process.progress import Progress
from pipeline.matching.blocks import blocks, drawn
from pipeline.matching.chance import LEAST_TEXTS, chance_pairs
from pipeline.matching.match import Match, match_of
from pipeline.matching.moments import Moments, correlations, moments_of
from pipeline.queries.lake import Lake

Pair = tuple[int, int]  # places in the list of sides
VALUES = 8_000_000  # held at once of all sides: 32 MB, and thrice that of two sides that are multiplied
CHANCE_VALUES = 1_000_000  # of each side for the permuted pairings, each of which goes over them all


@dataclass(frozen=True)
class LayerMatches:
    """A layer of all sides."""

    layer: int
    neurons: tuple[int, ...]  # of each side
    matches: dict[Pair, Match]


def matches_of(
    lake: Lake, sides: Sequence[Side], wanted: Sequence[Pair], layers: Sequence[int], texts: Texts
) -> list[LayerMatches]:
    """The matches of some layers, with progress on stderr.

    Args:
        lake: that the sides lie in.
        sides: of the matches.
        wanted: which of them are held side by side.
        layers: that all of them have.
        texts: that all of them have read.
    """
    with Progress("match", len(sides) * len(layers) * texts.steps, "steps") as progress:
        return [_layer(lake, sides, wanted, layer, texts, progress) for layer in layers]


def _layer(
    lake: Lake, sides: Sequence[Side], wanted: Sequence[Pair], layer: int, texts: Texts, progress: Progress
) -> LayerMatches:
    readers = [
        LayerReader(lake, side, layer, own, texts.lengths)
        for side, own in zip(sides, texts.sequences, strict=True)
    ]
    widest = max(reader.neurons for reader in readers)
    some = drawn(texts.lengths, max(1, CHANCE_VALUES // widest), LEAST_TEXTS)
    apart: list[dict[int, list[np.ndarray]]] = [defaultdict(list) for _ in readers]
    moments: dict[Pair, Moments] = {}
    for block in blocks(texts.lengths, max(1, VALUES // sum(reader.neurons for reader in readers))):
        held = []
        for reader, kept in zip(readers, apart, strict=True):
            values = reader.read(block)
            for text, own in some.of(block, values).items():
                kept[text].append(own)
            held.append(np.concatenate(values))
            progress.add(len(held[-1]))
        for one, other in wanted:
            more = moments_of(held[one], held[other])
            moments[one, other] = moments[one, other].add(more) if (one, other) in moments else more

    few = [[np.concatenate(kept[text]) for text in some.texts] for kept in apart]
    matches = {
        (one, other): match_of(correlations(both), chance_pairs(few[one], few[other]))
        for (one, other), both in moments.items()
    }
    return LayerMatches(layer, tuple(reader.neurons for reader in readers), matches)
