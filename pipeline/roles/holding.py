"""Latches: a state that a character sets and that lasts while others are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.role import Figures, Role, listed, rounded, shown
from pipeline.roles.texts import Texts
from pipeline.roles.transitions import Transitions, follow
from pipeline.roles.variance import correlated, grouped, share

KEEPING = {"forget_gate": "forget gate", "update_gate": "update gate"}  # of an LSTM and of a GRU
_OTHERS = -2  # stands for all characters that begin too few texts


@dataclass(frozen=True, eq=False)
class Held:
    """The steps at which a neuron holds a character that was read at one place of the text."""

    place: int
    letters: np.ndarray  # (T,) int64: which character it is
    steps: np.ndarray  # (N,) bool: after that place, while only characters are read over which it is held
    released: np.ndarray  # (steps,) int64: the first step of each text at which it is not held any more
    explained: float  # what the character explains there


def letters_at(texts: Texts, place: int) -> np.ndarray | None:
    """What can be held of a place: each text's character, (T,) int64, rare ones as one; None of one alone."""
    letters = texts.at(place)
    codes, counts = np.unique(letters, return_counts=True)
    rare = codes[(counts < at.COMMON * len(texts)) | (codes < 0)]
    letters = np.where(np.isin(letters, rare), _OTHERS, letters)
    return letters if len(np.unique(letters[letters >= 0])) > 1 else None


def held_at(states: np.ndarray, texts: Texts, place: int) -> Iterator[tuple[int, Held]]:
    """The neurons of some states (neurons, N) that hold the character at a place, and when."""
    letters = letters_at(texts, place)
    after = texts.position > place
    if letters is None or not after.any():
        return
    kept, shares = _held_over(states[:, after], texts, letters, after)
    for neuron in np.flatnonzero(kept.any(1)):
        steps = _while(texts, kept[neuron], after)
        lasting = np.bincount(texts.text[steps], minlength=len(texts))
        if lasting.max() >= at.HELD_STEPS:
            ends = texts.offsets[:-1] + place + 1 + lasting
            over = np.unique(texts.codes[steps])
            yield (
                int(neuron),
                Held(place, letters, steps, ends[ends < texts.offsets[1:]], float(np.mean(shares[neuron, over]))),
            )


