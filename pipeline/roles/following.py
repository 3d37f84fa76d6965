"""Copiers: a state that follows a slot, which is a letter that comes again, or the next character."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.role import Role, rounded
from pipeline.roles.texts import Texts
from pipeline.roles.variance import Grouped, explained, grouped


@dataclass(frozen=True)
class Slot:
    """A place of every text whose letter differs between texts and comes again, as "a" in "acbXacb"."""

    place: int  # from 0
    distance: int  # steps until it comes again


def slots_of(texts: Texts) -> list[Slot]:
    """The slots that all texts have, at the first of their places."""
    shortest = int(texts.lengths.min())
    found = []
    for place in range(min(at.HELD_PLACES, shortest)):
        letters = texts.at(place)
        distances = range(1, min(at.FARTHEST_COPY, shortest - place - 1) + 1)
        again = (distance for distance in distances if (texts.at(place + distance) == letters).all())
        distance = next(again, 0)
        if distance and (letters != letters[0]).any():
            found.append(Slot(place, distance))
    return found


def slot_shares(states: np.ndarray, texts: Texts, slot: Slot) -> np.ndarray:
    """How much a slot's letter explains of states (neurons, N), (neurons,): mean of the steps that hold it.

    Each step from the one after it is read to the one before it comes again counts alike; position explains
    nothing there, and a step at which nothing varies counts as 0.
    """
    letters = grouped(texts.at(slot.place))
    steps = range(slot.place + 1, slot.place + slot.distance)
    shares = [_beyond_a_trace(states, texts.offsets[:-1] + step, letters) for step in steps]
    return np.mean(shares, 0) if shares else np.zeros(len(states))


def next_shares(states: np.ndarray, texts: Texts) -> np.ndarray:
    """What the next character explains of states (neurons, N), (neurons,), beyond position and what is read.

    Over the steps whose next character is determined; if none is, over all, and beyond what is read alone. It is
    the mean over groups of steps at one position that read the same, each by its steps, where several characters
    follow.
    """
    is_told = texts.determined & (texts.following >= 0)
    here = is_told if is_told.any() else texts.following >= 0
    position = texts.position[here] if is_told.any() else np.zeros(int(here.sum()), np.int64)
    if not here.any():
        return np.zeros(len(states))
    groups = grouped(position, texts.codes[here])
    total, weight = np.zeros(len(states)), 0
    steps = np.flatnonzero(here)
    for group in np.split(steps[groups.order], np.cumsum(groups.sizes)[:-1]):
        following = texts.following[group]
        kinds = len(np.unique(following))
        if 1 < kinds < len(group):
            total += len(group) * _beyond_a_trace(states, group, grouped(following))
            weight += len(group)
    return total / max(weight, 1)


def _beyond_a_trace(states: np.ndarray, steps: np.ndarray, groups: Grouped) -> np.ndarray:
    """What groups explain of states (neurons, N) at some steps, (neurons,): 0 where a state hardly varies."""
    there = states[:, steps]
    return np.where(there.var(1) > at.TRACE * states.var(1), explained(there, groups), 0.0)


def copier_of(neuron: int, signal: str, slots: Mapping[Slot, np.ndarray], following: np.ndarray) -> Role | None:
    """A neuron's role as a copier of what explains it best; None if nothing explains enough.

    Args:
        neuron: its number.
        signal: the state that it is about.
        slots: what each slot explains, (neurons,).
        following: what the next character explains, (neurons,).
    """
    best = max(slots, key=lambda slot: slots[slot][neuron], default=None)
    by_slot = float(slots[best][neuron]) if best else 0.0
    by_next = float(following[neuron])
    if max(by_slot, by_next) < at.FOLLOWS:
        return None
    is_slot = best is not None and by_slot > by_next
    figures = {
        "signal": signal,
        "follows": "slot" if is_slot else "next character",
        "slot": best.place + 1 if is_slot and best else None,
        "explained": rounded(max(by_slot, by_next)),
        "by_slot": rounded(by_slot) if best else None,
        "by_next_character": rounded(by_next),
    }
    if is_slot and best:
        told = f"follows slot {best.place + 1}, explained {by_slot:.3f} at the steps until it is copied"
        return Role("copier", f"{told} (by the next character {by_next:.3f})", figures)
    other = f" (by slot {best.place + 1} {by_slot:.3f})" if best else ""
    return Role("copier", f"follows the next character, explained {by_next:.3f}{other}", figures)
