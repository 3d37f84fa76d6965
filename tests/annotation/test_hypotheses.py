"""Every hypothesis on a text one can check by eye. - is where it says nothing."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.hypotheses import HYPOTHESES, Hypothesis, find_hypothesis
from pipeline.annotation.rows import annotation_rows
from schemas.errors import UsageError
from schemas.languages import LANGUAGES
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
    "next_char": [("aXb", "X b -"), ("b", "-")],
    "state_is_A": [("AxxYa\n", "1 1 1 1 - -"), ("BxYb\n", "0 0 0 - -"), ("axY", "- - -")],
    "copy_slot_1": [("bacXbac\n", "b b b b - - - -")],
    "copy_slot_2": [("bacXbac\n", "- a a a a - - -")],
    "copy_slot_3": [("bacXbac\n", "- - c c c c - -"), ("abXab\n", "- - - - - -")],
    "line_position": [("ab\nc\n\nd", "0 1 2 0 1 0 0")],
    "indent_depth": [
        ("a\n  b\n\tc\n", "0 0 - - 2 2 - 8 8"),
        ("    \n x", "- - - - - - 1"),
    ],
    "line_remaining": [("ab\nc", "2 1 0 -"), ("\n", "0")],
    "spaces_read": [("a  b\t \n ", "0 1 2 0 0 1 0 1")],
    "in_blank_line": [("a\n \n\nb", "0 0 1 1 1 0"), ("a\n  ", "0 0 1 1")],
    "in_url": [
        ("a http://b.c/d?e. f", "0 0 " + "1 " * 14 + "0 0 0"),
        ("(www.x.y)", "0 1 1 1 1 1 1 1 0"),
    ],
    "in_hashtag": [("#a1 #1 b#c", "1 1 1 0 0 0 0 0 0 0"), ("www.a/#b", "0 " * 8)],
    "in_mention": [("@ab: c@d", "1 1 1 0 0 0 0 0")],
    "in_quotation": [
        ('a "b" c', "0 0 1 1 1 0 0"),
        ("“b” c", "1 1 1 0 0"),
        ("'b' don't", "0 0 0 0 0 0 0 0 0"),
        ('"a\nb', "1 1 0 0"),
    ],
    "in_all_capitals_word": [
        ("AB A b OK's", "1 1 0 0 0 0 0 0 0 0 0"),
        ("RT NO!", "1 1 0 1 1 0"),
        ("www.AB", "0 " * 6),
    ],
    "in_capitalised_word": [
        ("The man Al. Bo I am Di", "0 0 0 0 0 0 0 0 1 1 0 0 0 0 0 0 0 0 0 0 1 1"),
        ("is USA", "0 0 0 0 0 0"),
    ],
    "in_auxiliary_be": [
        ("it will be", "0 0 0 1 1 1 1 1 1 1"),
        ("I'd not have been", "1 " * 17),
        ("to be", "0 0 0 0 0"),
    ],
    "in_number": [
        ("b2 -3.5 1,000.", "0 0 0 1 1 1 1 0 1 1 1 1 1 0"),
        ("3rd v1.2", "0 " * 8),
        ("www.a.b/9 1", "0 " * 10 + "1"),
    ],
    "is_emoji": [
        ("a\U0001f600!\u2764\ufe0f1", "0 1 0 1 1 0"),
        ("⌚⏳⬛⏩☕◽", "1 1 1 1 1 1"),
        ("❤↗™©#1", "0 0 0 0 0 0"),  # shown as text …
        ("❤\ufe0f↗\ufe0f™\ufe0f", "1 1 1 1 1 1"),  # … but for what follows
        ("1\ufe0f\u20e32\u20e3 3", "1 1 1 1 1 0 0"),
        ("⌚\ufe0e", "0 0"),
        ("\U0001f1e9\U0001f1ea☝\U0001f3fd", "1 1 1 1"),
        ("\U0001f469\u200d❤\u200d\U0001f469", "1 1 1 1 1"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "1 1 1 1"),
        ("ක්\u200dර", "0 0 0 0"),  # a joiner of Sinhala
        ("\u200d\ufe0f\u20e3", "1 1 1"),
    ],
    "sentence_start": [
        ("Ab c. De\nfg", "1 1 0 0 0 0 1 1 0 1 1"),
        ('A? "B" c', "1 0 0 0 1 0 0 0"),
    ],
}


# In code, a line of marks below each line of text: . for 0, a digit for a value.
IN_CODE: dict[tuple[str, str], list[str]] = {
    ("bracket_depth", "python"): ["f(a[0])", ".112210", ")(", ".1", "'('#(", "....."],
    ("round_depth", "java"): ["f(a[(0)])/*(*/", ".1112211......"],
    ("square_depth", "java"): ["f(a[0]) '['", "...11......"],
    ("curly_depth", "java"): ['{{}} "{"{', "121.....1"],
    ("in_string", "python"): [
        "x='a'+1",
        "..111..",
        "'\\''b",
        "1111.",
        "#'a",
        "...",
        "f'{a}'b",
        "111.11.",
        "xr'a",
        "..11",
    ],
    ("in_string", "java"): ["a='\"'+\"'\"//'", "..111.111..."],
    ("in_comment", "python"): ["a #b", "..11", "'#'a#", "....1"],
    ("in_comment", "java"): ["a//b", ".111", "a/*b*/c", ".11111."],
    ("in_line_comment", "java"): ["/*a*/b//c", "......111"],
    ("in_block_comment", "java"): ["/*a*/b//c", "11111....", '/**/"/*"', "1111...."],
    ("in_doc_comment", "java"): ["/**a*/b/*c*/", "111111......", "/**/a", "....."],
    ("in_doc_comment", "python"): ["'a'", "111", "x='a'", "....."],
    ("in_method_signature", "python"): [
        "def f(a=(1)): g()",
        "1111111111111....",
        "def f(a={1: 2}) -> b[1:2]: c",
        "11111111111111111111111111..",
    ],
    ("in_method_signature", "java"): [
        "int f(int a) {g(b);}",
        "....1111111111......",
        "return f(a);",
        "............",
        "List<A> b() throws C;",
        "........1111111111111",
        "x = new A(b) {",
        "..............",
        "x = a && f(b);",
        "..............",
        "default: f(x); a.b(c);",
        "......................",
        "class A { A(B c) {} }",
        "..........11111111...",
        "f(new A() { void g() { } });",
        ".................11111......",
    ],
    ("in_method_signature", "rust"): [
        "#[a] fn f<'b>(c: &'b D) -> E { g('{'); }",
        "........1111111111111111111111..........",
    ],
    ("in_method_signature", "javascript"): ["class A {\n #b(c) { /\\{/; } }", "...........1111111.........."],
    ("after_at", "kotlin"): ["@A return@b c", "11..........."],
    ("after_at", "python"): ["@a.b\n@c", "1111.11", "x = a @b@c", ".........."],
    ("after_at", "csharp"): ["int @if", "......."],
    ("curly_depth", "cpp"): ["if(n>1'0){go('{');}", ".........111111111."],
    ("in_comment", "javascript"): ["/\\/*/;f()//b", ".........111"],
    ("in_string", "csharp"): ['@"c:\\";f()', "111111...."],
    ("round_depth", "swift"): ['f("\\(g(")"))")', ".111112222111."],
    ("after_at", "java"): ['@A.b c "@d"', "1111......."],
    ("in_licence_header", "java"): ["/*Licence*/ a//licence", "11111111111..........."],
    ("in_licence_header", "python"): ["#copyright", "1111111111", "#other", "......"],
}


@pytest.mark.parametrize(("name", "language"), IN_CODE)
def test_in_code(name: str, language: str) -> None:
    lines = IN_CODE[name, language]
    for text, marks in zip(lines[::2], lines[1::2], strict=True):
        values = HYPOTHESES[name].of(text, language)
        assert "".join("." if not value else f"{value:g}" for value in values) == marks.replace("0", "."), text


def test_strings_and_comments_over_lines() -> None:
    python = 'def f():\n  # why\n  """It\'s\n  #no"""\n  return \'a\nc\'\n'
    doc = HYPOTHESES["in_doc_comment"].of(python, "python")
    assert "".join(c for c, value in zip(python, doc, strict=True) if value) == '"""It\'s\n  #no"""'
    assert not any(HYPOTHESES["in_doc_comment"].of("a = {1:\n  'b'}\nif a:\n  'c'\n", "python"))
    string = HYPOTHESES["in_string"].of(python, "python")
    assert "".join(c for c, v in zip(python, string, strict=True) if v) == '"""It\'s\n  #no"""\'a\''

    java = "/** It's\n * so */\nString a = \"/*\"; // '\nchar b = '\\'';\n"
    string = HYPOTHESES["in_string"].of(java, "java")
    assert "".join(c for c, v in zip(java, string, strict=True) if v) == "\"/*\"'\\''"


