"""Every hypothesis by name. To add one: a function of the text, its line here, its examples in the tests."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.annotation import layout, prose, source, tasks
from pipeline.annotation.values import Values
from schemas.errors import UsageError, unknown
from schemas.score_settings import Kind

NEXT_IS = "next_is_"  # with any one letter or digit behind it
_NEXT_IS = re.compile(NEXT_IS + "([A-Za-z0-9])")


@dataclass(frozen=True)
class Hypothesis:
    """A function of the text, and the kind of what it gives, which decides how it is scored.

    The kind of one's own is known only from its values, unless it says that it answers yes or no: None.
    """

    function: Callable[..., Values]
    kind: Kind | None = "number"
    reads_code: bool = False  # it is told the text's language too
    edition: int = 1  # raised when its values change, so that a lake never mixes the old and the new

    def of(self, text: str, language: str) -> Values:
        """A value for each character of a text; `language` is one of `schemas.languages.LANGUAGES`."""
        arguments: tuple[Any, ...] = (text, language) if self.reads_code else (text,)
        return self.function(*arguments)


def _number(function: Callable[[str], Values]) -> Hypothesis:
    return Hypothesis(function)


def _yes_no(function: Callable[[str], Values]) -> Hypothesis:
    return Hypothesis(function, "yes_no")


def _category(function: Callable[[str], Values], edition: int = 1) -> Hypothesis:
    return Hypothesis(function, "category", edition=edition)


def _depth(function: Callable[[str, str], Values]) -> Hypothesis:
    return Hypothesis(function, reads_code=True, edition=2)


def _place(function: Callable[[str, str], Values]) -> Hypothesis:
    return Hypothesis(function, "yes_no", reads_code=True, edition=2)


HYPOTHESES: dict[str, Hypothesis] = {
    "count_a": _number(tasks.count_a),
    "remaining_b": _number(tasks.remaining_b),
    "count_ignoring_x": _number(tasks.count_ignoring_x),
    "is_separator": _yes_no(tasks.is_separator),
    "is_x": _yes_no(tasks.is_x),
    "next_is_b": _yes_no(tasks.next_is_b),
    "next_char": _category(tasks.next_char),
    "state_is_A": _yes_no(tasks.state_is_a),
    "copy_slot_1": _category(tasks.copy_slot_1, edition=2),
    "copy_slot_2": _category(tasks.copy_slot_2, edition=2),
    "copy_slot_3": _category(tasks.copy_slot_3, edition=2),
    "line_position": _number(layout.line_position),
    "line_remaining": _number(layout.line_remaining),
    "indent_depth": _number(layout.indent_depth),
    "spaces_read": _number(layout.spaces_read),
    "in_blank_line": _yes_no(layout.in_blank_line),
    "bracket_depth": _depth(source.bracket_depth),
    "round_depth": _depth(source.round_depth),
    "square_depth": _depth(source.square_depth),
    "curly_depth": _depth(source.curly_depth),
    "in_string": _place(source.in_string),
    "in_comment": _place(source.in_comment),
    "in_line_comment": _place(source.in_line_comment),
    "in_block_comment": _place(source.in_block_comment),
    "in_doc_comment": _place(source.in_doc_comment),
    "in_method_signature": _place(source.in_method_signature),
    "after_at": _place(source.after_at),
    "in_licence_header": _place(source.in_licence_header),
    "in_url": _yes_no(prose.in_url),
    "in_hashtag": _yes_no(prose.in_hashtag),
    "in_mention": _yes_no(prose.in_mention),
    "in_quotation": _yes_no(prose.in_quotation),
    "in_all_capitals_word": _yes_no(prose.in_all_capitals_word),
    "in_capitalised_word": _yes_no(prose.in_capitalised_word),
    "in_auxiliary_be": _yes_no(prose.in_auxiliary_be),
    "in_number": _yes_no(prose.in_number),
    "is_emoji": Hypothesis(prose.is_emoji, "yes_no", edition=2),
    "sentence_start": _yes_no(prose.sentence_start),
}


def is_shipped(name: str) -> bool:
    """Whether a name is that of a shipped hypothesis: one with a line above, or `next_is_` a letter or digit."""
    return name in HYPOTHESES or bool(_NEXT_IS.fullmatch(name))


def find_hypothesis(name: str) -> Hypothesis:
    """The shipped hypothesis of a name. Raises UsageError that lists the known ones."""
    if not is_shipped(name):
        raise unknown_hypothesis(name, HYPOTHESES)
    return HYPOTHESES.get(name) or _yes_no(partial(tasks.next_is, name.removeprefix(NEXT_IS)))


def unknown_hypothesis(name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that no hypothesis has, shipped or one's own."""
    if name.startswith(NEXT_IS):
        return UsageError(
            f"unknown hypothesis {name!r}: {NEXT_IS} takes one letter of a-z and A-Z, or one digit, as in "
            "next_is_x; of another character, define your own by an SQL expression over target, as in "
            "docs/hypotheses.md"
        )
    return unknown("hypothesis", name, known)
