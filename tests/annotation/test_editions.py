"""No hypothesis changes its values unnoticed: a lake must not mix the old and the new under one plan."""

import hashlib

import pytest

from pipeline.annotation.hypotheses import HYPOTHESES

PROSE = """RT @ann: "I'll not have been" #so www.a.b/c?d. AB Cd 1,000 -3.5 😀❤️⌚ 1️⃣ ❤ ™
aaXbbYcc Axx"""
CODE = """// Copyright
/** doc */ @A.b int f(int a[]) { return '{' + "a${b("c")}" + `a ${b} c` + R"(d)"; } # e
'x' \"\"\"y\"\"\" f"{a!r}" 1'000 /[/"]/ $"{q:0}" @"\\" s"${t}" "\\(u)" r#"v"# <p>it's</p> /* a /* b */ c */
@d
def g(a: 'b') -> c:
    \"\"\"doc\"\"\"
"""
LANGUAGES = [
    "c",
    "cpp",
    "csharp",
    "go",
    "java",
    "javascript",
    "kotlin",
    "python",
    "rust",
    "scala",
    "swift",
    "tsx",
    "typescript",
    "plain",
]
# Of each its edition, and a digest of its values. Where that differs, raise the edition and note the new one.
VALUES = {
    "count_a": (1, "56fb43fed524"),
    "remaining_b": (1, "56fb43fed524"),
    "count_ignoring_x": (1, "8f54615749e8"),
    "is_separator": (1, "3e577585f801"),
    "is_x": (1, "29ede6cd0f44"),
    "next_is_b": (1, "d28d090b2cf7"),
    "next_char": (1, "e3a5101646cc"),
    "state_is_A": (1, "56fb43fed524"),
    "copy_slot_1": (2, "474d565a6173"),
    "copy_slot_2": (2, "4feb691b2a3e"),
    "copy_slot_3": (2, "4817fd79efca"),
    "line_position": (1, "6ce543e4e72c"),
    "line_remaining": (1, "f19e29d608f2"),
    "indent_depth": (1, "0cd4a0fc32d8"),
    "spaces_read": (1, "692803fee845"),
    "in_blank_line": (1, "ac60f2d7bb96"),
    "bracket_depth": (2, "cbb2779dea52"),
    "round_depth": (2, "371d4b16a316"),
    "square_depth": (2, "0ca1ee0da4c5"),
    "curly_depth": (2, "6dc02ef1208d"),
    "in_string": (2, "ff1aa6b01728"),
    "in_comment": (2, "b0c7a48ad18d"),
    "in_line_comment": (2, "cb9f27226a21"),
    "in_block_comment": (2, "2a90f1e5bc04"),
    "in_doc_comment": (2, "d6192d7e75b4"),
    "in_method_signature": (2, "58fcc7a6d98a"),
    "after_at": (2, "3c14fc24c21f"),
    "in_licence_header": (2, "9203343e7ec3"),
    "in_url": (1, "7a8433cf923a"),
    "in_hashtag": (1, "f7278e9f3d58"),
    "in_mention": (1, "db4f5d5cd41f"),
    "in_quotation": (1, "c45b6c473206"),
    "in_all_capitals_word": (1, "ae8b30753f1f"),
    "in_capitalised_word": (1, "ed98b330dc8b"),
    "in_auxiliary_be": (1, "28b5fdc275db"),
    "in_number": (1, "dc11c94c078d"),
    "is_emoji": (2, "5bb972d4a1cd"),
    "sentence_start": (1, "7807349400a8"),
}


@pytest.mark.parametrize("name", HYPOTHESES)
def test_values_change_with_their_edition_alone(name: str) -> None:
    hypothesis = HYPOTHESES[name]
    languages = LANGUAGES if hypothesis.reads_code else ["plain"]
    values = [hypothesis.of(text, language) for language in languages for text in (PROSE, CODE)]
    digest = hashlib.sha256(repr(values).encode()).hexdigest()[:12]
    assert (hypothesis.edition, digest) == VALUES.get(name), f"{name}: ({hypothesis.edition}, {digest!r})"
