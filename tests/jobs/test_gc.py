"""What may go goes, and nothing else: decided for any listing, done on a disk and on S3."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.__main__ import main
from jobs.clearing.removable import removable, run_of
from jobs.clearing.remove import removal_order, run_objects
from jobs.driver.lease import Lease
from jobs.run.context import Run
from pipeline.models.checkpoint import FILES
from pipeline.queries.catalog import Catalog, read_catalog
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import read_manifest, removal_mark
from pipeline.storage.sealed import seal
from schemas.manifest import AS_READ
from tests.conftest import do_all, tiny_run

SMALL = {"cell": ["rnn"], "layers": [1]}


class Typed:
    """Types a command at a lake; gives its JSON."""

    def __init__(self, capsys: pytest.CaptureFixture[str], root: str) -> None:
        self.capsys, self.root = capsys, root

    def __call__(self, *words: str, code: int = 0) -> dict[str, int]:
        assert main([*words, "--json", "--root", self.root]) == code
        out, self.err = self.capsys.readouterr()
        return {row.get("kind", row.get("table")): row["objects"] for row in json.loads(out or "[]")}


@pytest.fixture(params=["disk", pytest.param("s3", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """A complete small run."""
    root = tmp_path / "lake" if request.param == "disk" else request.getfixturevalue("s3_root")
    run = tiny_run(root, model=SMALL)
    do_all(run)
    return run


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], run: Run) -> Typed:
    return Typed(capsys, run.root)


def promised(folder: Folder) -> set[str]:
    """What the manifests of a lake list."""
    return {one.path for of in read_catalog(folder).manifests.values() for unit in of for one in unit.objects}


def test_a_complete_lake_has_nothing_to_clear_up(typed: Typed, run: Run) -> None:
    before = run.folder.sizes()
    assert typed("gc", "--older-than", "0") == {}
    assert "nothing to clear up" in typed.err
    assert run.folder.sizes() == before


def test_what_no_run_needs_goes(typed: Typed, run: Run) -> None:
    folder, before = run.folder, run.folder.sizes()
    shard = next(path for path in before if path.startswith("activations/"))
    ours = {
        shard.replace("part-00000", "part-00077"): "unlisted",
        f"checkpoints/run={run.id}/model=m/checkpoint=9/model.safetensors": "unlisted",
        f"_meta/run={run.id}/train/whole/resume/rnn-1x5-seed0.safetensors": "resume-state",
        "steps/run=gone-12345678/split=probe/part-00000.parquet": "half-removed",
        "_meta/run=gone-12345678/dump/model=m/checkpoint=1/plan.json": "half-removed",
        removal_mark("gone-12345678"): "half-removed",
    }
    theirs = ["notes.txt", f"activations/run={run.id}/notes.txt", "photos/run=1/part-00000.parquet", "_meta/log"]
    strange = (
        "_meta/run=strange-1/train/whole/manifest.json",
        "steps/run=strange-1/split=probe/part-00000.parquet",
        "steps/run=strange-2/split=probe/part-00000.parquet",
        "_meta/run=strange-3/dump/model=m/checkpoint=1/plan.json",
        "activations/run=strange-3/model=m/checkpoint=1/layer=0/part-00000.parquet",
    )
    for path in (*ours, *theirs, *strange):
        folder.create(path, b"123")
    manifest = read_manifest(folder, run.id, "train", "whole")
    assert manifest
    folder.replace(strange[0], seal(manifest.model_copy(update={"objects": ()})))  # whose run.json was lost
    found = {"unlisted": 2, "resume-state": 1, "half-removed": 3}
    assert typed("gc", "--dry-run") == found
    assert "would go: 6 objects, 18 bytes" in typed.err
    assert typed.err.count("has lost its run.json") == 3
    assert set(folder.list()) == {*before, *ours, *theirs, *strange}
    assert typed("runs", "gc") == found
    assert set(folder.list()) == {*before, *theirs, *strange}
    assert typed("gc") == {}
    said = typed.err
    for lost in ("strange-1", "strange-2", "strange-3"):
        assert f"`unrolled runs rm {lost} --yes --root {run.root}` to give it up" in said
        typed("runs", "rm", lost, "--yes")
    assert set(folder.list()) == {*before, *theirs}
    assert do_all(run) == 0, "the run is still whole"


@pytest.mark.parametrize("gone", ["run.json", ""])
def test_a_run_that_lost_its_note_is_told_and_kept(run: Run, typed: Typed, gone: str) -> None:
    folder, told = run.folder, f"{run.id} has lost its run.json"
    before = folder.read_many(folder.list())
    folder.remove(f"_meta/run={run.id}/{gone}".rstrip("/"))
    left = folder.list()
    for words in (["sql", "select count(*) from activations", "--format", "json"], ["runs", "--json"]):
        assert main([*words, "--root", run.root]) == 0
        assert told in typed.capsys.readouterr().err
    for words in (["audit", run.id], ["sql", "--run", "tiny", "from steps"]):
        assert main([*words, "--root", run.root]) == 5
        assert told in typed.capsys.readouterr().err
    assert typed("gc") == {}
    assert told in typed.err
    assert folder.list() == left
    do_all(run)
    assert set(folder.list()) == set(before)
    assert not read_catalog(folder).lost


def test_a_run_that_is_made_again_after_half_a_removal_is_no_rubbish(run: Run, typed: Typed) -> None:
    folder = run.folder
    order = [path for batch in removal_order(run_objects(folder, run.id), run.id) for path in batch]
    folder.create(removal_mark(run.id), b"{}")
    folder.remove_all(order[: len(order) - 3])
    do_all(run)
    assert not folder.exists(removal_mark(run.id))
    folder.remove(f"_meta/run={run.id}/run.json")
    assert typed("gc") == {}


def test_leftovers_go_by_their_age(typed: Typed, run: Run) -> None:
    folder, before = run.folder, run.folder.list()
    pending = folder.begin(f"activations/run={run.id}/model=m/checkpoint=1/layer=0/part-00001.parquet")
    pending.write(b"1" * 17 * 2**20)  # a part's worth; its writer is killed here
    kind = "temporary" if folder.is_local else "upload"
    if folder.is_local:  # moto gives every upload the same old date
        assert typed("gc", "--dry-run") == {}, "a day has not gone by"
    assert typed("gc", "--dry-run", "--older-than", "0") == {kind: 1}
    with Lease(folder, run.id):
        assert typed("gc", "--dry-run", "--older-than", "0") == {}, "it may be this driver's"
    if folder.is_local:
        (file,) = Path(run.root, "_meta/tmp").iterdir()
        os.utime(file, (time.time() - 90_000,) * 2)
        assert typed("gc") == {kind: 1}
    else:
        assert typed("gc", "--older-than", "0") == {kind: 1}
    assert typed("gc", "--older-than", "0") == {}
    assert folder.list() == before


def test_a_run_that_is_worked_on_is_left_alone(typed: Typed, run: Run) -> None:
    run.folder.create(f"steps/run={run.id}/split=probe/part-00099.parquet", b"1")
    with Lease(run.folder, run.id):
        before = run.folder.list("steps")
        assert typed("gc") == {}
        assert f"{run.id} has a driver" in typed.err
        typed("runs", "rm", "tiny", "--yes", code=4)
        assert f"another driver works on {run.id}" in typed.err
        assert "--wait" not in typed.err
        assert run.folder.list("steps") == before
    assert typed("gc") == {"unlisted": 1}


def test_an_incomplete_run_keeps_all_that_resuming_may_use(typed: Typed, run: Run) -> None:
    folder = run.folder
    folder.remove(f"_meta/run={run.id}/dump/model=rnn-1x5-seed0/checkpoint=12/manifest.json")
    resume = f"_meta/run={run.id}/dump/model=rnn-1x5-seed0/checkpoint=12/resume/x"
    folder.create(resume, b"1")
    folder.create(f"_meta/run={run.id}/train/whole/resume/x", b"1")
    before = folder.list()
    assert typed("gc") == {"resume-state": 1}, "of train, which is complete"
    assert set(before) - set(folder.list()) == {f"_meta/run={run.id}/train/whole/resume/x"}
    assert do_all(run) == 1


def test_a_removal_goes_on_where_it_was_killed(typed: Typed, run: Run) -> None:
    """Killed after any number of requests: nothing that is promised is missing, and either command ends it."""
    folder = run.folder
    content = folder.read_many(folder.list())
    order = [path for batch in removal_order(run_objects(folder, run.id), run.id) for path in batch]
    assert sorted(order) == [path for path in sorted(content) if path != "_meta/lake.json"]
    manifests = sum(path.endswith("/manifest.json") for path in order)
    noted = order.index(f"_meta/run={run.id}/run.json")
    for gone in (0, 1, manifests, noted + 1, noted + 5, len(order) - 3, len(order)):
        for path, data in content.items():
            folder.create(path, data)
        folder.create(removal_mark(run.id), b"{}")
        folder.remove_all(order[:gone])
        assert promised(folder) <= set(folder.list())
        if gone == len(order):
            folder.remove_all([removal_mark(run.id)])
            typed("runs", "rm", run.id, "--yes", code=2)
            assert "unknown run" in typed.err
        elif gone == noted + 5:
            assert typed("gc") == {"half-removed": len(order) - gone + 1}
        else:
            assert sum(typed("runs", "rm", run.id).values()) == len(order) - gone + 1
            assert "add --yes" in typed.err
            typed("runs", "rm", run.id, "--yes", "--dry-run")
            assert len(folder.list()) == len(order) - gone + 2
            typed("runs", "rm", run.id, "--yes")
        assert folder.list() == ["_meta/lake.json"]
        if folder.is_local and gone < len(order):
            assert not list(Path(run.root).rglob("run=*")), "no empty folders either"


def test_gc_takes_no_run_and_needs_a_lake(
    capsys: pytest.CaptureFixture[str], tiny_lake: Run, tmp_path: Path
) -> None:
    assert main(["runs", "gc", "tiny", "--root", tiny_lake.root]) == 2
    assert "takes no RUN" in capsys.readouterr().err
    assert main(["gc", "--root", str(tmp_path)]) == 2
    assert "there is no lake at" in capsys.readouterr().err
    assert main(["runs", "rm", "--root", tiny_lake.root]) == 2
    assert "which run?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def whole(tiny_lake: Run) -> tuple[Catalog, dict[str, int]]:
    folder = Folder(tiny_lake.root)
    return read_catalog(folder), folder.sizes()


def test_a_lease_of_a_run_that_left_nothing_else_goes(whole: tuple[Catalog, dict[str, int]]) -> None:
    catalog, listing = whole
    lease, shard = "_meta/run=b-1/lease/00001.json", "steps/run=b-1/split=probe/part-00000.parquet"
    assert [(one.path, one.kind) for one in removable(catalog, {**listing, lease: 1})] == [(lease, "dead-lease")]
    assert removable(catalog, {**listing, lease: 1, shard: 1}) == []


@pytest.mark.parametrize("name", [*FILES, AS_READ])
def test_every_file_of_a_checkpoint_is_its_runs(whole: tuple[Catalog, dict[str, int]], name: str) -> None:
    """So that gc finishes a removal that was cut short, of imported networks too."""
    catalog, listing = whole
    path = f"checkpoints/run=b-1/model=m/checkpoint=0/{name}"
    assert run_of(path) == "b-1"
    left = removable(catalog, {**listing, path: 1, removal_mark("b-1"): 1})
    assert {(one.path, one.kind) for one in left} == {
        (path, "half-removed"),
        (removal_mark("b-1"), "half-removed"),
    }


words = st.text("abc=/.-_01", max_size=12)
places = st.sampled_from(["activations", "steps", "checkpoints", "_meta", "other"])


@given(data=st.data())
def test_nothing_that_a_manifest_lists_ever_goes(
    whole: tuple[Catalog, dict[str, int]], data: st.DataObject
) -> None:
    """For any listing: parts of a real one, strange paths, and runs with some of their manifests."""
    catalog, listing = whole
    (run,) = catalog.runs
    kept = data.draw(st.lists(st.sampled_from(catalog.manifests[run]), unique_by=lambda one: str(one.plan)))
    runs = catalog.runs if data.draw(st.booleans()) else {}
    some = Catalog(runs, {run: catalog.begun[run]}, {run: kept})
    paths = data.draw(st.lists(st.sampled_from(sorted(listing)), unique=True))
    strange = data.draw(st.lists(st.builds("{}/run={}{}".format, places, st.sampled_from([run, "b"]), words)))
    held = data.draw(st.sets(st.sampled_from([run, "b"])))
    objects = dict.fromkeys([*paths, *strange], 1)
    gone = {one.path for one in removable(some, objects, held)}
    listed = {stored.path for manifest in kept for stored in manifest.objects}
    assert not gone & listed
    assert gone <= set(objects)
    assert not {path for path in gone if run_of(path) in held}
    assert not {path for path in gone if path.startswith("other/")}
    is_complete = some.status.get(run) == "complete"
    if runs and not is_complete:
        assert not {path for path in gone if run_of(path) == run and "/resume/" not in path}
    if any(path.endswith("/manifest.json") for path in paths) and not runs:
        assert not {path for path in gone if run_of(path) == run}
