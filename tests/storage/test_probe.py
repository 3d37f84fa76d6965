"""A probe of a root leaves nothing behind, however it ends."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.storage.folder import Folder
from pipeline.storage.manifests import prepare_lake
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
            (tmp_path / name / "steps").mkdir()
            (tmp_path / name / "steps" / "part").write_text("rows")
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


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another mount."""
    memory = Path("/dev/shm")  # which Linux has for sure, with a mount of its own
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other mount")
    with TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.mark.parametrize("place", ["steps", "checkpoints", "_meta/run=r-1", "activations/run=r-1", "_meta/tmp"])
def test_a_part_of_a_lake_on_another_mount_is_told_before_anything_is_made(
    tmp_path: Path, elsewhere: Path, place: str
) -> None:
    link = tmp_path / "lake" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    before = listing(str(tmp_path), tmp_path)
    with pytest.raises(UsageError, match=r"cannot hold a lake: .* lies on another mount than .*/_meta/tmp"):
        prepare_lake(Folder(str(tmp_path / "lake")))
    assert listing(str(tmp_path), tmp_path) == before


def test_a_lake_that_is_on_another_mount_as_a_whole_is_none_of_this(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "lake").symlink_to(elsewhere)
    prepare_lake(Folder(str(tmp_path / "lake")))
    assert (elsewhere / "_meta/lake.json").exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_table_that_is_no_folder_is_told(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "predictions"
    place.write_text("mine") if kind == "file" else place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=rf"cannot hold a lake: {place} is (no folder|a link to nowhere)"):
        prepare_lake(Folder(str(tmp_path)))
    assert not (tmp_path / "_meta").exists()
