"""What a hypothesis gives: a number or a name for each character of a text, None where it says nothing."""

from collections.abc import Iterable, Sequence

from schemas.errors import UsageError

Values = list[float | str | None]
Span = tuple[int, int]  # the first character, and the one after the last


def inside(text: str, spans: Iterable[Span]) -> Values:
    """1 from each start up to its end, 0 elsewhere."""
    values: Values = [0.0] * len(text)
    for start, end in spans:
        values[start:end] = [1.0] * (min(end, len(text)) - start)
    return values


def names_categories(values: Sequence[float | str | None], name: str) -> bool:
    """Whether values are text rather than numbers; no, if there are none.

    Raises UsageError, which begins with the hypothesis' name, when they are both.
    """
    are_text = {isinstance(value, str) for value in values if value is not None}
    if len(are_text) > 1:
        raise UsageError(f"{name} gives both text and numbers: let it give one of the two")
    return True in are_text
