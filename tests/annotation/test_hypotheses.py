"""Every hypothesis on a text one can check by eye. - is where it says nothing."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.hypotheses import HYPOTHESES, find_hypothesis
from pipeline.annotation.rows import annotation_rows
from schemas.errors import UsageError
from schemas.scores import ANNOTATIONS

EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "count_a": [
        ("aaaXbbb\n", "1 2 3 - - - - -"),
        ("aXaYbb\n", "1 - - - - - -"),
        ("b", "-"),
    ],
    "remaining_b": [
        ("aaaXbbb\n", "- - - 3 2 1 0 -"),
        ("aXaYbb\n", "- - - 2 1 0 -"),
        ("aaX", "- - -"),
    ],
    "count_ignoring_x": [
        ("aXXaYbb\n", "1 1 1 2 - - - -"),
        ("XaYb\n", "0 1 - - -"),
        ("aaXbb\n", "1 2 - - - -"),
    ],
    "is_separator": [
        ("aaXbb\n", "0 0 1 0 0 0"),
        ("aXaYbb\n", "0 0 0 1 0 0 0"),
        ("abc", "0 0 0"),
    ],
    "is_x": [("aXaYb\n", "0 1 0 0 0 0"), ("AxxYa\n", "0 1 1 0 0 0")],
    "next_is_b": [("aXbb\n", "0 1 1 0 -"), ("b", "-")],
    "state_is_A": [("AxxYa\n", "1 1 1 1 - -"), ("BxYb\n", "0 0 0 - -"), ("axY", "- - -")],
    "copy_slot_1": [("bacXbac\n", "1 1 1 1 - - - -")],
    "copy_slot_2": [("bacXbac\n", "- 0 0 0 0 - - -")],
    "copy_slot_3": [("bacXbac\n", "- - 2 2 2 2 - -"), ("abXab\n", "- - - - - -")],
    "line_position": [("ab\nc\n\nd", "0 1 2 0 1 0 0")],
    "indent_depth": [
        ("a\n  b\n\tc\n", "0 0 - - 2 2 - 8 8"),
        ("    \n x", "- - - - - - 1"),
    ],
    "bracket_depth": [
        ("f(a[0])", "0 1 1 2 2 1 0"),
        (")(", "0 1"),
        ("'(' #(\n(", "0 0 0 0 0 0 0 1"),
    ],
    "in_string": [
        ("x='a'+1", "0 0 1 1 1 0 0"),
        ("'\\''b", "1 1 1 1 0"),
        ("'a\nb", "1 1 0 0"),
        ('"""a\n"b"""c', "1 1 1 1 1 1 1 1 1 1 0"),
        ("#'a\nb", "0 0 0 0 0"),
    ],
    "in_comment": [("a #b\nc", "0 0 1 1 0 0"), ("'#'a#", "0 0 0 0 1")],
}


@pytest.mark.parametrize(
    ("name", "text", "expected"), [(name, *example) for name, examples in EXAMPLES.items() for example in examples]
)
def test_on_paper(name: str, text: str, expected: str) -> None:
    values = HYPOTHESES[name].values(text)
    assert ["-" if value is None else f"{value:g}" for value in values] == expected.split()


def test_every_hypothesis_has_examples_and_says_what_it_is() -> None:
    assert set(EXAMPLES) == set(HYPOTHESES)
    assert all(hypothesis.values.__doc__ for hypothesis in HYPOTHESES.values())


@pytest.mark.parametrize("name", HYPOTHESES)
@given(text=st.text("aXbYxABc\n\t '\"#\\()[]0\u2028é", max_size=60))
def test_any_text_gets_one_value_a_character(name: str, text: str) -> None:
    values = HYPOTHESES[name].values(text)
    assert len(values) == len(text)
    if HYPOTHESES[name].yes_no:
        assert set(values) <= {0.0, 1.0, None}


def test_rows_follow_the_texts() -> None:
    rows = annotation_rows("count_a", {7: "aX", 9: "aaX"})
    assert rows.schema == ANNOTATIONS.schema
    expected = {
        "sequence": [7, 7, 9, 9, 9],
        "step": [0, 1, 0, 1, 2],
        "value": [1.0, None, 1.0, 2.0, None],
    }
    assert rows.equals(pa.table(expected, schema=ANNOTATIONS.schema))


def test_a_step_of_several_characters_has_the_value_at_its_last() -> None:
    rows = annotation_rows("count_a", {3: ["aa", "", "a", "Xbb"]})
    assert rows["step"].to_pylist() == [0, 1, 2, 3]
    assert rows["value"].to_pylist() == [2.0, None, 3.0, None]


def test_an_unknown_hypothesis_lists_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"unknown hypothesis 'count_aa': did you mean 'count_a'\? known: bracket_"
    ):
        find_hypothesis("count_aa")
