"""Counters: a state that changes by the same amount at each character that it counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.drift import drift_of, ending_of
from pipeline.roles.role import Figures, Role, listed, rounded, shown
from pipeline.roles.texts import Texts
from pipeline.roles.transitions import Transitions, follow
from pipeline.roles.variance import correlated, explained, grouped, without


@dataclass(frozen=True)
class Failing:
    """How the model does its task at sizes that it was tried on."""

    first: int | None  # the first size that it fails; None: none
    largest: int  # the largest that it was tried on


@dataclass(frozen=True, eq=False)
class Counts:
    """What a count explains of each neuron's state."""

    slopes: np.ndarray  # (neurons, C) float64: what a counted character adds; 0 of all others
    resets: np.ndarray  # (neurons, C) bool: the state after the character forgets the one before
    linearity: np.ndarray  # (neurons,) float64: R squared of the state against the count
    beyond_position: np.ndarray  # (neurons,) float64: the same of what varies at one position
    position: np.ndarray  # (neurons,) float64: explained by position alone
    told_apart: np.ndarray  # (neurons,) bool: whether the count is more than the position
    moved: np.ndarray  # (neurons, C) float64: what a repeated character adds that is neither counted nor blind
    units: np.ndarray  # (neurons,) bool: what is counted counts one each, and not all that is repeated alike
    counts: np.ndarray  # (neurons, N) float64: the count itself


def measure_counts(states: np.ndarray, texts: Texts, found: Transitions) -> Counts:
    """Hold each state (neurons, N) against its own count.

    The count begins with the mean state after a text's first character, adds the slope of each counted
    character and nothing at other repeated ones. A character that resets, or comes too rarely to be counted, does
    what its transition says.
    """
    resets = np.nan_to_num(found.keep, nan=1.0) < at.ADDS
    adds = found.repeated & ~resets
    steady = adds & (found.alike >= at.ALIKE)
    largest = np.max(np.abs(found.change), 1, where=steady, initial=0.0)[:, None]
    counted = steady & (np.abs(found.change) > at.COUNTED * largest)
    blind = np.abs(found.change) <= at.BLIND * largest
    slopes = np.where(counted, found.change, 0.0)

    keep = np.where(adds, 1.0, np.nan_to_num(found.keep))
    add = np.where(adds, slopes, found.add)
    counts = follow(keep, add, found.begin, texts)

    position = grouped(texts.position)
    beyond = without(counts, position)
    steps = np.abs(slopes).max(1)
    moved = (np.abs(slopes) * texts.counts.max(0)).max(1)
    enough = (moved >= at.COUNTED_RANGE * np.ptp(states, axis=1)) & (
        np.ptp(counts, axis=1) >= at.COUNTED_TO * steps
    )
    linearity = np.where(enough & counted.any(1), correlated(states, counts), 0.0)
    return Counts(
        slopes=slopes,
        resets=resets & ~np.isnan(found.keep),
        linearity=linearity,
        beyond_position=correlated(without(states, position), beyond),
        position=explained(states, position),
        told_apart=beyond.var(1) > at.COUNT_IS_POSITION * counts.var(1),
        moved=np.where(adds & ~counted & ~blind, found.change, 0.0),
        units=_one_each(slopes) & (resets.any(1) | ~_alike(slopes[:, found.repeated])),
        counts=counts,
    )


def _one_each(slopes: np.ndarray) -> np.ndarray:
    """Whether all slopes (neurons, C) that are not 0 are of one size, up or down, (neurons,)."""
    sizes, counted = np.abs(slopes), slopes != 0
    mean = sizes.sum(1, keepdims=True) / np.maximum(counted.sum(1, keepdims=True), 1)
    one_each: np.ndarray = ((np.abs(sizes - mean) <= at.SAME_SIZE * mean) | ~counted).all(1)
    return one_each


def _alike(slopes: np.ndarray) -> np.ndarray:
    """Whether several characters all go one way, (neurons,), as they do to a clock; of one nothing can tell."""
    if slopes.shape[1] < 2:
        return np.zeros(len(slopes), bool)
    alike: np.ndarray = (np.sign(slopes) == np.sign(slopes[:, :1])).all(1)
    return alike


