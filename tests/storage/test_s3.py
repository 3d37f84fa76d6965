"""What S3 asks for beyond the folder's contract: large objects, lost answers, errors in words, no secret told."""

import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.storage import s3
from pipeline.storage.folder import Folder
from pipeline.storage.probe import check_writable
from pipeline.storage.s3 import PART, S3Connection, s3_options
from schemas.errors import StorageError, StorageUnavailableError, UsageError
from tests.conftest import REPOSITORY
from tests.ports import free_port
from tests.s3 import BUCKET, KEYS, s3_environment

LARGE = bytes(range(256)) * (2 * PART // 256 + 1000)  # two whole parts and the beginning of a third


@pytest.fixture(params=["moto", "localbucket"])
def folder(request: pytest.FixtureRequest, s3_root: str, monkeypatch: pytest.MonkeyPatch) -> Folder:
    if request.param == "localbucket":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("localbucket"))
        with s3_environment(os.environ["AWS_ENDPOINT_URL"]):
            return Folder(s3_root)
    return Folder(s3_root)


def write(folder: Folder, path: str, data: bytes, piece: int = 10_000_000) -> bool:
    pending = folder.begin(path)
    for start in range(0, len(data), piece):
        pending.write(data[start : start + piece])
    won = pending.commit()
    pending.discard()
    return won


def test_a_large_object_goes_in_parts_and_appears_whole(folder: Folder) -> None:
    pending = folder.begin("large")
    pending.write(LARGE[: PART + 5])
    assert folder.list() == []
    assert [leftover.path for leftover in folder.leftovers(0.0)] in ([], ["large"])  # not every store can say
    pending.write(LARGE[PART + 5 :])
    assert pending.commit()
    pending.discard()
    assert folder.read("large") == LARGE
    assert folder.sizes() == {"large": len(LARGE)}
    parts = folder.read_parts({"large": (PART - 3, PART + 3)})
    assert parts == {"large": LARGE[PART - 3 : PART + 3]}


def test_a_prefix_is_no_object_when_its_first_one_appears_while_it_is_listed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s3fs looks a second time when it has found nothing, and then finds a folder."""
    folder.create("metrics/part", b"")
    kind = type(folder._files)
    nothing: Iterator[list[Any]] = iter([[]])
    listed = kind._lsdir

    async def listed_too_early(files: Any, *arguments: Any, **more: Any) -> Any:
        for found in nothing:
            return found
        return await listed(files, *arguments, **more)

    monkeypatch.setattr(kind, "_lsdir", listed_too_early)
    assert folder.list("metrics") == []
    assert folder.list("metrics") == ["metrics/part"]


def test_a_large_object_that_comes_second_leaves_nothing(folder: Folder) -> None:
    assert folder.create("large", b"first")
    assert not write(folder, "large", LARGE)
    assert folder.read("large") == b"first"
    assert list(folder.leftovers(0.0)) == []


def test_an_upload_of_a_killed_writer_is_found_and_removed(s3_root: str) -> None:
    folder = Folder(s3_root)
    folder.begin("a/b").write(LARGE)
    folder.begin("a/c").write(LARGE)
    assert folder.leftovers(1e12) == ()
    found = folder.leftovers(0.0)
    assert [leftover.path for leftover in found] == ["a/b", "a/c"]
    for leftover in (*found, *found):
        folder.discard(leftover)
    assert folder.leftovers(0.0) == ()
    assert folder.list() == []


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one request", "parts"])
def test_an_answer_that_is_lost_is_not_taken_for_another_writer(
    s3_root: str, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """The store takes the object, the answer goes astray, and the client's own second try is refused."""
    folder = Folder(s3_root)
    finish: Callable[[Any], None] = s3.Upload._finish

    def twice(self: s3.Upload) -> None:
        data, upload, parts = bytes(self._data), self._upload, list(self._parts)
        finish(self)
        self._data, self._upload, self._parts = bytearray(data), upload, parts
        finish(self)

    monkeypatch.setattr(s3.Upload, "_finish", twice)
    assert write(folder, "object", data)
    assert folder.read("object") == data
    assert folder.leftovers(0.0) == ()