@pytest.mark.parametrize("name", HYPOTHESES)
def test_a_long_text_takes_as_long_as_its_parts(name: str) -> None:
    """Nothing is read over and over: the text that ends nothing that it opens is where that would show."""
    for part in ("(a ", "/* ", '"', "int f(a, ", "def f((", 'x\n"""', "@a ", "will "):
        for language in ("python", "java") if HYPOTHESES[name].reads_code else ("plain",):
            assert len(HYPOTHESES[name].of(part * 20_000, language)) == 20_000 * len(part)


@pytest.mark.parametrize(
    ("name", "text", "expected"), [(name, *example) for name, examples in EXAMPLES.items() for example in examples]
)
def test_on_paper(name: str, text: str, expected: str) -> None:
    values = HYPOTHESES[name].of(text, "plain")
    shown = ["-" if value is None else value if isinstance(value, str) else f"{value:g}" for value in values]
    assert shown == expected.split()


def test_every_hypothesis_has_examples_and_says_what_it_is() -> None:
    assert set(EXAMPLES) | {name for name, _ in IN_CODE} == set(HYPOTHESES)
    assert all(hypothesis.function.__doc__ for hypothesis in HYPOTHESES.values())


@pytest.mark.parametrize("name", HYPOTHESES)
@given(text=st.text("aXbYxABc\n\t '\"#\\()[]0\u2028é/*@.:{};", max_size=60), language=st.sampled_from(LANGUAGES))
def test_any_text_gets_one_value_a_character(name: str, text: str, language: str) -> None:
    values = HYPOTHESES[name].of(text, language)
    assert len(values) == len(text)
    if HYPOTHESES[name].kind == "yes_no":
        assert set(values) <= {0.0, 1.0, None}


