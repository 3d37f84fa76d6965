"""`unrolled doctor`: one line for each thing, exit code 0 or 5, no secret, no trace, and an end."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import grpc
import pytest

from jobs.__main__ import main
from jobs.doctor import machine
from jobs.doctor import root as root_checks
from jobs.doctor.finding import Finding, examine, within
from pipeline.storage import s3
from pipeline.storage.folder import Folder
from schemas.errors import UsageError
from tests.jobs.head import ray_head
from tests.nobody import as_nobody
from tests.ports import free_port
from tests.s3 import BUCKET, KEYS

GOOD = ["python", "libraries", "root", "create-only", "cache disk", "temporary", "duckdb", "ray", "torch"]


class Doctor:
    """Types the command; gives its findings by name."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, root: Path | str, code: int = 0) -> dict[str, Finding]:
        assert main(["doctor", "--root", str(root), "--json"]) == code
        out, err = self._capsys.readouterr()
        found = {row["name"]: Finding(**row) for row in json.loads(out)}
        failed = [name for name, finding in found.items() if finding.state == "fail"]
        assert bool(failed) == bool(code)
        assert err == (
            f"unrolled: {len(failed)} of {len(found)} checks failed: {', '.join(failed)}\n" if code else ""
        )
        for finding in found.values():
            assert len(finding.line.splitlines()) == 1
            assert bool(finding.remedy) == (finding.state != "ok"), finding
        for secret in (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]):
            assert not any(secret[start : start + 6] in out + err for start in range(len(secret) - 5))
        return found


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(capsys)


def tree(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*")))


def test_a_folder_that_is_not_there_is_fine_and_stays_away(doctor: Doctor, tmp_path: Path) -> None:
    found = doctor(tmp_path / "some" / "lake")
    assert list(found) == [*GOOD[:4], "root disk", *GOOD[4:]]
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "holds no lake yet; written in" in found["root"].text
    assert version("torch") in found["libraries"].text
    assert version("duckdb") in found["duckdb"].text
    assert "a run starts its own" in found["ray"].text
    assert "CUDA: " in found["torch"].text
    assert tree(tmp_path) == []


def test_the_lines_are_told_as_they_are_found(capsys: pytest.CaptureFixture[str], tiny_lake: Any) -> None:
    before = tree(Path(tiny_lake.root))
    assert main(["doctor", "--root", tiny_lake.root]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4].strip() for line in lines] == ["ok"] * 10
    assert lines[2].startswith(f"ok    root         {tiny_lake.root} holds a lake; written in ")
    assert tree(Path(tiny_lake.root)) == before


@pytest.mark.parametrize("make", ["moto", "localbucket"])
def test_a_root_on_s3(
    doctor: Doctor, s3_root: str, make: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if make == "localbucket":
        address = request.getfixturevalue("localbucket")
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}-doctor", method="PUT")).close()
        s3_root = f"s3://{BUCKET}-doctor/lake"
    found = doctor(s3_root)
    assert list(found) == [*GOOD[:2], "credentials", *GOOD[2:]]
    assert found["credentials"].text == "found in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    assert f"{s3_root} at http://127.0.0.1:" in found["root"].text
    assert Folder(s3_root).list() == []


def test_a_root_in_memory(doctor: Doctor) -> None:
    assert list(doctor("memory://doctor")) == GOOD


