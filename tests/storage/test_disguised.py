"""An archive or a compressed file under another name is told as what it is, and never read as a text."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import UsageError
from tests.storage.reading import found, settings, texts
from tests.storage.test_archives import tar_of, zip_of, zstd

TAR, ZIP = tar_of({"a.txt": "a\n"}), zip_of({"a.txt": "a\n"})
TOLD = [
    ("tar.gz", gzip.compress(TAR), "tar.gz holds what is a tar archive", "let its name end in .tar.gz"),
    ("src", TAR, "src is a tar archive", "let its name end in .tar, or"),
    ("src.gz", gzip.compress(ZIP), "src.gz holds what is a zip archive", "let its name end in .zip.gz"),
    ("x.txt", ZIP, "x.txt is a zip archive, as .docx and .xlsx are too,", "let its name end in .zip, or"),
    ("x.txt", zip_of({}), "x.txt is an empty zip archive", "let its name end in .zip, or"),
    (
        "x.gz.gz",
        gzip.compress(gzip.compress(b"a\n")),
        "x.gz.gz holds what is compressed as .gz files",
        "unpack it",
    ),
    ("x.txt.xz", lzma.compress(zstd(b"a\n")), "x.txt.xz holds what is compressed as .zst files are", "unpack it"),
    ("x", gzip.compress(b"a\n"), "x is compressed as .gz files are", "let its name end in .gz, or exclude it"),
    ("x.txt", bz2.compress(b"a\n"), "x.txt is compressed as .bz2 files are", "let its name end in .bz2, or"),
    ("x.txt", b"Rar!\x1a\x07\1\0", "x.txt is a rar archive", "unpack it, or exclude it"),
]


# Numbers as ids: gzip and zip note the time, and every process of the tests has to find the same names.
@pytest.mark.parametrize(("name", "data", "what", "advice"), TOLD, ids=range(len(TOLD)))
@pytest.mark.parametrize("place", [lambda file: file, lambda file: file.parent], ids=["named", "folder"])
def test_it_is_told_as_what_it_is(
    tmp_path: Path, name: str, data: bytes, what: str, advice: str, place: Callable[[Path], Path]
) -> None:
    (tmp_path / name).write_bytes(data)
    for others in ({}, {"not_utf8": "replace"}, {"encoding": "latin-1"}, {"documents": "line"}):
        with pytest.raises(UsageError) as error:
            found(settings(place(tmp_path / name), **others))
        assert str(error.value).startswith(what)
        assert advice in str(error.value)
    skipping = settings(place(tmp_path / name), not_utf8="skip")
    assert found(skipping) == ["compressed or an archive under another name"]


def test_the_advice_can_be_followed(tmp_path: Path) -> None:
    for name, data in (
        ("x.tar.gz", gzip.compress(TAR)),
        ("x.zip.gz", gzip.compress(ZIP)),
        ("x.bz2", bz2.compress(b"a\n")),
    ):
        (tmp_path / name).write_bytes(data)
        assert texts(settings(tmp_path / name)) == ["a\n"]


def test_a_member_is_told_too_and_what_only_begins_like_one_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "src.zip").write_bytes(zip_of({"x.txt": gzip.compress(b"a\n")}))
    with pytest.raises(UsageError, match=r"src\.zip/x\.txt is compressed as \.gz files are"):
        found(settings(tmp_path / "src.zip"))
    for text in ("BZh91AY&SY begins a file of bzip2\n", "PK\n", "7z\n", f"{'x' * 257}ustar\n", "Rar!\n"):
        (tmp_path / "a.txt").write_text(text)
        assert texts(settings(tmp_path / "a.txt")) == [text]
