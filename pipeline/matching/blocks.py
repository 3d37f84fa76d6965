"""Texts in blocks of a bounded number of steps, so that memory does not grow with the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


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


def drawn_texts(lengths: Sequence[int], most: int, least: int, seed: int = 0) -> Block:
    """Some texts at random, in their order: all of them if there is room.

    Args:
        lengths: of the texts, in steps.
        most: steps of all that are drawn, at least `least`; a text's steps beyond most / least are left out.
        least: texts to draw, if there are as many.
        seed: for what is drawn.
    """
    stop = min(most // least, max(lengths))
    order = np.random.default_rng(seed).permutation(len(lengths))
    ends = np.minimum(np.array(lengths)[order], stop).cumsum()
    kept = order[: np.searchsorted(ends, most, side="right")]
    return Block(tuple(sorted(kept.tolist())), 0, stop)


def _whole(texts: list[int], lengths: Sequence[int]) -> Block:
    return Block(tuple(texts), 0, max(lengths[text] for text in texts))
