"""What is said of scores that chance explains."""

from collections.abc import Iterable, Mapping
from typing import Any

LEVEL = 0.05  # q-values below it are called finds
CLOSE = 0.02  # of a measure: what chance with position kept comes so near to is confounded with position
NOTHING_BEYOND_CHANCE = f"nothing there is below q = {LEVEL}: chance does as much"


def beyond_chance(q_value: float | None) -> bool:
    """Whether a score is called a find."""
    return q_value is not None and q_value < LEVEL


def chance_note(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """A line about some rows of `scores`, the first of them the best; None where one of them is a find."""
    rows = list(rows)
    if any(beyond_chance(row["q_value"]) for row in rows):
        return None
    best = rows[0]
    if best["null_value"] is None:
        return f"no null is worked out for {best['measure']}: nobody knows what chance does"
    if best["p_value"] == 1 and abs(best["value"] - best["null_value"]) < CLOSE:
        return (
            f"{NOTHING_BEYOND_CHANCE}; {best['hypothesis']} is confounded with position: the annotation "
            f"of another text gives {best['null_value']:.6g} too, so a counter and a clock are the same here"
        )
    return NOTHING_BEYOND_CHANCE
