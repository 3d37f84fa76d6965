import gzip
import io
import json
import os
import socket
import tarfile
import zipfile
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.storage.folder import Folder
from pipeline.storage.sources import find_sources
from schemas.errors import StorageError, StorageUnavailableError, UsageError
from schemas.task_settings import TextSettings
from tests.storage.reading import documents, left_out, settings, texts


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text("print(2)\n")
    (tmp_path / "a.py").write_text("print('é')\n")
    (tmp_path / "notes.txt").write_text("no\n")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "folder.py" / "c.py").write_text("c\n")
    return tmp_path


def names(text: TextSettings) -> list[str]:
    return [Path(document.name).name for document in documents(text)]


def test_files_come_in_the_order_of_their_names_and_once(files: Path) -> None:
    assert names(settings(files / "*.py")) == ["a.py", "b.py"]
    assert names(settings(files / "b.py", files / "*.py")) == ["b.py", "a.py"]
    assert names(settings(files / "*", include=["*.txt"])) == ["notes.txt"]
    assert names(settings(files / "*", exclude=["a.*", "*.txt"])) == ["b.py"]
    assert names(settings(files / "notes.txt", include=["*.py"])) == ["notes.txt"]


def test_names_do_not_tell_where_the_files_lie(files: Path) -> None:
    assert [document.name for document in documents(settings(files))][2:] == ["folder.py/c.py", "notes.txt"]
    two = documents(settings(files / "a.py", files / "folder.py" / "*.py"))
    assert [document.name for document in two] == ["a.py", "folder.py/c.py"]
    assert [document.name for document in documents(settings(files / "a.py"))] == ["a.py"]


def test_a_folder_is_all_that_it_holds(files: Path) -> None:
    assert names(settings(files)) == ["a.py", "b.py", "c.py", "notes.txt"]
    assert names(settings(files, exclude=["*/folder.py/*", "*.txt"])) == ["a.py", "b.py"]


def test_masks_are_held_against_what_lies_below_a_pattern(files: Path) -> None:
    """Not against where a corpus lies: a tree below a folder named test is no test."""
    masks = [f"*/{files.name}/*"]
    assert names(settings(files, exclude=masks)) == names(settings(files))
    assert names(settings(files / "*.py", exclude=masks)) == ["a.py", "b.py"]


