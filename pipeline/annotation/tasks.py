"""Hypotheses about the article's tasks. Each gives one value for each character; None where it says nothing.

The value at step t is about the text up to and including character t, as the activations at t are.
"""

from itertools import accumulate

from pipeline.annotation.values import Values


def separator_of(text: str) -> int:
    """Where the separator stands: the Y if there is one, else the X; the text's length if there is neither."""
    place = text.find("Y") if "Y" in text else text.find("X")
    return place if place >= 0 else len(text)


def count_a(text: str) -> Values:
    """The a's read so far, in the run of a's that opens the text; nothing after it. "aaXbb" gives 1 2 - - -."""
    run = len(text) - len(text.lstrip("a"))
    return [float(step + 1) if step < run else None for step in range(len(text))]


def count_ignoring_x(text: str) -> Values:
    """The a's read so far, ignoring what stands between them, before the separator. "aXaYbb" gives 1 1 2 - - -."""
    end = separator_of(text)
    counts = accumulate(float(character == "a") for character in text)
    return [count if step < end else None for step, count in enumerate(counts)]


def remaining_b(text: str) -> Values:
    """The b's still to come, from the separator to the last b. "aaXbb" gives - - 2 1 0."""
    start, end = separator_of(text), text.rfind("b")
    read = accumulate(character == "b" for character in text)
    total = text.count("b")
    return [float(total - count) if start <= step <= end else None for step, count in enumerate(read)]


def is_separator(text: str) -> Values:
    """Whether the character is the separator: the Y if the text has one, else the X."""
    place = separator_of(text)
    return [float(step == place) for step in range(len(text))]


def is_x(text: str) -> Values:
    """Whether the character is an x or X."""
    return [float(character in "xX") for character in text]


def next_is(character: str, text: str) -> Values:
    """Whether that letter or digit comes next, for any one of them: `next_is_x`, `next_is_7`."""
    return [*(float(following == character) for following in text[1:]), *[None] * bool(text)]


def next_is_b(text: str) -> Values:
    """Whether a b comes next; nothing at the last step."""
    return next_is("b", text)


def next_char(text: str) -> Values:
    """The character that comes next; nothing at the last step."""
    return [*text[1:], *[None] * bool(text)]


def state_is_a(text: str) -> Values:
    """Whether the state to remember is A rather than B, until the answer is given."""
    if text[:1] not in ("A", "B"):
        return [None] * len(text)
    end = separator_of(text)
    return [float(text[0] == "A") if step <= end else None for step in range(len(text))]


def _copy_slot(text: str, slot: int) -> Values:
    """The letter in a slot, from when it is read until its copy comes."""
    separator = separator_of(text)
    if slot >= separator:
        return [None] * len(text)
    copy = separator + 1 + slot
    return [text[slot] if slot <= step < copy else None for step in range(len(text))]


def copy_slot_1(text: str) -> Values:
    """The first letter to copy, from when it is read until its copy comes."""
    return _copy_slot(text, 0)


def copy_slot_2(text: str) -> Values:
    """The second letter to copy, from when it is read until its copy comes."""
    return _copy_slot(text, 1)


def copy_slot_3(text: str) -> Values:
    """The third letter to copy, from when it is read until its copy comes."""
    return _copy_slot(text, 2)
