"""Texts in blocks of a bounded number of steps, so that memory does not grow with the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

EACH = 8  # steps that a text keeps where not all can be drawn


@dataclass(frozen=True)
class Block:
    """Some texts, whole, or a part of one that is too long for a block."""

    texts: tuple[int, ...]  # their places in the list
    first: int  # the first step of each
    stop: int  # the step behind the last of each, at most: a shorter text ends before


def blocks(lengths: Sequence[int], most: int) -> Iterator[Block]:
    """Every step of every text once.

    Args:
        lengths: of the texts, in steps; each at least 1.
        most: steps of a block, at least 1.
    """
    held: list[int] = []
    for text, length in enumerate(lengths):
        if held and sum(lengths[other] for other in held) + length > most:
            yield _whole(held, lengths)
            held = []
        if length <= most:
            held.append(text)
            continue
        for first in range(0, length, most):
            yield Block((text,), first, min(first + most, length))
    if held:
        yield _whole(held, lengths)


@dataclass(frozen=True)
class Drawn:
    """Some steps of some texts, the same steps of each, so that texts can still be laid side by side."""

    texts: tuple[int, ...]
    steps: np.ndarray  # int64, in order; of a shorter text, those that it has

    def of(self, block: Block, values: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
        """What is drawn of the texts of a block, by text; `values` are theirs, (steps, …) each."""
        kept, chosen = {}, set(self.texts)
        for text, own in zip(block.texts, values, strict=True):
            if text in chosen:
                first, stop = np.searchsorted(self.steps, (block.first, block.first + len(own)))
                kept[text] = own[self.steps[first:stop] - block.first]
        return kept


def drawn(lengths: Sequence[int], most: int, least: int, seed: int = 0) -> Drawn:
    """A random part that stands for all texts: as many texts as there is room for, a step here and there of each.

    Steps of one text lean on one another, so texts are what must be many: a text keeps about EACH steps before
    another is left out.

    Args:
        lengths: of the texts, in steps.
        most: steps of all that are drawn, about; everything is if there are no more.
        least: texts to draw, if there are as many, whatever the room.
        seed: for what is drawn.
    """
    draw = np.random.default_rng(seed)
    apart = max(1, min(-(-sum(lengths) // most), int(np.median(lengths)) // EACH))
    steps = np.arange(0, max(lengths), apart)
    steps[1:] += draw.integers(0, apart, len(steps) - 1)  # the first stays: every text has it
    order = draw.permutation(len(lengths))
    ends = np.searchsorted(steps, np.array(lengths)[order]).cumsum()
    kept = order[: max(least, int(np.searchsorted(ends, most, side="right")))]
    return Drawn(tuple(sorted(kept.tolist())), steps)


def _whole(texts: list[int], lengths: Sequence[int]) -> Block:
    return Block(tuple(texts), 0, max(lengths[text] for text in texts))
