from pathlib import Path

import fsspec
import pytest

from pipeline.storage.documents import digest_documents, read_documents
from schemas.errors import UsageError
from schemas.task_settings import TextSettings


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text("print(2)\n")
    (tmp_path / "a.py").write_text("print('é')\n")
    (tmp_path / "notes.txt").write_text("no\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "folder.py").mkdir()
    return tmp_path


def settings(*patterns: object, **others: object) -> TextSettings:
    return TextSettings.model_validate({"name": "text", "files": [str(p) for p in patterns], **others})


def names(found: TextSettings) -> list[str]:
    return [Path(document.name).name for document in read_documents(found)]


def test_files_come_in_the_order_of_their_names(files: Path) -> None:
    assert names(settings(files / "*.py")) == ["a.py", "b.py"]
    assert names(settings(files / "*", include=["*.txt"])) == ["notes.txt"]
    assert names(settings(files / "*", exclude=["a.*", "*.txt"])) == ["b.py"]


def test_the_size_cap_stops_before_the_file_that_would_pass_it(files: Path) -> None:
    assert names(settings(files / "*.py", maximum_bytes=15)) == ["a.py"]


def test_a_file_that_is_not_utf8_is_named_replaced_or_skipped(files: Path) -> None:
    (files / "c.py").write_bytes(b"ok \xff\n")
    with pytest.raises(
        UsageError, match=r'c\.py is not UTF-8 \(byte 3\): set task\.not_utf8 = "replace" or "skip"'
    ):
        read_documents(settings(files / "*.py"))
    assert names(settings(files / "*.py", not_utf8="skip")) == ["a.py", "b.py"]
    assert read_documents(settings(files / "*.py", not_utf8="replace"))[-1].text == "ok �\n"


def test_other_characters_than_ascii_are_kept_replaced_or_skipped(files: Path) -> None:
    assert read_documents(settings(files / "a.py"))[0].text == "print('é')\n"
    assert read_documents(settings(files / "a.py", not_ascii="replace"))[0].text == "print('�')\n"
    assert names(settings(files / "*.py", not_ascii="skip")) == ["b.py"]


def test_any_uri_that_fsspec_knows(files: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/corpus/x.py", b"x = 1\n")
    assert [d.text for d in read_documents(settings("memory://corpus/*.py"))] == ["x = 1\n"]
    with pytest.raises(UsageError, match="no path or URI"):
        read_documents(settings("gopher://corpus/*.py"))


def test_the_digest_is_of_the_texts_wherever_they_lie(files: Path, tmp_path: Path) -> None:
    here = digest_documents(read_documents(settings(files / "*.py")))
    (files / "moved").mkdir()
    for name in ("a.py", "b.py"):
        (files / "moved" / name).write_text((files / name).read_text())
    assert digest_documents(read_documents(settings(files / "moved/*.py"))) == here
    (files / "moved" / "b.py").write_text("print(3)\n")
    assert digest_documents(read_documents(settings(files / "moved/*.py"))) != here


def test_python_itself_is_at_hand() -> None:
    assert "this.py" in names(settings("{stdlib}/t*.py"))
