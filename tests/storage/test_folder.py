"""One contract for every kind of folder."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.storage.folder import Folder
from pipeline.storage.probe import check_writable
from schemas.errors import StorageError, UsageError
from tests.nobody import as_nobody
from tests.s3 import BUCKET, s3_environment


class FolderContract:
    """What the lake relies on."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        raise NotImplementedError

    def test_what_is_created_can_be_read_listed_and_removed(self, folder: Folder) -> None:
        assert folder.list() == []
        assert folder.create("a/b/one", b"1")
        assert folder.create("a/two", b"22")
        assert folder.read("a/b/one") == b"1"
        assert folder.list("a") == ["a/b/one", "a/two"]
        assert folder.list("a/b") == ["a/b/one"]
        assert folder.list("nothing") == []
        assert folder.exists("a/two")
        with folder.open("a/two") as file:
            assert file.read() == b"22"
        folder.remove("a/b")
        folder.remove("a/b")
        assert folder.list("a") == ["a/two"]
        assert not folder.exists("a/b/one")

    @pytest.mark.parametrize(("odd", "beside"), [("lake?", "lake1"), ("la*", "lake"), ("[ab]", "a")])
    def test_a_name_is_no_pattern(self, folder: Folder, odd: str, beside: str) -> None:
        for name in (f"{odd}/x", f"{odd}/y", f"{beside}/x"):
            assert folder.create(name, name.encode())
        assert folder.read_many([f"{odd}/x"]) == {f"{odd}/x": f"{odd}/x".encode()}
        assert set(folder.read_many([f"{odd}/x", f"{odd}/y"])) == {f"{odd}/x", f"{odd}/y"}
        assert folder.list(odd) == [f"{odd}/x", f"{odd}/y"]
        folder.remove(odd)
        assert folder.list() == [f"{beside}/x"]

    def test_a_taken_name_is_left_as_it_was(self, folder: Folder) -> None:
        assert folder.create("name", b"first")
        assert not folder.create("name", b"second")
        assert folder.read("name") == b"first"
        folder.replace("name", b"third")
        assert folder.read("name") == b"third"

    def test_what_is_missing_is_named(self, folder: Folder) -> None:
        with pytest.raises(StorageError, match="no/such is missing"):
            folder.read("no/such")

    def test_a_writable_folder_holds_nothing_but_its_objects(self, folder: Folder) -> None:
        check_writable(folder)
        folder.create("only", b"")
        assert folder.list() == ["only"]


class TestLocal(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        return Folder(str(tmp_path / "lake"))

    def test_of_many_writers_one_wins(self, folder: Folder) -> None:
        for name in range(20):
            with ThreadPoolExecutor(8) as pool:
                won = list(pool.map(lambda k, n=name: folder.create(f"{n}", f"{k}".encode() * 100_000), range(8)))
            assert won.count(True) == 1
            assert folder.read(f"{name}") == f"{won.index(True)}".encode() * 100_000

    def test_a_writer_that_is_killed_leaves_no_name(self, folder: Folder) -> None:
        """kill -9 between the writing and the naming, in a real process."""
        script = (
            "import os, signal; from pipeline.storage.folder import Folder\n"
            "os.link = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"Folder({folder.root!r}).create('steps/part', b'half')"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False)
        assert done.returncode == -9
        assert folder.list("steps") == []
        assert len(folder.list("_meta/tmp")) == 1
        os.utime(folder.address(folder.list("_meta/tmp")[0]), (0, 0))
        check_writable(folder)
        assert folder.list() == [], "a leftover older than a day goes"

    def test_a_root_that_cannot_be_written_is_an_error_of_use(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match=r"cannot be written: Not a directory; choose another --root"):
            check_writable(Folder(str(tmp_path / "file" / "lake")))


class TestMemory(FolderContract):
    """A file system that is not local disk: no code may assume paths."""

    @pytest.fixture
    def folder(self) -> Folder:
        return Folder(f"memory://{uuid.uuid4().hex}")


class TestS3(FolderContract):
    """Moto."""

    @pytest.fixture
    def folder(self, s3_root: str) -> Folder:
        return Folder(s3_root)


class TestLocalBucket(FolderContract):
    """An S3 of another make."""

    @pytest.fixture
    def folder(self, localbucket: str) -> Iterator[Folder]:
        with s3_environment(localbucket):
            yield Folder(f"s3://{BUCKET}/{uuid.uuid4().hex}")


@pytest.mark.parametrize("shut", ["lake", "lake/a", "lake/a/b"])
def test_a_listing_is_whole_or_an_error(shut: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        folder = Folder(f"{home}/lake")
        folder.create("a/b/deep", b"1")
        folder.create("c", b"2")
        place = Path(home, shut)
        place.chmod(0o000)
        with as_nobody():
            for look in (folder.list, folder.sizes, folder.versions):
                with pytest.raises(StorageError, match=r"cannot list \S*/lake/: access is denied"):
                    look()
            with pytest.raises(StorageError, match="access is denied"):
                folder.remove("a")
        place.chmod(0o755)
        assert folder.list() == ["a/b/deep", "c"]


def test_links_are_followed_and_those_to_nothing_left_out(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "one").write_bytes(b"11")
    folder = Folder(str(tmp_path / "lake"))
    folder.create("a/two", b"2")
    (tmp_path / "lake" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "lake" / "a" / "lost").symlink_to(tmp_path / "nowhere")
    assert folder.sizes() == {"a/two": 1, "linked/one": 2}
    assert folder.list("a/two") == ["a/two"]


def test_an_unknown_scheme_is_an_error_of_use() -> None:
    with pytest.raises(UsageError, match="is no folder or URI"):
        Folder("gopher://lake")
