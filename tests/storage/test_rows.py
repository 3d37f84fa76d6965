"""Rows of CSV, TSV and JSON, and encodings: the text of each row exactly, or an error that names file and row."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.corpus.cleaning import cleaned
from pipeline.storage.csv_rows import csv_texts
from schemas.corpus import Document
from schemas.errors import UsageError
from tests.storage.reading import documents, settings, texts

BACKSLASH = "\\"


def rows(path: Path, data: str, **others: object) -> list[str]:
    """The texts of a file that holds these characters."""
    path.write_text(data, newline="")
    return texts(settings(path, documents="csv", **others))


REFUSED = [
    ("t.csv", "id,text\n1,hello, world, and all\n2,short\n", "t.csv:2 has 4 fields and the header 2"),
    ("t.csv", "id,text\n1,a\n2\n3,c\n", "t.csv:3 has 1 field and the header 2"),
    ("t.csv", "text,id\n1,a,\n", "t.csv:2 has 3 fields and the header 2"),
    ("t.csv", 'id,text\n1,fine\n2,"5 stars\n3,three\n4,four\n', "t.csv:3 cannot be read as CSV from there on"),
    ("t.csv", 'id,text\n1,"5 stars\n2,"two"\n', "t.csv:2 cannot be read as CSV from there on"),
    ("t.csv", 'id,text\n1,a 5" disk\n', "t.csv:2 has a quote within a field that is not quoted"),
    ("t.csv", 'id,text\n1, "a, b"\n', "t.csv:2 has a quote within a field"),
    ("t.csv", 'id,text\n1,"a" b\n', "t.csv:2 cannot be read as CSV"),
    ("t.csv", 'id,text\n1,"say \\"hi\\", ok"\n', "t.csv:2 cannot be read as CSV"),
    ("t.csv", "id,text\n1,a\\,b\n", "t.csv:2 has a backslash before a delimiter"),
    ("t.csv", "text,id\na\\,1\n", "t.csv:2 has a backslash before a delimiter"),
    ("t.csv", 'id,text\n1,"a\\"\n', "t.csv:2 has a backslash before a delimiter, a quote"),
    ("t.csv", "text\nhello\\\nworld\n", "t.csv:2 has a backslash before a delimiter, a quote or a line end"),
    ("t.csv", "text\nlast\\", "t.csv:2 has a backslash"),
    ("t.csv", "id;text\n1;a\n", "t.csv has no column 'text', only 'id;text': set task.column or task.delimiter"),
    ("t.csv", "text,text\na,b\n", "t.csv has several columns 'text'"),
    ("t.csv", "", "t.csv is empty, without even a header: exclude it"),
    ("t.csv", "\r\n\n", "t.csv is empty, without even a header"),
    ("t.csv", "id, text\n1,a\n", "t.csv has no column 'text', only 'id', ' text': set task.column or task.del"),
    (
        "t.csv",
        "sep=;\nid;text\n1;a\n",
        "t.csv begins with 'sep=;', a note for Excel and no header: remove that line, and set",
    ),
    ("t.csv", "sep=,\nid,text\n1,a\n", "t.csv begins with 'sep=', a note for Excel"),
    (
        "t.tsv",
        'id\ttext\n1\tfine\n2\t"5 stars, they say\n3\tthree\n',
        "t.tsv:3 has a field that begins with a quote",
    ),
    ("t.tsv", 'id\ttext\n1\t"quoted"\n', "t.tsv:2 has a field that begins with a quote: set task.quote = "),
    ("T.TSV", 'id\ttext\n"1"\ta\n', "T.TSV:2 has a field that begins with a quote"),
    ("t.tsv", "id\ttext\n1\ta\tb\n", "t.tsv:2 has 3 fields and the header 2"),
    ("t.tsv", "id\ttext\n1\thello\\\nworld\n", "t.tsv:2 has a backslash before a delimiter"),
]


@pytest.mark.parametrize(("name", "data", "told"), REFUSED)
def test_a_row_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, name: str, data: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        rows(tmp_path / name, data)
    assert told in str(error.value)


SAID = [
    ("t.tsv", 'text\n"5 stars, they say\n"a"\n', {"quote": ""}, ['"5 stars, they say\n', '"a"\n']),
    ("t.tsv", 'id\ttext\n1\t"a\tb ""c"""\n', {"quote": '"'}, ['a\tb "c"\n']),
    ("t.tsv", 'id\ttext\n1\tsay "hi"\n', {}, ['say "hi"\n']),
    ("t.csv", "id;text\n1;a, b\n", {"delimiter": ";"}, ["a, b\n"]),
    ("t.csv", "id,text\n1,'it''s, ok'\n", {"quote": "'"}, ["it's, ok\n"]),
    ("t.csv", 'text\n5" disk\n', {"quote": ""}, ['5" disk\n']),
    ("t.csv", "text\nC:\\\n", {"escape": ""}, ["C:\\\n"]),
    ("t.csv", 'id,text\n1,"say \\"hi\\", ok"\n2,a\\,b\n', {"escape": BACKSLASH}, ['say "hi", ok\n', "a,b\n"]),
    ("t.csv", 'id,text\n1,"ends \\\\"\n2,"c ""d"""\n', {"escape": BACKSLASH}, ["ends \\\n", 'c "d"\n']),
    ("t.tsv", "id\ttext\n1\ta\\\nb\\\tc\n", {"escape": BACKSLASH}, ["a\nb\tc\n"]),
    ("t.tsv", "id\ttext\n\\N\ta\\tb\\nc\\\\n\n", {"escape": BACKSLASH}, ["a\tb\nc\\n\n"]),
    ("t.tsv", "id\ttext\n1\t\\N\n2\tN\n3\ta\\Nb\n", {"escape": BACKSLASH}, ["\n", "N\n", "aNb\n"]),
    ("t.csv", 'id,text\r\n1,"a\r\nb"\r\n\r\n2,\r\n', {}, ["a\r\nb\n", "\n"]),
    ("t.csv", "\ufeffid,text\n1,a", {}, ["a\n"]),
    ("t.csv", "text\n¯\\_(ツ)_/¯\n", {}, ["¯\\_(ツ)_/¯\n"]),
]