def test_archives_are_opened_where_their_pattern_says_so(files: Path) -> None:
    with zipfile.ZipFile(files / "src.zip", "w") as archive:
        for name, text in (("z/B.java", "b\n"), ("a/A.java", "a\n"), ("a/notes.txt", "n\n")):
            archive.writestr(name, text)
    with tarfile.open(files / "src.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("src/C.java")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"c\n"))
    both = settings(files / "src.zip", files / "*.tar.gz", include=["*.java"])
    assert [(d.name, d.text) for d in documents(both)] == [
        ("src.zip/a/A.java", "a\n"),
        ("src.zip/z/B.java", "b\n"),
        ("src.tar.gz/src/C.java", "c\n"),
    ]
    assert names(settings(files, include=["*.java"])) == []
    (files / "broken.zip").write_bytes(b"PK no zip")
    with pytest.raises(StorageError, match=r"cannot read .*broken\.zip: File is not a zip file"):
        documents(settings(files / "broken.zip"))


def test_a_compressed_file_is_read_as_what_it_holds(files: Path) -> None:
    (files / "d.py.gz").write_bytes(gzip.compress(b"packed\n"))
    assert texts(settings(files / "d.*", include=["*.py"])) == ["packed\n"]


def test_each_line_is_a_document_with_one_newline(files: Path) -> None:
    (files / "lines.txt").write_bytes(b"one\n\ntwo\r\n  \nthree")
    found = settings(files / "lines.txt", documents="line")
    assert texts(found) == ["one\n", "two\n", "three\n"]
    assert names(found) == ["lines.txt:1", "lines.txt:3", "lines.txt:5"]


def test_rows_of_json_and_csv_give_their_column(files: Path) -> None:
    rows = [{"id": 1, "tweet": 'a "b"'}, {"id": 2, "tweet": "c\nd"}]
    (files / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (files / "rows.csv").write_text('id,tweet\n1,"a ""b"""\n2,"c\nd"\n')
    (files / "rows.tsv").write_text("id\ttweet\n1\ta, b\n")
    expected = ['a "b"\n', "c\nd\n"]
    assert texts(settings(files / "rows.jsonl", documents="jsonl", column="tweet")) == expected
    assert texts(settings(files / "rows.csv", documents="csv", column="tweet")) == expected
    assert texts(settings(files / "rows.tsv", documents="csv", column="tweet")) == ["a, b\n"]
    with pytest.raises(UsageError, match=r"rows\.csv has no column 'text', only 'id', 'tweet': set task\.column"):
        documents(settings(files / "rows.csv", documents="csv"))
    with pytest.raises(UsageError, match=r"rows\.jsonl:1 has a number under 'id', not text"):
        documents(settings(files / "rows.jsonl", documents="jsonl", column="id"))
    with pytest.raises(UsageError, match=r"rows\.csv:1 is not JSON"):
        documents(settings(files / "rows.csv", documents="jsonl"))


def test_bytes_that_are_no_text_reach_the_cleaning_out_of_json_too(files: Path) -> None:
    (files / "rows.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "caf\xe9"}\n')
    assert texts(settings(files / "rows.jsonl", documents="jsonl")) == ["caf\udce9\n"]


def test_damaged_files_are_told(files: Path) -> None:
    data = bytearray(gzip.compress(b"some words\n" * 1000))
    data[20:40] = b"x" * 20
    (files / "d.txt.gz").write_bytes(data)
    (files / "d.txt.xz").write_bytes(b"no xz")
    for name in ("d.txt.gz", "d.txt.xz"):
        with pytest.raises(StorageError, match=rf"cannot read .*{name}: "):
            documents(settings(files / name))


def test_brackets_in_a_name_are_no_pattern_when_it_is_there(files: Path) -> None:
    (files / "[a] b.txt").write_text("b\n")
    assert texts(settings(files / "[a] b.txt")) == ["b\n"]
    (files / "e.txt.gz").write_bytes(gzip.compress(b"e\n"))
    assert texts(settings(files, include=["*.txt.gz"])) == ["e\n"]


def test_a_document_may_be_no_larger_than_the_settings_say(files: Path) -> None:
    (files / "long.txt").write_text("x" * 50 + "\nshort\n")
    with pytest.raises(UsageError, match=r"long\.txt is larger than task\.maximum_document = 20 bytes"):
        documents(settings(files / "long.txt", maximum_document=20))
    with pytest.raises(UsageError, match=r"long\.txt:1 is larger than"):
        documents(settings(files / "long.txt", maximum_document=20, documents="line"))


def test_texts_on_s3_are_reached_as_lakes_are(s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By our own variables too: AWS's may be those of another store."""
    folder = Folder(s3_root)
    folder.create("texts/a.py", b"a\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("deep/b.py", "b\n")
    folder.create("src.zip", archive.getvalue())
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("UNROLLED_S3_ENDPOINT", endpoint)
    found = settings(f"{s3_root}/texts/**", f"{s3_root}/src.zip", include=["*.py"])
    assert texts(found) == ["a\n", "b\n"]
    assert documents(found)[1].name == "src.zip/deep/b.py"
    monkeypatch.setenv("UNROLLED_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("UNROLLED_S3_TIMEOUT", "1")
    with pytest.raises(StorageUnavailableError, match=r"cannot list s3://.+: the store does not answer"):
        documents(found)


def test_any_uri_that_fsspec_knows(files: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/corpus/x.py", b"x = 1\n")
    assert texts(settings("memory://corpus/*.py")) == ["x = 1\n"]
    with pytest.raises(UsageError, match="no path or URI"):
        documents(settings("gopher://corpus/*.py"))
    with pytest.raises(UsageError, match=r"task\.files: there is no .*none\.py"):
        documents(settings(files / "none.py"))


def test_names_are_taken_as_they_are(files: Path) -> None:
    """With what fsspec takes for a chain of file systems, brackets, and bytes that are not UTF-8."""
    (files / "man").mkdir()
    odd = [b"File::Spec.3pm", b"a:b::c", b"caf\xe9.txt", b"[x]*?.txt", b"line\nend.txt", b"simplecache::s3"]
    for number, name in enumerate(odd):
        Path(os.fsdecode(bytes(files / "man") + b"/" + name)).write_text(f"{number}\n")
    found = documents(settings(files / "man"))
    assert sorted(document.text for document in found) == [f"{n}\n" for n in range(6)]
    assert "caf\\xe9.txt" in {document.name for document in found}
    assert texts(settings(files / "man" / "File::Spec.3pm")) == ["0\n"]
    assert texts(settings(files / "man" / "*::*.3pm")) == ["0\n"]
    assert texts(settings(f"file://{files}/man/a:b::c")) == ["1\n"]
    fsspec.filesystem("memory").pipe("/man/File::Spec.3pm", b"there\n")
    assert texts(settings("memory://man")) == ["there\n"]


def test_what_is_no_regular_file_is_left_out_and_told(files: Path) -> None:
    """Never opened: a pipe would be waited for without end."""
    os.mkfifo(files / "pipe")
    socket.socket(socket.AF_UNIX).bind(str(files / "s"))
    (files / ".#a.py").symlink_to("ann@host.1234:5678")
    (files / "round").symlink_to("round")
    expected = ["a.py", "b.py", "c.py", "notes.txt"]
    for pattern in (files, files / "**"):
        assert names(settings(pattern)) == expected
        told = sorted(left_out(settings(pattern)))
        assert told == ["linked to nowhere", "linked to nowhere", "not a regular file", "not a regular file"]
    assert left_out(settings(files / "*.py")) == ["linked to nowhere"]
    assert left_out(settings(files, include=["*.txt"])) == []
    with pytest.raises(UsageError, match=r"task\.files: .*pipe is not a regular file"):
        documents(settings(files / "pipe"))
    with pytest.raises(UsageError, match=r"task\.files: .*#a\.py is linked to nowhere"):
        documents(settings(files / ".#a.py"))
    with pytest.raises(UsageError, match=r"/dev/null is not a regular file"):
        documents(settings("/dev/null"))


def test_links_are_followed_to_files_once_and_to_folders_never(files: Path) -> None:
    (files / "self").symlink_to(".")
    (files / "folder.py" / "up").symlink_to("../folder.py")
    (files / "0.py").symlink_to("b.py")
    (files / "far.txt").symlink_to(files / "far")
    (files / "far2.txt").symlink_to(files / "far.txt")
    (files / "far").write_text("far\n")
    found = settings(files, exclude=["far"], duplicates="keep")
    assert names(found) == ["a.py", "b.py", "far.txt", "c.py", "notes.txt"]
    told = ["linked to a file that is read"] * 2 + ["linked to a folder"] * 2
    assert sorted(left_out(found)) == told
    assert names(settings(files / "self" / "*.txt", exclude=["far*"])) == ["notes.txt"]
    assert names(settings(files / "0.py")) == ["0.py"]
    assert "linked to a folder" in left_out(settings(files, include=["*.md"]))  # for it may hold some
    assert left_out(settings(files, include=["*.md"], exclude=["self", "up"])) == []


def test_what_is_left_out_moves_no_source(files: Path) -> None:
    """Where a document lies is a part of the run's id; a lock that comes and goes is not."""
    before = find_sources(settings(files))
    (files / ".#a.py").symlink_to("ann@host.1234:5678")
    os.mkfifo(files / "a.pipe")
    assert find_sources(settings(files))[: len(before)] == before


def test_a_glob_goes_no_deeper_than_it_says(files: Path) -> None:
    assert names(settings(files / "*" / "*.py")) == ["c.py"]
    assert names(settings(files / "**" / "*.py")) == ["a.py", "b.py", "c.py"]
    assert names(settings(files / "folder.p[xyz]" / "?.py")) == ["c.py"]
    assert names(settings(files / "f*")) == []
    with pytest.raises(UsageError, match=r"there is no .*nowhere/a\.py"):
        documents(settings(files / "nowhere" / "a.py"))


class Shut(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A store with a folder that may not be listed."""

    protocol = "shut"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("shut://", "memory://")))

    def ls(self, path: str, detail: bool = True, **more: object) -> list[object]:  # fsspec's
        if path.rstrip("/").endswith("/private"):
            raise PermissionError("not yours")
        found: list[object] = super().ls(path, detail=detail, **more)
        return found


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("shut://books", "refused"),
        ("shut://books/**/*.txt", "refused"),
        ("shut://books/*/*.txt", "refused"),
        ("shut://books/private/*.txt", "refused"),
        ("shut://books/*.txt", ["a\n"]),
        ("shut://books/open", ["b\n", "c\n"]),
        ("shut://books/open/*.txt", ["b\n"]),
        ("shut://nowhere/*.txt", []),
    ],
)
def test_a_remote_folder_that_cannot_be_listed_is_refused(pattern: str, told: str | list[str]) -> None:
    """In a store, too, fsspec leaves it out without a word."""
    fsspec.register_implementation("shut", Shut, clobber=True)
    for path, text in {"a": "a\n", "open/b": "b\n", "open/deep/c": "c\n", "private/d": "d\n"}.items():
        Shut().pipe_file(f"/books/{path}.txt", text.encode())
    if told == "refused":
        with pytest.raises(StorageError, match=r"cannot list shut://books.*: access is denied"):
            documents(settings(pattern))
    else:
        assert texts(settings(pattern)) == told


def test_a_folder_that_cannot_be_listed_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that lies in a folder; os.walk and fsspec leave it out without a word."""
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("folder.py"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for pattern in (files, files / "**" / "*.py", files / "*" / "*.py"):
        with pytest.raises(StorageError, match=r"cannot list .*/folder\.py/: access is denied"):
            documents(settings(pattern))
    assert names(settings(files / "*.py")) == ["a.py", "b.py"]
    assert names(settings(files, exclude=["*/folder.py/*"])) == ["a.py", "b.py", "notes.txt"]


def test_python_itself_is_at_hand() -> None:
    assert "this.py" in names(settings("{stdlib}/t*.py"))
