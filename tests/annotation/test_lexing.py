"""Strings, comments and code in every language, on texts marked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.lexing import code_of, language_of, regions
from schemas.languages import LANGUAGES, SUFFIXES, UNREAD
from tests.annotation.marked import MARKED, unmarked

TEXTS = [(language, text) for language, texts in MARKED.items() for text in texts]
# What opens and does not close, or is read again by a careless reader.
UNCLOSED = (
    *("(a ", "/* ", '"', "'", "'''", 'x\n"""', "`", "`${", "${", '"${', 's"${', '$"{a:', "f'{a:{", '"\\('),
    *("<a ", "<a>", "<a>(", "/[ ", " (/a", "#/", '#"', 'R"a(', 'r#"', '@"', "1'0", "'a", " } / ", "#include <"),
)


def same(found: list[str], marked: list[str], text: str) -> bool:
    """White space beside a comment or between tags may belong to either."""
    return all(
        a == b or (c.isspace() and "string" not in (a, b)) for a, b, c in zip(found, marked, text, strict=True)
    )


@pytest.mark.parametrize(("language", "marked"), TEXTS)
def test_each_character_is_in_its_region(language: str, marked: str) -> None:
    text, kinds = unmarked(marked)
    found = ["string" if kind == "doc_string" else kind for kind in regions(text, language)]
    assert same(found, kinds, text), "".join(kind[0] for kind in found)


@pytest.mark.parametrize(("language", "marked"), TEXTS)
def test_a_text_that_is_cut_off_is_read_as_far_as_it_goes(language: str, marked: str) -> None:
    """All but the few characters that only what follows explains, such as the / of a /*."""
    text, kinds = unmarked(marked)
    for end in range(len(text)):
        found = ["string" if kind == "doc_string" else kind for kind in regions(text[:end], language)]
        assert len(found) == end
        begun = max((place + 1 for place in range(1, end) if kinds[place] != kinds[place - 1]), default=0)
        settled = max(0, min(begun - 4, end - 4))
        assert same(found[:settled], kinds[:settled], text[:settled]), (end, found)


UNFINISHED = {
    "python": ['"""a"b', "'''a\nb", "b'ab", 'f"ab', 'f"""ab'],
    "java": ['"""a"b'],
    "swift": ['"""\n'],
    "javascript": ["'ab", "`ab", "/ab", "/[ab"],
    "cpp": ["'", 'R"(ab', 'u8"ab'],
    "csharp": ['$"ab'],
}


@pytest.mark.parametrize("language", MARKED)
def test_a_backslash_at_the_end_of_the_text_belongs_to_the_string_that_is_open(language: str) -> None:
    for string in ['"ab', '"', '"a\\\\', *UNFINISHED.get(language, [])]:
        kinds = regions(f"x = {string}\\", language)
        assert kinds == ["code"] * 4 + ["string"] * (len(string) + 1), string


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_closed_is_not_read_over_and_over(language: str) -> None:
    """It would take minutes."""
    for part in UNCLOSED:
        assert len(regions(part * 10_000, language)) == 10_000 * len(part)


@given(
    text=st.text("aRrfs\n '\"`#$@\\()[]{}<>/*:!=.1\u2028é", max_size=80),
    language=st.sampled_from(LANGUAGES),
)
def test_any_text_has_regions(text: str, language: str) -> None:
    code = code_of(text, language)
    assert len(code) == len(text)
    assert code.count("\n") == text.count("\n")


def test_every_language_has_texts_suffixes_and_a_name() -> None:
    assert {*MARKED, "plain"} == {*SUFFIXES, "plain"} == set(LANGUAGES)
    suffixes = [suffix for of in SUFFIXES.values() for suffix in of]
    assert len({*suffixes, *UNREAD}) == len(suffixes) + len(UNREAD)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a/B.java", "java"),
        ("*.py", "python"),
        ("{stdlib}/*.py", "python"),
        ("x.cc", "cpp"),
        ("x.h.gz", "cpp"),
        ("x.tsx:3", "tsx"),
        ("x.mjs", "javascript"),
        ("a.txt", "plain"),
        ("a.rb", "plain"),
    ],
)
def test_a_language_is_known_by_its_suffix(name: str, language: str) -> None:
    assert language_of(name) == language
