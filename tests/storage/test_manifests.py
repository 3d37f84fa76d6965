"""What lies in `_meta` and where, and what a reader is told when it is missing, damaged, or of another format."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.storage.folder import Folder
from pipeline.storage.manifests import (
    Journal,
    check_lake,
    prepare_lake,
    read_manifest,
    read_plan,
    read_run,
    record_path,
    unit_folder,
    unseal_at,
)
from pipeline.storage.sealed import seal
from schemas import FORMAT_VERSION
from schemas.errors import StorageError, UsageError
from schemas.manifest import Manifest, Plan, Record, RunRecord, StoredObject

RUN, UNIT, LONGER = "tiny-12345678", "model=m/checkpoint=1", "model=m/checkpoint=10"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def plan(unit: str, stage: str = "dump") -> Plan:
    return Plan(stage=stage, unit=unit, fingerprint=f"of {unit}", settings={"a": 1}, pieces=2)


def manifest(unit: str) -> Manifest:
    return Manifest(format_version=FORMAT_VERSION, plan=plan(unit), objects=())


def record(piece: int) -> Record:
    stored = StoredObject(path=f"activations/run={RUN}/{piece}", table=None, rows=0, bytes=piece, blake3="0" * 64)
    return Record(piece=piece, fingerprint="f", objects=(stored,))


def test_a_root_becomes_a_lake_once(folder: Folder) -> None:
    with pytest.raises(UsageError) as nothing:
        check_lake(folder)
    assert str(nothing.value) == (
        f"there is no lake at {folder.root}: make one with `unrolled run counting --root {folder.root}`"
    )
    prepare_lake(folder)
    prepare_lake(folder)
    check_lake(folder)
    assert folder.list() == ["_meta/lake.json"]
    assert folder.read("_meta/lake.json") == b'{"format_version": %d}\n' % FORMAT_VERSION


@pytest.mark.parametrize("check", [check_lake, prepare_lake])
def test_a_lake_of_another_format_is_refused(folder: Folder, check: Callable[[Folder], None]) -> None:
    other = FORMAT_VERSION + 1
    folder.create("_meta/lake.json", json.dumps({"format_version": other}).encode())
    with pytest.raises(UsageError) as refused:
        check(folder)
    assert str(refused.value) == (
        f"the lake at {folder.root} has format version {other}, this unrolled reads {FORMAT_VERSION}: "
        "use another --root"
    )


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b"7"])
def test_a_damaged_lake_file_is_named_with_its_cure(folder: Folder, data: bytes) -> None:
    folder.create("_meta/lake.json", data)
    with pytest.raises(StorageError) as damaged:
        check_lake(folder)
    assert str(damaged.value) == (
        f"{folder.address('_meta/lake.json')} is damaged: remove that file alone, and run again what made the lake"
    )


def test_documents_are_read_from_where_the_docs_say(folder: Folder) -> None:
    assert read_plan(folder, RUN, "dump", UNIT) is None
    assert read_manifest(folder, RUN, "dump", UNIT) is None
    told = RunRecord(run=RUN, experiment={"name": "tiny"}, inputs=None)
    folder.create(f"_meta/run={RUN}/run.json", seal(told))
    folder.create(f"_meta/run={RUN}/dump/{UNIT}/plan.json", seal(plan(UNIT)))
    assert read_run(folder, RUN) == told
    assert read_plan(folder, RUN, "dump", UNIT) == plan(UNIT)
    assert read_manifest(folder, RUN, "dump", UNIT) is None
    folder.create(f"_meta/run={RUN}/dump/{UNIT}/manifest.json", seal(manifest(UNIT)))
    assert read_manifest(folder, RUN, "dump", UNIT) == manifest(UNIT)
    assert record_path(RUN, "dump", UNIT, 7) == f"_meta/run={RUN}/dump/{UNIT}/records/00007.json"


def test_a_damaged_document_is_named_with_its_cure(folder: Folder) -> None:
    whole, told = f"_meta/run={RUN}/dump/whole/plan.json", f"_meta/run={RUN}/run.json"
    folder.create(whole, seal(plan("whole")).replace(b'"pieces": 2', b'"pieces": 3'))
    folder.create(told, b"{}")
    with pytest.raises(StorageError) as damaged:
        read_plan(folder, RUN, "dump", "whole")
    assert str(damaged.value) == (
        f"{folder.address(whole)} is damaged (its digest does not match): "
        f"{RUN}: type the command that began it, with --replace dump to make it again"
    )
    with pytest.raises(StorageError) as damaged:
        read_run(folder, RUN)
    assert str(damaged.value) == (
        f"{folder.address(told)} is damaged (its digest does not match): {RUN}: run the run's command again"
    )


def test_a_journal_tells_a_stages_units_apart(folder: Folder) -> None:
    for unit, pieces in ((UNIT, (0, 12)), (LONGER, (3,))):
        folder.create(f"{unit_folder(RUN, 'dump', unit)}/plan.json", seal(plan(unit)))
        for piece in pieces:
            folder.create(record_path(RUN, "dump", unit, piece), seal(record(piece)))
    folder.create(f"{unit_folder(RUN, 'dump', UNIT)}/manifest.json", seal(manifest(UNIT)))
    folder.create(f"{unit_folder(RUN, 'dump', LONGER)}/resume/00000.state", b"1")
    folder.create(f"{unit_folder(RUN, 'score', UNIT)}/plan.json", seal(plan(UNIT, "score")))
    folder.create(f"{unit_folder('other', 'dump', 'whole')}/plan.json", seal(plan("whole")))

    journal = Journal(folder, RUN, "dump")
    assert journal.plans() == {UNIT: plan(UNIT), LONGER: plan(LONGER)}
    assert journal.manifests() == {UNIT: manifest(UNIT)}
    assert [journal.done(unit) for unit in (UNIT, LONGER, "model=m")] == [{0, 12}, {3}, set()]
    assert journal.records(UNIT) == [record(0), record(12)]
    assert journal.records(LONGER) == [record(3)]
    assert journal.states(LONGER) == [f"_meta/run={RUN}/dump/{LONGER}/resume/00000.state"]
    assert journal.states(UNIT) == []


def test_a_journal_names_the_damaged_document(folder: Folder) -> None:
    folder.create(record_path(RUN, "dump", UNIT, 4), b"{}")
    with pytest.raises(
        StorageError,
        match=rf"records/00004\.json is damaged .*{RUN}: type the command that began it, with --replace dump",
    ):
        Journal(folder, RUN, "dump").records(UNIT)


@pytest.mark.parametrize(
    "name", [".DS_Store", "._00000.json", "00000.json~", ".#00001.json", "1.json", "Thumbs.db"]
)
def test_files_of_others_beside_records_are_left_out(folder: Folder, name: str) -> None:
    folder.create(record_path(RUN, "dump", UNIT, 3), seal(record(3)))
    folder.create(f"{unit_folder(RUN, 'dump', UNIT)}/records/{name}", b"not ours")
    journal = Journal(folder, RUN, "dump")
    assert journal.done(UNIT) == {3}
    assert journal.records(UNIT) == [record(3)]


def of_dump(path: str) -> StoredObject:
    return StoredObject(path=path, table=None, rows=0, bytes=1, blake3="0" * 64)


@pytest.mark.parametrize(
    ("place", "document"),
    [
        ("dump/whole/manifest.json", manifest("other")),
        ("score/whole/manifest.json", manifest("whole")),
        ("dump/whole/plan.json", plan("whole", "score")),
        ("dump/whole/records/00004.json", record(3)),
        *(
            ("dump/whole/manifest.json", manifest("whole").model_copy(update={"objects": (of_dump(path),)}))
            for path in ("activations/run=other/1", "scores/run=tiny-12345678/1", "activations/1")
        ),
    ],
)
def test_a_whole_document_in_the_place_of_another_is_refused(
    folder: Folder, place: str, document: Manifest | Plan | Record | RunRecord
) -> None:
    path = f"_meta/run={RUN}/{place}"
    with pytest.raises(
        StorageError, match=rf"{re.escape(path)} is of another run, unit or piece: remove that file"
    ):
        unseal_at(type(document), folder, path, seal(document))
