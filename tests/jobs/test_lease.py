"""Two drivers on one run: one works, the other waits or goes; a dead one is noticed, whatever the clocks say."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.driver import lease as lease_module
from jobs.driver.lease import Lease, is_held
from pipeline.storage.folder import Folder
from schemas.errors import LeaseError, StorageUnavailableError
from tests.conftest import REPOSITORY

RUN = "tiny-12345678"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(lease_module, "LOCAL", (0.1, 1.0))
    monkeypatch.setattr(lease_module, "REMOTE", (0.1, 1.0))
    where = request.getfixturevalue("tmp_path" if request.param == "local" else "s3_root")
    return Folder(str(where))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every holder were on another machine, of which nothing but beats is known."""
    monkeypatch.setattr(lease_module, "_machine", lambda: "")


def test_a_second_driver_is_refused_while_the_first_lives(folder: Folder) -> None:
    told: list[str] = []
    with Lease(folder, RUN) as held:
        assert is_held(folder, RUN)
        with pytest.raises(LeaseError, match=rf"another driver works on {RUN} \(process {os.getpid()} on "):
            Lease(folder, RUN, told.append).__enter__()
        assert f" on {platform.node()}, since {datetime.now(UTC):%Y-%m-%d}" in told[0]
        assert "watching for up to 1 s whether it lives" in told[0]
        held.check()
        with Lease(folder, "other-run"):
            pass
    assert not is_held(folder, RUN)
    assert folder.list() == []
    with Lease(folder, RUN):
        pass


def test_a_second_driver_may_wait(folder: Folder) -> None:
    first = Lease(folder, RUN).__enter__()
    order: list[str] = []

    def second() -> None:
        with Lease(folder, RUN, wait=True):
            order.append("second" if is_held(folder, RUN) else "held by nobody")

    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(2.0)  # longer than the patience: the first is alive all the time
    order.append("first")
    first.__exit__(None, None, None)
    thread.join(20)
    assert order == ["first", "second"]
    assert folder.list() == []


def test_a_holder_that_was_held_up_loses_and_is_told(folder: Folder, elsewhere: None) -> None:
    first = Lease(folder, RUN)
    first.__enter__()
    pulse, first._pulse = first._pulse, lambda _: None  # type: ignore[method-assign, assignment]
    with Lease(folder, RUN) as second:
        first._pulse = pulse  # type: ignore[method-assign]
        end = time.monotonic() + 10
        while not first._lost and time.monotonic() < end:
            time.sleep(0.05)
        with pytest.raises(LeaseError, match="another driver has taken"):
            first.check()
        second.check()
        first.__exit__(None, None, None)
        assert is_held(folder, RUN), "it does not take the successor's lease away"
    assert folder.list() == []


def test_of_many_that_find_a_dead_driver_one_takes_over(folder: Folder, elsewhere: None) -> None:
    folder.create(f"_meta/run={RUN}/lease/00001.json", json.dumps({"holder": "dead"}).encode())
    results: list[object] = []

    def contend() -> None:
        try:
            with Lease(folder, RUN):
                results.append("held")
                time.sleep(2.0)
        except LeaseError as error:
            results.append(error)

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results.count("held") == 1
    assert len(results) == 4
    assert folder.list() == []


@pytest.mark.slow
def test_a_killed_driver_of_this_machine_is_noticed_at_once(folder: Folder) -> None:
    script = (
        "import time; from jobs.driver.lease import Lease; from pipeline.storage.folder import Folder\n"
        f"Lease(Folder({folder.root!r}), {RUN!r}).__enter__(); print('held', flush=True); time.sleep(60)"
    )
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"held\n"
    assert is_held(folder, RUN)
    os.kill(driver.pid, signal.SIGKILL)
    driver.stdout.close()
    while is_held(folder, RUN):
        time.sleep(0.01)
    with Lease(folder, RUN, pytest.fail):
        pass
    driver.wait()


def test_a_process_number_that_came_again_is_another_process(folder: Folder) -> None:
    identity = {**lease_module._this_process(), "began": "1", "holder": "dead"}
    folder.create(f"_meta/run={RUN}/lease/00001.json", json.dumps(identity).encode())
    assert not is_held(folder, RUN)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(lease_module, "LOCAL", (0.05, 0.2))
    return Folder(str(tmp_path))