NEXT_IS = [("next_is_x", "axbX", "1 0 0 -"), ("next_is_X", "axbX", "0 0 1 -"), ("next_is_7", "77", "1 -")]


@pytest.mark.parametrize(("name", "text", "expected"), NEXT_IS)
def test_any_letter_or_digit_may_come_next(name: str, text: str, expected: str) -> None:
    assert find_hypothesis(name).kind == "yes_no"
    values = find_hypothesis(name).of(text, "plain")
    assert ["-" if value is None else f"{value:g}" for value in values] == expected.split()


@pytest.mark.parametrize("name", ["next_is_", "next_is_ab", "next_is_(", "next_is_é", "next_is_b\n"])
def test_what_else_may_come_next_is_for_an_expression(name: str) -> None:
    with pytest.raises(
        UsageError, match="takes one letter of a-z and A-Z, or one digit, as in next_is_x; of another"
    ):
        find_hypothesis(name)


def test_a_name_is_a_category_and_no_value() -> None:
    rows = annotation_rows(HYPOTHESES["next_char"], {7: "aX", 9: "b"})
    assert rows.schema == ANNOTATIONS.schema
    assert rows["category"].to_pylist() == ["X", None, None]
    assert rows["value"].null_count == 3


def test_one_hypothesis_gives_no_text_in_one_document_and_numbers_in_another() -> None:
    mixed = Hypothesis(lambda text: [text if text == "a" else 1.0], None)
    assert annotation_rows(mixed, {0: "a"})["category"].to_pylist() == ["a"]
    with pytest.raises(UsageError, match="it gives both text and numbers"):
        annotation_rows(mixed, {0: "a", 1: "b"}, name="it")


def test_rows_follow_the_texts() -> None:
    rows = annotation_rows(HYPOTHESES["count_a"], {7: "aX", 9: "aaX"})
    assert rows.schema == ANNOTATIONS.schema
    expected = {
        "sequence": [7, 7, 9, 9, 9],
        "step": [0, 1, 0, 1, 2],
        "value": [1.0, None, 1.0, 2.0, None],
        "category": [None] * 5,
    }
    assert rows.equals(pa.table(expected, schema=ANNOTATIONS.schema))


def test_a_step_of_several_characters_has_the_value_at_its_last() -> None:
    rows = annotation_rows(HYPOTHESES["count_a"], {3: ["aa", "", "a", "Xbb"]})
    assert rows["step"].to_pylist() == [0, 1, 2, 3]
    assert rows["value"].to_pylist() == [2.0, None, 3.0, None]


def test_an_unknown_hypothesis_lists_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"unknown hypothesis 'count_aa': did you mean 'count_a'\? known: after_at, bracket_"
    ):
        find_hypothesis("count_aa")
