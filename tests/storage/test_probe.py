"""A probe of a root leaves nothing behind, however it ends."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.storage.folder import Folder
from pipeline.storage.probe import probe
from schemas.errors import StorageError, UsageError
from tests.s3 import BUCKET, s3_environment


@pytest.fixture(params=["disk", "disk, with a lake", "memory", "moto", "localbucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    name = uuid.uuid4().hex
    if request.param == "memory":
        yield f"memory://{name}"
    elif request.param in ("moto", "localbucket"):
        with s3_environment(request.getfixturevalue({"moto": "s3_server"}.get(request.param, request.param))):
            yield f"s3://{BUCKET}/{name}"
    else:
        if "lake" in request.param:
            (tmp_path / name / "_meta" / "tmp").mkdir(parents=True)
            (tmp_path / name / "steps").write_text("rows")
        yield str(tmp_path / name)


def listing(root: str, around: Path) -> list[str]:
    """Every object of a root; of a disk every folder too, with those around it."""
    return [*Folder(root).list(), *sorted(map(str, around.rglob("*")))]


def test_it_times_each_step_and_leaves_nothing(root: str, tmp_path: Path) -> None:
    before = listing(root, tmp_path)
    found = probe(Folder(root))
    assert min(found.written, found.read, found.refused, found.removed) >= 0
    assert listing(root, tmp_path) == before


@pytest.mark.parametrize("number", [1, 2, 3])
def test_it_leaves_nothing_when_it_fails_half_way(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """After its write, its reading, or its second write: the store does as it was told, and the answer is lost."""
    before = listing(root, tmp_path)
    calls = 0

    def lose_answer(name: str) -> None:
        real = getattr(Folder, name)

        def lost(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            done = real(*arguments)
            if calls == number:
                raise StorageError("the answer is lost")
            return done

        monkeypatch.setattr(Folder, name, lost)

    lose_answer("create")
    lose_answer("read")
    with pytest.raises(UsageError, match="cannot be written: the answer is lost; choose another --root"):
        probe(Folder(root))
    monkeypatch.undo()
    assert listing(root, tmp_path) == before


def test_it_gives_up_a_slow_store_and_leaves_nothing(root: str, tmp_path: Path) -> None:
    before = listing(root, tmp_path)
    with pytest.raises(UsageError, match="the store answers too slowly"):
        probe(Folder(root), seconds=0)
    assert listing(root, tmp_path) == before
