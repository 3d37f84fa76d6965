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
    for half in "\ud83d\udc4d":
        with pytest.raises(
            UsageError, match=r"d:1 has half a character \(after 1 characters\), .*emoji: .*exclude it$"
        ):
            cleaned(Document("d:1", f"é{half}"), strict.model_copy(update={"documents": "jsonl"}))
    with pytest.raises(UsageError, match=r"d:1 is not UTF-8 \(byte 2\)"):
        cleaned(Document("d:1", "é\udcff"), strict.model_copy(update={"documents": "jsonl"}))


@pytest.mark.parametrize(("mark", "called"), [("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("utf-8-sig", "UTF-8")])
def test_what_is_not_as_its_byte_order_mark_says_is_told_so(mark: str, called: str) -> None:
    """A setting would not help: the mark decides."""
    settings = TextSettings.model_validate({"name": "text", "files": ["-"], "encoding": "latin-1"})
    told = rf"d is not {called}, as its byte order mark says \(after 3 characters\): .*, or exclude it$"
    with pytest.raises(UsageError, match=told):
        cleaned(Document("d", "bom\udc78", mark), settings)
    skipping = settings.model_copy(update={"not_utf8": "skip"})
    assert cleaned(Document("d", "bom\udc78", mark), skipping) == f"not {called}"


def test_another_encoding_is_advised_only_where_it_may_be_right() -> None:
    for data, likely in (("ab\n".encode("utf-16-be"), "utf-16-be"), ("Grüße\n".encode("utf-16-le"), "utf-16-le")):
        with pytest.raises(UsageError, match=f'set task.encoding = "{likely}"'):
            clean(data)
    for data in (bytes(600), b"name" + bytes(96), bytes(100) + b"name", "ab".encode("utf-32-le") * 9):
        with pytest.raises(UsageError, match=r"is binary \(a zero byte at \d+\): set task.not_utf8"):
            clean(data)


def test_what_is_no_text_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r'd\.txt is not UTF-8 \(byte 3\): set task\.not_utf8 = "replace" or'):
        clean("é \xff".encode("latin-1").replace(b"\xe9", b"\xc3\xa9"))
    with pytest.raises(UsageError, match=r"d\.txt is binary \(a zero byte at 2\)"):
        clean(b"ab\0cd")