@pytest.mark.parametrize(("name", "data", "said", "expected"), SAID)
def test_what_the_settings_say_is_read(
    tmp_path: Path, name: str, data: str, said: dict[str, object], expected: list[str]
) -> None:
    assert rows(tmp_path / name, data, **said) == expected
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(data.encode()))
    assert texts(settings(packed, documents="csv", **said)) == expected


def test_a_row_is_named_by_the_line_that_it_begins_in(tmp_path: Path) -> None:
    rows(tmp_path / "t.csv", 'id,text\n1,"a\nb"\n\n2,c\n')
    found = documents(settings(tmp_path / "t.csv", documents="csv"))
    assert [document.name for document in found] == ["t.csv:2", "t.csv:5"]


CELLS = st.text(st.sampled_from(list("ab,;\t\"'\\\r\n Nnt0é")), max_size=8)


@given(
    table=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    marks=st.sampled_from([(",", '"', ""), (";", "'", ""), ("\t", '"', "")]),
)
def test_what_the_csv_module_writes_is_read_back(
    table: list[tuple[str, str]], marks: tuple[str, str, str]
) -> None:
    delimiter, quote, escape = marks
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *table])
    text = settings("-", delimiter=delimiter, quote=quote, escape=escape)
    lines = iter(io.StringIO(file.getvalue(), newline=""))
    assert [row for _, row in csv_texts("t.csv", lines, text)] == [cell for _, cell in table]


@pytest.mark.parametrize(
    "wrong",
    [
        {"delimiter": ""},
        {"delimiter": "||"},
        {"quote": "\n"},
        {"quote": ",", "delimiter": ","},
        {"quote": ","},
        {"quote": "\t"},
        {"delimiter": '"'},
        {"escape": '"'},
        {"escape": ","},
        {"encoding": "hex"},
    ],
)
def test_marks_and_encodings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"task|is no encoding"):
        settings("-", **wrong)


