"""What is known of a hypothesis before it has any values."""

import pytest

from jobs.run.defined import check_hypotheses, is_yes_no, kind_of
from schemas.errors import UsageError
from schemas.parse import parse_experiment
from schemas.score_settings import Kind

OWN = [{"name": "mine", "sql": "char"}, {"name": "is_a", "sql": "char = 'a'", "yes_no": True}]
KINDS: list[tuple[str, Kind | None]] = [
    ("count_a", "number"),
    ("is_x", "yes_no"),
    ("next_is_7", "yes_no"),
    ("copy_slot_2", "category"),
    ("next_char", "category"),
    ("is_a", "yes_no"),
    ("mine", None),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_kind_is_known_but_of_ones_own_that_does_not_say(name: str, kind: Kind | None) -> None:
    experiment = parse_experiment(
        {"name": "k", "task": {"name": "counting"}, "score": {"hypotheses": [name], "define": OWN}}, "k"
    )
    check_hypotheses(experiment)
    assert kind_of(experiment, name) == kind
    assert is_yes_no(experiment, name) == (kind == "yes_no")


@pytest.mark.parametrize(("name", "told"), [("next_is_é", "one letter of a-z"), ("min", "did you mean 'mine'")])
def test_a_name_that_is_none_is_told(name: str, told: str) -> None:
    score = {"hypotheses": [name], "define": OWN}
    experiment = parse_experiment({"name": "k", "task": {"name": "counting"}, "score": score}, "k")
    with pytest.raises(UsageError, match=told):
        check_hypotheses(experiment)
