"""Alternate timings, and figures as text: the median, and the least and the greatest beside it."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import torch

Times = dict[str, list[float]]
Job = TypeVar("Job")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Theme:
    """What one module measured."""

    title: str
    method: str  # what is compared with what, and how
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: list[str]
    raw: dict[str, object]  # every single figure, for the JSON beside the page


@contextmanager
def one_core() -> Iterator[None]:
    """Within it this process and those that it starts, a Ray's too, share one core; on Linux."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alternate(
    sides: Mapping[str, Callable[[], object]], rounds: int, between: Callable[[], object] = lambda: None
) -> Times:
    """Seconds of each side, A B, B A, A B …; the first round warms up and is not kept.

    The order turns round by round, since whoever comes second finds warmer caches (2-3 % of a small update).
    `between` follows each call and is not timed.
    """
    torch.set_num_threads(1)  # as the product's stages do: the order of sums, and so the bytes, are then fixed
    times: Times = {name: [] for name in sides}
    order = list(sides)
    for _ in range(rounds + 1):
        for name in order:
            times[name].append(seconds(sides[name]))
            between()
        order.reverse()
    return {name: values[1:] for name, values in times.items()}


def one_a_core(work: Callable[[Job], Found], jobs: Sequence[Job], *, processes: bool) -> Iterator[Found]:
    """What becomes of each job, in their order: on every core, or where they are short in this process."""
    if not processes:
        yield from map(work, jobs)
        return
    # Started afresh: a process that has run torch in several threads must not be forked.
    with multiprocessing.get_context("spawn").Pool() as pool:
        yield from pool.imap(work, jobs)


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of two sides, round by round."""
    return [a / b for a, b in zip(above, below, strict=True)]


def spread(values: Sequence[float]) -> str:
    """As 12.3 (11.8–13.0)."""
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    """Three digits that count, and never an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")
