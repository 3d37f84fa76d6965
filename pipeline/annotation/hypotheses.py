"""Every hypothesis by name. To add one: a function of the text, its line here, its examples in the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.annotation import layout, prose, source, tasks
from pipeline.annotation.values import Values
from schemas.errors import unknown


@dataclass(frozen=True)
class Hypothesis:
    """A function of the text; one that answers yes or no can be scored by AUC too."""

    function: Callable[..., Values]
    yes_no: bool = False
    reads_code: bool = False  # it is told the text's language too
    edition: int = 1  # raised when its values change, so that a lake never mixes the old and the new

    def of(self, text: str, language: str) -> Values:
        """A value for each character of a text; `language` is one of `schemas.languages.LANGUAGES`."""
        arguments: tuple[Any, ...] = (text, language) if self.reads_code else (text,)
        return self.function(*arguments)


def _number(function: Callable[[str], Values]) -> Hypothesis:
    return Hypothesis(function)


def _yes_no(function: Callable[[str], Values]) -> Hypothesis:
    return Hypothesis(function, yes_no=True)


def _depth(function: Callable[[str, str], Values]) -> Hypothesis:
    return Hypothesis(function, reads_code=True, edition=2)


def _place(function: Callable[[str, str], Values]) -> Hypothesis:
    return Hypothesis(function, yes_no=True, reads_code=True, edition=2)


HYPOTHESES: dict[str, Hypothesis] = {
    "count_a": _number(tasks.count_a),
    "remaining_b": _number(tasks.remaining_b),
    "count_ignoring_x": _number(tasks.count_ignoring_x),
    "is_separator": _yes_no(tasks.is_separator),
    "is_x": _yes_no(tasks.is_x),
    "next_is_b": _yes_no(tasks.next_is_b),
    "state_is_A": _yes_no(tasks.state_is_a),
    "copy_slot_1": _number(tasks.copy_slot_1),
    "copy_slot_2": _number(tasks.copy_slot_2),
    "copy_slot_3": _number(tasks.copy_slot_3),
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
    "is_emoji": Hypothesis(prose.is_emoji, yes_no=True, edition=2),
    "sentence_start": _yes_no(prose.sentence_start),
}


def find_hypothesis(name: str) -> Hypothesis:
    """The hypothesis of a name. Raises UsageError that lists the known ones."""
    if name not in HYPOTHESES:
        raise unknown("hypothesis", name, HYPOTHESES)
    return HYPOTHESES[name]