def test_settings_come_from_our_variables_first(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"AWS_ENDPOINT_URL": "http://aws", "AWS_REGION": "eu-west-1", "UNROLLED_S3_TIMEOUT": "3"}
    assert s3_options(told)["endpoint_url"] == "http://aws"
    assert s3_options({**told, "AWS_ENDPOINT_URL_S3": "http://s3"})["endpoint_url"] == "http://s3"
    assert s3_options({**told, "UNROLLED_S3_ENDPOINT": "http://ours"})["endpoint_url"] == "http://ours"
    assert s3_options({})["endpoint_url"] is None
    assert s3_options(told)["client_kwargs"] == {"region_name": "eu-west-1"}
    config = s3_options(told)["config_kwargs"]
    assert isinstance(config, dict)
    assert (config["read_timeout"], config["connect_timeout"]) == (3.0, 3.0)
    with pytest.raises(UsageError, match="UNROLLED_S3_ADDRESSING is 'p': path or virtual"):
        s3_options({"UNROLLED_S3_ADDRESSING": "p"})
    with pytest.raises(UsageError, match="UNROLLED_S3_TIMEOUT is 'soon': a number of seconds"):
        s3_options({"UNROLLED_S3_TIMEOUT": "soon"})


def test_credentials_of_our_own_variables_reach_the_store(
    s3_server: str, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name, value in (
        ("ENDPOINT", s3_server),
        ("REGION", "eu-west-1"),
        ("ACCESS_KEY_ID", "ours"),
        ("SECRET_ACCESS_KEY", "hidden"),
    ):
        monkeypatch.setenv(f"UNROLLED_S3_{name}", value)
    folder = Folder(s3_root)
    assert folder.create("a", b"1")
    assert folder.s3
    told = folder.s3.connection()
    assert told == S3Connection(s3_server, "eu-west-1", "ours", "hidden", None, path_style=True)
    assert "hidden" not in repr(told)


@pytest.mark.slow
def test_what_is_wrong_is_said_in_one_line_without_secrets(s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"the root s3://no-such/lake cannot be written: there is no such bucket"):
        check_writable(Folder("s3://no-such/lake"))
    with pytest.raises(StorageError, match=r"s3://\S*/no/such is missing"):
        Folder(s3_root).read("no/such")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    away = Folder(s3_root)
    for attempt in (
        lambda: away.read("a"),
        away.list,
        lambda: away.create("a", b""),
        lambda: away.read_many(["a", "b"]),
    ):
        with pytest.raises(StorageUnavailableError, match="the store does not answer as it should") as caught:
            attempt()
        told = "".join(traceback.format_exception(caught.value))
        assert len(str(caught.value).splitlines()) == 1
        assert not any(secret in told for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_ACCESS_KEY_ID"]))


def test_a_store_that_takes_calls_and_says_nothing(s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write too ends, though its client waits without limit to be told to send the body."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        silent = Folder(s3_root, seconds=0.3)
        for attempt in (
            lambda: silent.read("a"),
            lambda: silent.create("a", b"small"),
            lambda: silent.create("a", LARGE),
            lambda: silent.remove_all(["a", "b"]),
        ):
            with pytest.raises(StorageUnavailableError, match="the store does not answer as it should"):
                attempt()


def test_without_credentials_it_says_what_to_set(s3_server: str) -> None:
    """In a process of its own, where no place that AWS knows has any."""
    script = (
        "from pipeline.storage.folder import Folder\n"
        f"try:\n    Folder('s3://{BUCKET}/x').read('a')\nexcept Exception as error:\n    print(repr(error))"
    )
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    more = {"AWS_ENDPOINT_URL": s3_server, "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**surroundings, **more},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "StorageError" in done.stdout
    assert "no credentials (Unable to locate credentials); set AWS_ACCESS_KEY_ID and" in done.stdout


def test_a_store_that_ignores_create_only_is_refused(s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = s3.Upload._call

    def careless(self: s3.Upload, method: str, **arguments: object) -> dict[str, object]:
        arguments.pop("IfNoneMatch", None)
        return call(self, method, **arguments)

    monkeypatch.setattr(s3.Upload, "_call", careless)
    with pytest.raises(UsageError, match="overwrites an object that it was asked to create"):
        check_writable(Folder(s3_root))


@pytest.mark.parametrize("root", ["sftp://host/lake", "ftp://host/lake", "http://host/lake", "zip://a.zip"])
def test_a_store_without_create_only_writes_is_refused_with_a_sentence(root: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the root .* (cannot hold a lake: .*create-only|is no folder or URI)"):
        Folder(root)
