"""The roles of a group of neurons: each is held against every role, and may have several or none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.counting import Counts, Failing, counter_of, measure_counts
from pipeline.roles.following import Slot, copier_of, next_shares, slot_shares, slots_of
from pipeline.roles.holding import held_at, latch_of, set_latch_of
from pipeline.roles.plain import beyond_position, clock_of, dead_of, saturated_of, switch_of
from pipeline.roles.role import Role, rounded
from pipeline.roles.texts import Texts
from pipeline.roles.transitions import Transitions, transitions
from pipeline.roles.variance import explained, grouped

STATES = ("cell_state", "hidden_state")


@dataclass(frozen=True, eq=False)
class _Measured:
    """What is known of all neurons' values of one state."""

    signal: str
    values: np.ndarray  # (neurons, N) float64
    found: Transitions
    counts: Counts
    position: np.ndarray  # (neurons,) float64: explained by position
    besides: np.ndarray  # (neurons,) float64: of the whole, by the character read once position is taken out
    character: np.ndarray  # (neurons,) float64: explained by the character read
    slots: Mapping[Slot, np.ndarray]  # (neurons,) float64 each
    following: np.ndarray  # (neurons,) float64: explained by the next character
    latches: Mapping[int, Role]


def certificates(
    signals: Mapping[str, np.ndarray], texts: Texts, failing: Failing | None = None
) -> list[list[Role]]:
    """The roles of some neurons of one layer.

    Args:
        signals: those that were dumped, (neurons, N) float32 each; `cell_state` or `hidden_state` among them.
        texts: what was read, each text once; at least `LEAST_TEXTS`.
        failing: how the model did its task at larger sizes; None if that is not known.

    Returns:
        For each neuron at least one role; one that has none says what comes nearest.
    """
    assert len(texts) >= at.LEAST_TEXTS
    states = {name: signals[name] for name in STATES if name in signals}
    measured = [_measure(name, signals, texts) for name in states]
    neurons = len(next(iter(states.values())))
    return [_roles(neuron, measured, signals, states, texts, failing) for neuron in range(neurons)]


def _measure(signal: str, signals: Mapping[str, np.ndarray], texts: Texts) -> _Measured:
    values = signals[signal].astype(np.float64)
    found = transitions(values, texts)
    position, besides = beyond_position(values, texts)
    return _Measured(
        signal=signal,
        values=values,
        found=found,
        counts=measure_counts(values, texts, found),
        position=position,
        besides=besides,
        character=explained(values, grouped(texts.codes)),
        slots={slot: slot_shares(values, texts, slot) for slot in slots_of(texts)},
        following=next_shares(values, texts),
        latches=_latches(signal, signals, values, texts, found),
    )


def _latches(
    signal: str, signals: Mapping[str, np.ndarray], values: np.ndarray, texts: Texts, found: Transitions
) -> dict[int, Role]:
    """The latches by neuron: of a character at a place of the text, the best one, or of characters anywhere."""
    roles: dict[int, tuple[float, Role]] = {}
    for place in range(at.HELD_PLACES):
        for neuron, held in held_at(values, texts, place):
            role = latch_of(neuron, signal, signals, texts, held)
            if role and held.explained > roles.get(neuron, (0.0, role))[0]:
                roles[neuron] = held.explained, role
    latches = {neuron: role for neuron, (_, role) in roles.items()}
    for neuron in (neuron for neuron in range(len(values)) if neuron not in latches):
        role = set_latch_of(neuron, signal, signals, texts, found)
        if role:
            latches[neuron] = role
    return latches


def _roles(
    neuron: int,
    measured: list[_Measured],
    signals: Mapping[str, np.ndarray],
    states: Mapping[str, np.ndarray],
    texts: Texts,
    failing: Failing | None,
) -> list[Role]:
    dead = dead_of(neuron, states)
    if dead:
        return [dead]
    first = measured[0]  # the cell state where there is one: the hidden state is its squashed and gated image
    counter = counter_of(neuron, first.signal, signals, texts, first.counts, failing)
    switch = _best(switch_of(neuron, m.signal, m.values, texts, m.character) for m in measured)
    if counter:  # a count tells what comes next too, and how far the text has got
        return [role for role in (counter, switch) if role]
    copier = _best(copier_of(neuron, m.signal, m.slots, m.following) for m in measured)
    is_slot = copier is not None and copier.figures["follows"] == "slot"
    latch = None if is_slot else _best(m.latches.get(neuron) for m in measured)  # a slot is held too
    clock = _best(clock_of(neuron, m.signal, m.position, m.besides) for m in measured)
    roles = [role for role in (latch, copier, switch, clock) if role]
    if not roles and "hidden_state" in signals:
        roles = [role for role in (saturated_of(neuron, signals["hidden_state"]),) if role]
    return roles or [_none(neuron, first)]


def _best(roles: Iterator[Role | None]) -> Role | None:
    """The first, unless a later one is explained better: states come with the cell state first."""
    found = [role for role in roles if role]
    return max(found, key=lambda role: float(str(role.figures.get("explained") or 0)), default=None)


def _none(neuron: int, measured: _Measured) -> Role:
    """What comes nearest to a role."""
    figures = {
        "signal": measured.signal,
        "by_count": rounded(measured.counts.linearity[neuron]),
        "by_position": rounded(measured.position[neuron]),
        "by_character": rounded(measured.character[neuron]),
        "by_next_character": rounded(measured.following[neuron]),
    }
    told = ", ".join(
        f"{name.removeprefix('by_').replace('_', ' ')} {figures[name]:.2f}" for name in list(figures)[1:]
    )
    return Role(None, f"explained by {told}", figures)