TWEETS = [{"tweet": {"full_text": f'A tweet [{n}] "with" }}, {{ é'}, "id": n, "a.b": f"{n}"} for n in range(300)]
WRITTEN = {
    "one line": json.dumps(TWEETS),
    "many lines": json.dumps(TWEETS, indent=2) + "\n",
    "assigned": f"window.YTD.tweets.part0 = {json.dumps(TWEETS)}",
    "a statement": f"\ufeffGrailbird.data['2017_01'] =\n{json.dumps(TWEETS, ensure_ascii=False)};\n",
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("at_once", [1, 7, 1 << 16])
def test_a_list_of_records_gives_the_text_of_each(
    tmp_path: Path, way: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little of the file is read at once."""
    monkeypatch.setattr(
        "pipeline.storage.json_records._AT_ONCE", max(at_once, 64 if "=" in WRITTEN[way][:40] else 1)
    )
    (tmp_path / "t.js").write_text(WRITTEN[way])
    found = documents(settings(tmp_path / "t.js", documents="json", column="tweet.full_text"))
    assert [document.text for document in found] == [f"{tweet['tweet']['full_text']}\n" for tweet in TWEETS]  # type: ignore[index]
    assert found[1].name == "t.js:2"
    assert (
        texts(settings(tmp_path / "t.js", documents="json", column="a.b"))[7] == "7\n"
    )  # a key as it is comes first


JSON_REFUSED = [
    ('[{"text": "a"}, {"text": "b', "t.json:2 is not JSON: Unterminated string"),
    ('[{"text": "a"},', "t.json:2 is not JSON"),
    ('[{"text": "a"}', "t.json:1 is not JSON: a comma or the end of the list is missing"),
    ('[{"text": "a"} {"text": "b"}]', "t.json:1 is not JSON: a comma or the end"),
    ('[{"text": "a"},]', "t.json:2 is not JSON"),
    ('[{"text": "a"}] []', "t.json goes on after the end of its list of 1 record"),
    ('[{"text": "a"}, {"text": tru}]', "t.json:2 is not JSON"),
    (
        '{"text": "a"}\n{"text": "b"}\n',
        't.json is no list of JSON records: is each line a record? set task.documents = "',
    ),
    ("", "t.json is no list of JSON records"),
    ('[{"text": "a"}, {"text": "b"}] []', "t.json goes on after the end of its list of 2 records"),
    (f'[{{"text": "{"x" * 300}"}}]', "t.json:1 is larger than task.maximum_document = 99 bytes"),
]


@pytest.mark.parametrize(("data", "told"), JSON_REFUSED)
def test_what_is_no_whole_list_of_records_is_refused(
    tmp_path: Path, data: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.storage.json_records._AT_ONCE", 16)
    (tmp_path / "t.json").write_text(data)
    with pytest.raises(UsageError) as error:
        documents(settings(tmp_path / "t.json", documents="json", maximum_document=99))
    assert told in str(error.value)


RECORD_REFUSED = [
    ('"a"', "text", """:1 is text, not a record: what is read has the form {"text": "…"}"""),
    ("null", "text", ":1 is null, not a record"),
    (
        '{"body": "b", "of": {" it": 1}}',
        "text",
        ":1 has no text under 'text', only 'body', 'of. it': set task.column",
    ),
    ("{}", "text", ":1 has no text under 'text', only no keys"),
    ('{"tweet": null}', "tweet.text", ":1 has no text under 'tweet.text', only 'tweet'"),
    ('{"text": 12}', "text", ":1 has a number under 'text', not text: set task.column"),
    ('{"text": false}', "text", ":1 has true or false under 'text', not text"),
    ('{"text": ["a"]}', "text", ":1 has a list under 'text'"),
    ('{"text": {"of": "a"}}', "text", ":1 has a record under 'text'"),
    ('{"text": "abc", "text": "def"}', "text", ":1 has the key 'text' twice: remove one"),
    ('{"tweet": {"text": "a"}, "tweet": {}}', "tweet.text", ":1 has the key 'tweet' twice"),
    ('{"tweet": {"text": "a", "text": "a"}}', "tweet.text", ":1 has the key 'text' twice"),
    (f'{{"text": {"[" * 9999}{"]" * 9999}}}', "text", ":1 holds lists or records within one another, too deep"),
]


@pytest.mark.parametrize(("data", "column", "told"), RECORD_REFUSED)
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_record_without_a_text_is_told_what_it_has(
    tmp_path: Path, data: str, column: str, told: str, kind: str
) -> None:
    (tmp_path / "t").write_text(f"[{data}]" if kind == "json" else data)
    with pytest.raises(UsageError, match=f"^{re.escape('t' + told)}"):
        documents(settings(tmp_path / "t", documents=kind, column=column))


def test_what_is_beside_the_text_of_a_record_does_not_matter(tmp_path: Path) -> None:
    """A long number, which Python refuses to read, another key that stands twice, a text that is null."""
    records = [f'{{"n": {"9" * 5000}, "text": "a"}}', '{"n": 1, "text": "b", "n": -2}', '{"text": null}']
    (tmp_path / "t.jsonl").write_text("\n".join(records))
    (tmp_path / "t.json").write_text(f"[{','.join(records)}]")
    for kind in ("json", "jsonl"):
        assert texts(settings(tmp_path / f"t.{kind}", documents=kind)) == ["a\n", "b\n", "\n"]


def test_a_list_within_a_list_is_not_told_to_be_read_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('[["ab"], {"text": "cd"}]')
    with pytest.raises(UsageError, match=r't\.json:1 is a list, not a record: what is read has the form {"text"'):
        documents(settings(tmp_path / "t.json", documents="json"))


def test_a_list_that_is_read_by_lines_is_told_what_it_is(tmp_path: Path) -> None:
    for data in (json.dumps(TWEETS), json.dumps(TWEETS, indent=1), WRITTEN["assigned"]):
        (tmp_path / "t.json").write_text(data)
        with pytest.raises(UsageError, match=r'is the file one list\? set task\.documents = "json"'):
            documents(settings(tmp_path / "t.json", documents="jsonl"))
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, TWEETS)))
    assert len(texts(settings(tmp_path / "t.jsonl", documents="jsonl", column="tweet.full_text"))) == 300


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("kind", ["file", "line", "jsonl", "csv", "json"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, kind: str) -> None:
    record = {"text": "Grüße, ĊĀ𝄞"}
    written = {"file": "Grüße, ĊĀ𝄞\n", "line": "Grüße, ĊĀ𝄞\n", "csv": 'text\n"Grüße, ĊĀ𝄞"\n'}
    written |= {"jsonl": json.dumps(record, ensure_ascii=False), "json": json.dumps([record], ensure_ascii=False)}
    for name, data in (
        ("a", written[kind].encode(encoding)),
        ("b.gz", gzip.compress(written[kind].encode(encoding))),
    ):
        (tmp_path / name).write_bytes(data)
        assert texts(settings(tmp_path / name, documents=kind)) == ["Grüße, ĊĀ𝄞\n"]
        assert texts(settings(tmp_path / name, documents=kind, encoding="latin-1")) == ["Grüße, ĊĀ𝄞\n"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "UTF-16BE", "latin-1", "cp1252", "gb18030"])
def test_the_encoding_is_what_the_settings_say(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a").write_bytes("Grüße\nzwei\n".encode(encoding))
    assert texts(settings(tmp_path / "a", encoding=encoding)) == ["Grüße\nzwei\n"]
    assert texts(settings(tmp_path / "a", encoding=encoding, documents="line")) == ["Grüße\n", "zwei\n"]


def test_what_is_none_of_its_encoding_is_told_in_any(tmp_path: Path) -> None:
    half = "ab".encode("utf-16-le") + b"\0\xd8" + "c".encode("utf-16-le") + b"x"
    (tmp_path / "a").write_bytes(half)
    text = settings(tmp_path / "a", encoding="utf-16-le")
    with pytest.raises(UsageError, match=r"a is not UTF-16-LE \(after 2 characters\): set task\.not_utf8"):
        cleaned(documents(text)[0], text)
    replaced = cleaned(documents(text)[0], text.model_copy(update={"not_utf8": "replace"}))
    assert isinstance(replaced, Document)
    assert set(replaced.text) == set("abc�")
    for encoding in ("utf-16-le", "utf-16-be"):
        (tmp_path / "a").write_bytes("plain words".encode(encoding))
        with pytest.raises(
            UsageError, match=rf'is binary .*perhaps it is {encoding}: set task\.encoding = "{encoding}"'
        ):
            cleaned(documents(settings(tmp_path / "a"))[0], settings(tmp_path / "a"))
