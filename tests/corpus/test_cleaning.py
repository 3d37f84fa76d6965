import pytest

from pipeline.corpus.cleaning import cleaned
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import TextSettings


def clean(data: bytes, **others: object) -> str:
    """The cleaned text of some bytes, or why it is left out in brackets."""
    settings = TextSettings.model_validate({"name": "text", "files": ["-"], **others})
    found = cleaned(Document("d.txt", data.decode("utf-8", "surrogateescape")), settings)
    return found.text if isinstance(found, Document) else f"<{found}>"


@pytest.mark.parametrize(
    ("data", "others", "expected"),
    [
        (b"ab\n", {}, "ab\n"),
        (b"\xef\xbb\xbfab", {}, "ab"),
        (b"a\r\nb\rc\n", {}, "a\nb\nc\n"),
        (b"a\r\nb", {"line_ends": "keep"}, "a\r\nb"),
        (b"\ta\tb", {}, "\ta\tb"),
        (b"\ta\tb", {"tabs": 4}, "    a   b"),
        (b"ok \xff\xfe\n", {"not_utf8": "replace"}, "ok ��\n"),
        (b"ok\0\n", {"not_utf8": "replace"}, "ok�\n"),
        (b"ok \xff\n", {"not_utf8": "skip"}, "<not UTF-8>"),
        ("né".encode(), {}, "né"),
        ("né".encode(), {"not_ascii": "replace"}, "n�"),
        ("né".encode(), {"not_ascii": "skip"}, "<not ASCII>"),
        (b"a", {}, "<too short>"),
        (b"abcd", {"minimum_length": 5}, "<too short>"),
    ],
)
def test_a_document_is_cleaned_or_left_out(data: bytes, others: dict[str, object], expected: str) -> None:
    assert clean(data, **others) == expected


def test_half_a_surrogate_pair_is_no_text() -> None:
    """As a tweet that was cut within an emoji has in JSON."""
    settings = TextSettings.model_validate({"name": "text", "files": ["-"], "not_utf8": "replace"})
    found = cleaned(Document("d.txt", "hello \ud83d world"), settings)
    assert found == Document("d.txt", "hello \N{REPLACEMENT CHARACTER} world")
    strict = settings.model_copy(update={"not_utf8": "error"})
    with pytest.raises(UsageError, match=r"d\.txt is not UTF-8 \(byte 6\)"):
        cleaned(Document("d.txt", "hello \ud83d world"), strict)


def test_what_is_no_text_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r'd\.txt is not UTF-8 \(byte 3\): set task\.not_utf8 = "replace" or'):
        clean("é \xff".encode("latin-1").replace(b"\xe9", b"\xc3\xa9"))
    with pytest.raises(UsageError, match=r"d\.txt is binary \(a zero byte at 2\)"):
        clean(b"ab\0cd")