def _held_over(
    states: np.ndarray, texts: Texts, letters: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each neuron and character: whether what is held explains the state at its steps, and how much.

    A character that texts hold often is taken position by position, so that neither explains what the other does.
    """
    codes, letter = texts.codes[after], letters[texts.text[after]]
    often = texts.counts.max(0)[codes] > 1
    position = np.where(often, texts.position[after], 0)
    base, full = grouped(codes, position), grouped(codes, position, letter)
    shares = np.zeros((len(states), len(texts.alphabet)))
    left, whole = full.spread(states), base.spread(states)
    for code in np.unique(codes):
        fine, coarse = full.first(codes) == code, base.first(codes) == code
        steps = int((codes == code).sum())
        shares[:, code] = share(
            left[:, fine].sum(1), whole[:, coarse].sum(1), steps - int(fine.sum()), steps - int(coarse.sum())
        )
    return shares >= at.FOLLOWS, shares


def _while(texts: Texts, kept: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The steps of each text from a place on, until the first character (C,) over which nothing is kept."""
    broken = np.cumsum(after & ~kept[texts.codes])
    before = np.concatenate(([0], broken))[texts.offsets[:-1]]
    holding: np.ndarray = after & (broken == before[texts.text])
    return holding


def latch_of(neuron: int, signal: str, signals: Mapping[str, np.ndarray], texts: Texts, held: Held) -> Role | None:
    """A neuron's role as a latch of the character at a place of the text; None if it fades too soon."""
    state = signals[signal][neuron]
    codes = np.unique(held.letters[held.letters >= 0])
    lag = texts.position - held.place
    own = held.letters[texts.text]
    means = {
        int(code): float(state[held.steps & (own == code)].mean())
        for code in codes
        if (held.steps & (own == code)).any()
    }
    if len(means) < 2:
        return None
    ends = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    if means[ends[0]] - means[ends[1]] < at.HELD_APART * np.ptp(state):
        return None

    lasts, apart = 0, 0.0
    for steps in range(int(lag[held.steps].max()) + 1):
        here = (lag == steps) & (held.steps | (steps == 0))
        high, low = (state[here & (own == code)] for code in ends)
        if not len(high) or not len(low):
            break
        distance = float(high.mean() - low.mean())
        apart = apart or distance
        if distance < at.HELD_SHARE * apart:
            break
        lasts = steps
    if lasts < at.HELD_STEPS:
        return None

    after = [texts.alphabet[code] for code in np.unique(texts.codes[held.released])]
    figures: dict[str, Any] = {
        "signal": signal,
        "holds": {texts.alphabet[code]: rounded(mean) for code, mean in means.items()},
        "read_at": held.place + 1,
        "steps": lasts,
        "until": after,
        "explained": rounded(held.explained),
        **_gates(neuron, signals, held.steps, held.released),
    }
    told = [f"{shown(texts.alphabet[code])} ({means[code]:+.2f})" for code in codes if int(code) in means]
    where = "the text's first character" if held.place == 0 else f"character {held.place + 1}"
    return Role("latch", f"holds {where}, {listed(told)}, {_lasting(figures)}", figures)


def set_latch_of(
    neuron: int, signal: str, signals: Mapping[str, np.ndarray], texts: Texts, found: Transitions
) -> Role | None:
    """A neuron's role as a latch that characters anywhere in the text set; None if it is none."""
    state = signals[signal][neuron].astype(np.float64)
    keep, span = np.nan_to_num(found.keep[neuron]), float(np.ptp(state))
    holds = (np.nan_to_num(found.keep[neuron], nan=1.0) >= at.HOLDS) & (
        np.abs(found.change[neuron]) <= at.HELD_STILL * span
    )
    sets = ~holds & (keep <= at.SETS)
    levels = found.add[neuron, sets]
    over = holds[texts.codes]
    if not sets.any() or np.ptp(levels) < at.HELD_SHARE * span or over.mean() < at.OFTEN_HELD:
        return None
    model = follow(
        np.where(holds, 1.0, keep)[None],
        np.where(holds, 0.0, found.add[neuron])[None],
        found.begin[neuron : neuron + 1],
        texts,
    )
    fits = correlated(state[None], model)[0]
    lasting = _longest(over, texts)
    high = float((model[0, over] > (levels.min() + levels.max()) / 2).mean())
    if fits < at.FOLLOWS or lasting < at.HELD_STEPS or not at.COMMON <= high <= 1 - at.COMMON:
        return None  # or it only ever holds one of them

    codes = np.flatnonzero(sets)
    figures: dict[str, Any] = {
        "signal": signal,
        "holds": {texts.alphabet[code]: rounded(found.add[neuron, code]) for code in codes},
        "read_at": None,
        "steps": lasting,
        "until": [],
        "explained": rounded(fits),
        **_gates(neuron, signals, over, np.flatnonzero(sets[texts.codes] & (texts.position > 0))),
    }
    told = [f"{shown(texts.alphabet[code])} ({found.add[neuron, code]:+.2f})" for code in codes]
    return Role("latch", f"holds which was read last of {listed(told)}, {_lasting(figures)}", figures)


def _longest(over: np.ndarray, texts: Texts) -> int:
    """The most steps (N,) that follow one another in one text."""
    runs = np.cumsum(~over) + np.arange(len(texts))[texts.text]  # a number that stays while a run lasts
    return int(np.bincount(runs[over]).max()) if over.any() else 0


def _gates(
    neuron: int, signals: Mapping[str, np.ndarray], holding: np.ndarray, after: np.ndarray
) -> dict[str, Any]:
    for gate in (name for name in KEEPING if name in signals):
        values = signals[gate][neuron]
        then = rounded(values[after].mean()) if len(after) else None
        return {f"{gate}_holding": rounded(values[holding].mean()), f"{gate}_after": then}
    return {}


def _lasting(figures: Figures) -> str:
    until = figures["until"]
    told = f"for {figures['steps']} steps" + (f", until {listed([shown(c) for c in until])}" if until else "")
    for gate, words in KEEPING.items():
        if f"{gate}_holding" in figures:
            then = figures[f"{gate}_after"]
            told += f"; {words} {figures[f'{gate}_holding']:.2f} while holding"
            told += "" if then is None else f", {then:.2f} then"
    return f"{told}; explained {figures['explained']:.3f}"