def test_credentials_of_a_file_and_of_our_own_variables(
    doctor: Doctor, s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")  # with other settings s3fs makes another client, and looks again
    file = tmp_path / "credentials"
    file.write_text("[other]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in KEYS.items()))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert doctor(s3_root)["credentials"].text == "found in the shared credentials file"
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    found = doctor(s3_root, code=5)
    assert "none-such" in found["credentials"].text
    assert "root" not in found, "one cause, one line"
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("UNROLLED_S3_ACCESS_KEY_ID", "ours")
    monkeypatch.setenv("UNROLLED_S3_SECRET_ACCESS_KEY", KEYS["AWS_SECRET_ACCESS_KEY"])
    assert doctor(s3_root)["credentials"].text.startswith("found in UNROLLED_S3_ACCESS_KEY_ID and")


def test_no_credentials(doctor: Doctor, s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Another endpoint is another client: s3fs keeps one, with the credentials that it has found.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    found = doctor(s3_root, code=5)
    assert found["credentials"].text == "none found"
    assert found["credentials"].remedy.startswith("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


@contextmanager
def asking_for_keys(server: str) -> Iterator[None]:
    """The server lets in nobody whose key it does not know."""

    def after(requests: bytes) -> None:
        kind = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset-auth", requests, kind)).close()

    after(b"0")
    try:
        yield
    finally:
        after(b"inf")


def test_wrong_credentials(doctor: Doctor, s3_root: str, s3_server: str) -> None:
    with asking_for_keys(s3_server):
        found = doctor(s3_root, code=5)
    assert found["credentials"].state == "ok"
    assert "cannot be written: access is denied" in found["root"].text
    assert found["root"].remedy == "choose another --root"


def test_a_bucket_that_is_not_there(doctor: Doctor, s3_root: str) -> None:
    found = doctor("s3://no-such-bucket/lake", code=5)["root"]
    assert found.text == "the root s3://no-such-bucket/lake cannot be written: there is no such bucket"
    assert found.remedy == "make it first"


def test_a_store_that_overwrites(doctor: Doctor, s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = s3.Upload._call

    def careless(self: s3.Upload, method: str, **arguments: object) -> dict[str, object]:
        arguments.pop("IfNoneMatch", None)
        return call(self, method, **arguments)

    monkeypatch.setattr(s3.Upload, "_call", careless)
    assert "overwrites an object that it was asked to create" in doctor(s3_root, code=5)["root"].text
    assert Folder(s3_root).list() == []


def test_a_scheme_that_cannot_hold_a_lake(doctor: Doctor) -> None:
    found = doctor("sftp://host/lake", code=5)["root"]
    assert "has no create-only write" in found.text
    assert found.remedy == "use a local folder, s3://, gs:// or abfs://"


def test_a_root_that_is_a_file_or_another_format(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = doctor(tmp_path / "file", code=5)["root"]
    assert found.text.startswith(f"the root {tmp_path}/file cannot hold a lake: ")
    assert found.text.endswith("file is no folder")
    (tmp_path / "lake" / "_meta").mkdir(parents=True)
    (tmp_path / "lake" / "_meta" / "lake.json").write_text('{"format_version": 99}')
    before = tree(tmp_path)
    assert "has format version 99" in doctor(tmp_path / "lake", code=5)["root"].text
    assert tree(tmp_path) == before


def test_a_folder_that_is_read_only() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        with as_nobody():
            (found,) = root_checks.root(f"{name}/lake")
    assert found.state == "fail"
    assert f"the root {name}/lake cannot be written: access is denied ([Errno 13] Permission denied" in found.text
    assert found.remedy == "choose another --root"


def test_an_engine_that_is_not_there(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_DUCKDB_FILES", "ftp")
    assert "UNROLLED_DUCKDB_FILES is 'ftp': auto, httpfs, fsspec" in doctor(tmp_path, code=5)["duckdb"].text


def test_a_full_disk_is_a_warning(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_FREE", 1e30)
    found = doctor(tmp_path)
    for name, remedy in (("root disk", "--root"), ("cache disk", "UNROLLED_CACHE"), ("temporary", "TMPDIR")):
        assert found[name].state == "warn"
        assert remedy in found[name].remedy


def test_a_library_that_is_old_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[str, str] = {"fsspec": "2025.1.0"}

    def told(name: str) -> str:
        if there.get(name) == "":
            raise PackageNotFoundError(name)
        return there.get(name) or version(name)

    monkeypatch.setattr(machine, "version", told)
    (old,) = machine.libraries()
    assert (old.state, old.text) == ("warn", "fsspec>=2026.9 is asked for and 2025.1.0 is there")
    assert old.remedy == "type pip install 'fsspec>=2026.9'"
    there["fsspec"] = ""
    (missing,) = machine.libraries()
    assert (missing.state, missing.text) == ("fail", "fsspec>=2026.9 is asked for and nothing is there")


def test_an_error_of_a_check_is_a_finding() -> None:
    def raises(error: Exception) -> list[Finding]:
        raise error

    assert examine("a", lambda: raises(UsageError("x is wrong; type y")), "z") == [
        Finding("a", "fail", "x is wrong", "type y")
    ]
    assert examine("a", lambda: raises(UsageError("x is wrong")), "z") == [Finding("a", "fail", "x is wrong", "z")]
    assert examine("a", lambda: raises(ImportError("no b\nat all")), "z") == [
        Finding("a", "fail", "ImportError: no b", "z")
    ]


def test_what_hangs_is_left_behind() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert examine("a", lambda: [Finding("a", "ok", str(here.recv(1)))], "z", seconds=0.1) == [
            Finding("a", "fail", "no answer within 0.1 s", "z")
        ]
        there.send(b"1")
        assert within(10, lambda: 1) == 1


@contextmanager
def black_hole() -> Iterator[int]:
    """The port of somebody who takes every call and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("is_open", [True, False], ids=["black hole", "closed port"])
def test_it_ends_when_nobody_answers(is_open: bool) -> None:
    """The store and Ray at once; it takes 10 s (5 for a closed port) on a quiet machine."""
    with black_hole() as port:
        number = port if is_open else free_port()
        environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{number}"}
        environment["RAY_ADDRESS"] = f"127.0.0.1:{number}"
        command = [sys.executable, "-m", "jobs", "doctor", "--root", "s3://bucket/lake", "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=45)
    assert done.returncode == 5, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert "the store does not answer as it should" in found["root"]["text"]
    assert found["root"]["remedy"] == "check UNROLLED_S3_ENDPOINT and AWS_ENDPOINT_URL"
    assert "no Ray answers there" in found["ray"]["text"]
    assert found["torch"]["state"] == "ok", "the other checks go on"


def test_an_address_of_ray_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("nonsense", "ray://host"):
        (found,) = examine("ray", partial(machine.ray, {"RAY_ADDRESS": address}), "z")
        assert found.state == "fail"
        assert found.remedy == "set it to HOST:PORT, or unset it"


def test_a_cluster_that_does_not_answer() -> None:
    address = f"127.0.0.1:{free_port()}"
    (found,) = machine.ray({"RAY_ADDRESS": address})
    assert found.state == "fail"
    assert found.text == f"RAY_ADDRESS is {address}, and no Ray answers there: Connection refused"


def test_whoever_speaks_grpc_is_taken_for_a_cluster() -> None:
    """Ray's client server has no health check."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        (found,) = machine.ray({"RAY_ADDRESS": f"ray://127.0.0.1:{port}"})
    finally:
        server.stop(None)
    assert found.state == "ok"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("a head with its job server starts")
def test_a_cluster_that_answers(tmp_path: Path) -> None:
    port = free_port()
    with ray_head(tmp_path, port=port):
        (found,) = machine.ray({"RAY_ADDRESS": f"127.0.0.1:{port}"})
    assert found.state == "ok"
    assert found.text.endswith(f"the cluster at RAY_ADDRESS 127.0.0.1:{port} answers")
