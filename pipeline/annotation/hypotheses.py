"""Every hypothesis by name. To add one: a function of the text, its line here, its examples in the tests."""

from collections.abc import Callable
from typing import NamedTuple

from pipeline.annotation import source, tasks
from pipeline.annotation.tasks import Values
from schemas.errors import unknown


class Hypothesis(NamedTuple):
    """A function of the text; one that answers yes or no can be scored by AUC too."""

    values: Callable[[str], Values]
    yes_no: bool = False


HYPOTHESES: dict[str, Hypothesis] = {
    "count_a": Hypothesis(tasks.count_a),
    "remaining_b": Hypothesis(tasks.remaining_b),
    "count_ignoring_x": Hypothesis(tasks.count_ignoring_x),
    "is_separator": Hypothesis(tasks.is_separator, yes_no=True),
    "is_x": Hypothesis(tasks.is_x, yes_no=True),
    "next_is_b": Hypothesis(tasks.next_is_b, yes_no=True),
    "state_is_A": Hypothesis(tasks.state_is_a, yes_no=True),
    "copy_slot_1": Hypothesis(tasks.copy_slot_1),
    "copy_slot_2": Hypothesis(tasks.copy_slot_2),
    "copy_slot_3": Hypothesis(tasks.copy_slot_3),
    "line_position": Hypothesis(source.line_position),
    "bracket_depth": Hypothesis(source.bracket_depth),
    "indent_depth": Hypothesis(source.indent_depth),
    "in_string": Hypothesis(source.in_string, yes_no=True),
    "in_comment": Hypothesis(source.in_comment, yes_no=True),
}


def find_hypothesis(name: str) -> Hypothesis:
    """The hypothesis of a name. Raises UsageError that lists the known ones."""
    if name not in HYPOTHESES:
        raise unknown("hypothesis", name, HYPOTHESES)
    return HYPOTHESES[name]
