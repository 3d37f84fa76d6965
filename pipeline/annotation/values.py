"""What a hypothesis gives: one value for each character of a text, None where it says nothing."""

from collections.abc import Iterable

Values = list[float | None]
Span = tuple[int, int]  # the first character, and the one after the last


def inside(text: str, spans: Iterable[Span]) -> Values:
    """1 from each start up to its end, 0 elsewhere."""
    values: Values = [0.0] * len(text)
    for start, end in spans:
        values[start:end] = [1.0] * (min(end, len(text)) - start)
    return values