def test_what_a_lease_leaves_in_the_lake_while_it_is_held(lake: Folder) -> None:
    with Lease(lake, RUN) as held:
        beat, first = lake.list(f"_meta/run={RUN}/lease")[::-1]
        assert first == f"_meta/run={RUN}/lease/00001.json"
        told = json.loads(lake.read(first))
        assert beat == f"_meta/run={RUN}/lease/{told['holder']}.beat"
        assert told["process"] == os.getpid()
        assert told["host"] == platform.node()
        assert told["began"] == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        assert datetime.strptime(told["since"], "%Y-%m-%d %H:%M:%S UTC")  # noqa: DTZ007
        assert set(told) == {"holder", "since", "host", "machine", "process", "began"}
        while lake.read(beat) != b"2":
            time.sleep(0.01)
        held.check()


def test_the_highest_number_holds(lake: Folder) -> None:
    mine = lease_module._this_process()
    for number, began in ((1, "1"), (2, mine["began"]), (10, "1")):
        path = f"_meta/run={RUN}/lease/{number:05d}.json"
        lake.create(path, json.dumps({**mine, "began": began, "holder": str(number)}).encode())
        assert is_held(lake, RUN) == (number == 2)
    lake.create(f"_meta/run={RUN}/lease/2.beat", b"7")
    with Lease(lake, RUN, pytest.fail):
        assert f"_meta/run={RUN}/lease/00011.json" in lake.list()
    assert lake.list() == [], "what earlier holders left goes, too"


def test_a_damaged_lease_is_watched_as_a_strangers(lake: Folder) -> None:
    told: list[str] = []
    lake.create(f"_meta/run={RUN}/lease/00001.json", b"{")
    assert is_held(lake, RUN)
    with Lease(lake, RUN, told.append):
        assert f"_meta/run={RUN}/lease/00002.json" in lake.list()
    assert told == [
        f"{RUN} has a driver (process None on None, since None): watching for up to 0.2 s whether it lives"
    ]


def test_a_removal_ends_when_another_takes_over(folder: Folder, elsewhere: None) -> None:
    """In the midst of it: nothing of what the other makes goes."""
    lost = Lease(folder, RUN)
    lost._thread = threading.Thread(target=lambda: None)  # it was stopped before it could notice
    for number in range(5):
        folder.create(f"data/{number}", b"")
    steps = 0

    def check() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            folder.create(f"_meta/run={RUN}/lease/00002.json", b"{}")
        lost.confirm()

    def remove_each() -> None:
        for number in range(5):
            folder.guarded(check).remove_all([f"data/{number}"])

    with lost, pytest.raises(LeaseError, match="another driver has taken"):
        remove_each()
    assert folder.list("data") == ["data/2", "data/3", "data/4"]


@pytest.mark.parametrize("name", ["._00007.json", "00007.json~", ".DS_Store", "notes.json"])
def test_a_file_of_others_is_no_lease(lake: Folder, name: str) -> None:
    lake.create(f"_meta/run={RUN}/lease/{name}", b"[]")
    assert not is_held(lake, RUN)
    with Lease(lake, RUN):
        assert is_held(lake, RUN)
    assert lake.list() == [f"_meta/run={RUN}/lease/{name}"]


def test_a_store_that_is_away_ends_no_lease(lake: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it is held, nor when it is given back; it expires there."""
    asked = threading.Semaphore(0)

    def away(*_: object) -> list[str]:
        asked.release()
        raise StorageUnavailableError("503")

    with Lease(lake, RUN) as held:
        monkeypatch.setattr(Folder, "list", away)
        assert asked.acquire(timeout=20)
        assert asked.acquire(timeout=20), "it goes on beating"
        held.check()
    monkeypatch.undo()
    assert is_held(lake, RUN)


def test_only_a_process_of_this_machine_is_known_to_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = lease_module._this_process()
    assert not lease_module._has_ended(mine)
    assert lease_module._has_ended({**mine, "began": "1"})
    assert not lease_module._has_ended({**mine, "began": "1", "machine": "another"})
    assert not lease_module._has_ended({})
    monkeypatch.setattr(lease_module, "_machine", lambda: "")
    assert not lease_module._has_ended({**mine, "began": "1", "machine": ""}), "unknown is not the same"


def test_a_process_that_only_waits_to_be_counted_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert lease_module._began(child.pid) is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert lease_module._began(child.pid) is None
    child.wait()
    assert lease_module._began(child.pid) is None
    assert child.stdin is not None
    child.stdin.close()
