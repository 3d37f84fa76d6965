"""The other roles: switch, clock, dead, saturated."""

from collections.abc import Mapping

import numpy as np

from pipeline.roles import thresholds as at
from pipeline.roles.role import Role, rounded, shown
from pipeline.roles.texts import Texts
from pipeline.roles.variance import TINY, explained, grouped

MOST_NAMED = 8  # characters of a class


def switch_of(neuron: int, signal: str, states: np.ndarray, texts: Texts, by_character: np.ndarray) -> Role | None:
    """A state that has two values, and which one follows from the character just read.

    Args:
        neuron: its number.
        signal: the state that it is about.
        states: (neurons, N) float64.
        texts: what was read.
        by_character: what the character explains, (neurons,).
    """
    if by_character[neuron] < at.FOLLOWS:
        return None
    groups = grouped(texts.codes)
    means = groups.means(states[neuron : neuron + 1])[0]
    codes = groups.first(texts.codes)
    high = _upper(means, groups.sizes)
    upper = np.isin(texts.codes, codes[high])
    two = float(explained(states[neuron : neuron + 1], grouped(upper.astype(np.int64)))[0])
    if two < at.FOLLOWS:
        return None
    names = [texts.alphabet[code] for code in codes[high]]
    values = states[neuron, upper].mean(), states[neuron, ~upper].mean()
    figures = {
        "signal": signal,
        "characters": names,
        "on": rounded(values[0]),
        "off": rounded(values[1]),
        "explained": rounded(two),
    }
    told = ", ".join(shown(name) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    evidence = f"{values[0]:+.2f} at {told}{more}, {values[1]:+.2f} elsewhere; explained {two:.3f}"
    return Role("switch", evidence, figures)


def _upper(means: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which means (G,) lie in the upper of the two classes that leave the least variance within them."""
    order = means.argsort()
    total = (means * sizes).sum() / sizes.sum()

    def between(cut: int) -> float:
        """Variance between the first `cut` means and the others."""
        parts = (order[:cut], order[cut:])
        own = ((sizes[part].sum(), (means[part] * sizes[part]).sum()) for part in parts)
        return float(sum(count * (weighted / count - total) ** 2 for count, weighted in own))

    cut = max(range(1, len(order)), key=between, default=0)
    upper = np.zeros(len(means), bool)
    upper[order[cut:]] = True
    return upper


def clock_of(neuron: int, signal: str, position: np.ndarray, content: np.ndarray) -> Role | None:
    """A state that position explains, and nothing that is read explains more once position is taken out.

    Args:
        neuron: its number.
        signal: the state that it is about.
        position: what position explains, (neurons,).
        content: what the best content explains of the whole besides, (neurons,).
    """
    if position[neuron] < at.FOLLOWS or content[neuron] > position[neuron]:
        return None
    figures = {"signal": signal, "explained": rounded(position[neuron]), "by_content": rounded(content[neuron])}
    evidence = f"position explains {position[neuron]:.3f}, the character read {content[neuron]:.3f} besides"
    return Role("clock", evidence, figures)


def dead_of(neuron: int, states: Mapping[str, np.ndarray]) -> Role | None:
    """A neuron none of whose states (neurons, N) ever varies."""
    ranges = {name: float(np.ptp(values[neuron])) for name, values in states.items()}
    if max(ranges.values()) >= at.DEAD_RANGE:
        return None
    name = "hidden_state" if "hidden_state" in states else next(iter(states))
    value = float(states[name][neuron].mean())
    figures = {"signal": name, "mean": rounded(value), "range": max(ranges.values())}
    return Role("dead", f"never varies: {name} is {value:.2f}", figures)


def saturated_of(neuron: int, hidden: np.ndarray) -> Role | None:
    """A hidden state (neurons, N) that is nearly always at the ends of its range: -1 or 1, or 0 of a relu."""
    values = hidden[neuron]
    is_relu = bool((hidden >= 0).all() and (hidden > 1).any())
    at_end = values <= at.DEAD_RANGE if is_relu else np.abs(values) >= at.AT_THE_ENDS
    often = float(at_end.mean())
    if often < at.SATURATED_SHARE:
        return None
    ends = "0" if is_relu else f"beyond ±{at.AT_THE_ENDS}"
    figures = {"signal": "hidden_state", "steps_at_the_ends": rounded(often)}
    return Role("saturated", f"hidden state {ends} at {100 * often:.0f} % of the steps", figures)


def beyond_position(states: np.ndarray, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """What position explains of states (neurons, N), and the character read besides, of the whole; (neurons,).

    The first steps of a text are left out: on its way from 0 to where it stays, any state follows the position.
    """
    later = texts.position >= at.FIRST_STEPS
    if not later.any():
        return np.zeros(len(states)), np.zeros(len(states))
    kept, places = states[:, later], texts.position[later]
    position = grouped(places)
    by_position = explained(kept, position)
    whole = kept.var(1) * kept.shape[1]
    left = np.divide(position.spread(kept).sum(1), whole, out=np.zeros(len(kept)), where=whole > TINY)
    besides = explained(kept, grouped(places, texts.codes[later]), position)
    return by_position, besides * left