def counter_of(
    neuron: int,
    signal: str,
    signals: Mapping[str, np.ndarray],
    texts: Texts,
    measured: Counts,
    failing: Failing | None,
) -> Role | None:
    """A neuron's role as a counter, or as one that may be a clock; None if it is neither."""
    linearity, position = measured.linearity[neuron], measured.position[neuron]
    if linearity < at.LINEAR or not measured.units[neuron]:
        return None
    is_told = measured.told_apart[neuron]
    if is_told and (measured.beyond_position[neuron] < at.BEYOND_POSITION or position > linearity):
        return None

    state, slopes, moved = signals[signal][neuron], measured.slopes[neuron], measured.moved[neuron]
    drift = drift_of(state, texts, slopes)
    if drift is not None and abs(drift) > at.STILL_COUNTS:
        return None
    ending = ending_of(state, texts, slopes)
    figures: dict[str, Any] = {
        "signal": signal,
        "slopes": {texts.alphabet[place]: rounded(slopes[place]) for place in np.flatnonzero(slopes)},
        "moved_by": {texts.alphabet[place]: rounded(moved[place]) for place in np.flatnonzero(moved)},
        "linearity": rounded(linearity),
        "beyond_position": rounded(measured.beyond_position[neuron]) if is_told else None,
        "hidden_linearity": _hidden_linearity(neuron, signals, measured),
        "blind": _blind(neuron, slopes, signals, texts),
        "resets": [texts.alphabet[place] for place in np.flatnonzero(measured.resets[neuron])],
        "drift": drift,
        "tells_the_last": ending.is_told if ending else None,
        "predicted_failing": ending.predicted_failing if ending else None,
        "observed_failing": failing.first if failing else None,
        "largest_tried": failing.largest if failing else None,
    }
    return Role("counter" if is_told else "counter or clock", _sentence(figures, failing), figures)


def _hidden_linearity(neuron: int, signals: Mapping[str, np.ndarray], measured: Counts) -> float | None:
    """R squared of the hidden state, which is squashed, against the cell state's count."""
    if "hidden_state" not in signals:
        return None
    only = slice(neuron, neuron + 1)
    return rounded(correlated(signals["hidden_state"][only].astype(np.float64), measured.counts[only])[0])


def _blind(
    neuron: int, slopes: np.ndarray, signals: Mapping[str, np.ndarray], texts: Texts
) -> dict[str, float | None]:
    """The repeated characters that are not counted and do not reset, with their mean input gate."""
    gate = signals.get("input_gate")
    found: dict[str, float | None] = {}
    state = signals["cell_state" if "cell_state" in signals else "hidden_state"]
    change = (state - texts.before(state))[neuron]
    for place in np.flatnonzero((texts.counts.max(0) >= at.REPEATED) & (slopes == 0)):
        here = (texts.codes == place) & (texts.position > 0)
        if here.any() and abs(change[here].mean()) <= at.BLIND * np.abs(slopes).max():
            found[texts.alphabet[place]] = None if gate is None else rounded(gate[neuron, here].mean())
    return found


def _sentence(figures: Figures, failing: Failing | None) -> str:
    slopes, blind, resets = figures["slopes"], figures["blind"], figures["resets"]
    parts = [f"counts {_with_slopes(slopes)}: R² {figures['linearity']:.3f}"]
    if figures["beyond_position"] is None:
        parts.append("the count is the position in all these texts")
    else:
        parts.append(f"{figures['beyond_position']:.3f} with position taken out")
    if figures["moved_by"]:
        parts.append(f"moved by {_with_slopes(figures['moved_by'])}")
    if blind:
        gates = [shown(c) if gate is None else f"{shown(c)} (input gate {gate:.2f})" for c, gate in blind.items()]
        parts.append(f"blind to {listed(gates)}")
    if resets:
        parts.append(f"reset at {listed([shown(character) for character in resets])}")
    if figures["drift"] is not None:
        parts.append(f"slope {100 * float(str(figures['drift'])):+.0f} % at the largest counts")
    if figures["tells_the_last"] is not None:
        parts += _ending(figures, failing)
    return "; ".join(parts)


def _with_slopes(slopes: Mapping[str, float]) -> str:
    return listed([f"{shown(character)} ({slope:+.2f})" for character, slope in slopes.items()])


def _ending(figures: Figures, failing: Failing | None) -> list[str]:
    if not figures["tells_the_last"]:
        return ["does not come back to one level"]
    predicted = f"predicted to fail first at n = {figures['predicted_failing']}"
    told = predicted if figures["predicted_failing"] else "no failure predicted"
    if failing:
        told += f", observed: {failing.first}" if failing.first else f", observed: none up to {failing.largest}"
    return ["comes back to one level", told]
