"""A lake answers from the shards that its manifests list, to the bit, or says which one it cannot trust."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pyarrow as pa
import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.queries.lake import Lake
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import read_run
from pipeline.storage.sealed import seal
from schemas.command import Typed
from schemas.errors import StorageError
from schemas.manifest import RunRecord
from schemas.tables import TABLES
from tests.conftest import tree


@pytest.fixture
def root(small_lake: Run, tmp_path: Path) -> Path:
    return Path(copytree(small_lake.root, tmp_path / "lake"))


def shards(root: Path, table: str) -> list[Path]:
    return sorted(root.glob(f"{table}/**/*.parquet"))


def rows(lake: Lake, table: str) -> pa.Table:
    return lake.fetch(f"from {table} order by all")


@pytest.mark.parametrize("flips", [10, pytest.param(100, marks=pytest.mark.deep)])
@pytest.mark.parametrize("table", sorted(set(TABLES) - {"documents"}))
def test_a_flipped_bit_anywhere_in_a_shard_is_never_answered_from(root: Path, table: str, flips: int) -> None:
    """At many places, a third of them in the footer, where damage would hide most easily."""
    path, right, random = shards(root, table)[-1], rows(pipeline.open(str(root)), table), np.random.default_rng(3)
    data = path.read_bytes()
    whole, end = random.integers(0, len(data), flips), random.integers(len(data) - 600, len(data), flips)
    refused = 0
    for at in np.where(random.random(flips) < 0.7, whole, end):
        rotten = bytearray(data)
        rotten[at] ^= 1 << random.integers(8)
        path.write_bytes(rotten)
        try:
            found = rows(pipeline.open(str(root)), table)
        except StorageError:
            refused += 1
        else:
            assert found.equals(right), at
    assert refused > flips / 2


@pytest.mark.parametrize("table", ["scores", "activations", "annotations"])
def test_swapped_shards_are_refused_and_named(root: Path, table: str) -> None:
    first, second = shards(root, table)[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    with pytest.raises(StorageError, match=f"{first} has changed since it was written .* --replace "):
        pipeline.open(str(root)).sql(f"select count(*) from {table}").fetchall()
    assert pipeline.open(str(root)).sql("select count(*) from steps").fetchall()


def test_shards_of_equal_size_and_plan_are_told_apart(root: Path) -> None:
    """Neither the listing nor a frame tells them apart: the end of one in the place of the other."""
    (first, one), (_, other) = ((path, path.read_bytes()) for path in shards(root, "activations")[:2])
    length = min(len(one), len(other))
    first.write_bytes(other[:length].rjust(len(one), b"\0"))
    with pytest.raises(StorageError, match=f"{first} has changed"):
        rows(pipeline.open(str(root)), "activations")


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"1", lambda data: data[:0]])
def test_a_shard_of_another_length_is_refused(root: Path, damage: Callable[[bytes], bytes]) -> None:
    path = shards(root, "predictions")[-1]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StorageError, match=f"{path} has changed"):
        rows(pipeline.open(str(root)), "predictions")


def test_a_shard_that_is_gone_is_named(root: Path) -> None:
    path = shards(root, "predictions")[-1]
    path.unlink()
    with pytest.raises(
        StorageError, match=f"{path} is missing: type the command that began it, with --replace dump"
    ):
        rows(pipeline.open(str(root)), "predictions")


def test_a_damaged_footer_is_an_error_of_storage_on_the_command_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where DuckDB would say that the query is wrong: a name of a column has rotted."""
    for path in shards(root, "scores"):
        path.write_bytes(path.read_bytes().replace(b"measure", b"meazure"))
    assert main(["sql", "select max(measure) from scores", "--root", str(root)]) == 5
    assert "has changed since it was written" in capsys.readouterr().err


def test_a_manifest_in_the_place_of_another_is_refused(root: Path) -> None:
    unit = min(root.glob("_meta/run=*/dump/*/*/manifest.json"))
    other = unit.parent.with_name("checkpoint=77") / "manifest.json"
    other.parent.mkdir()
    other.write_bytes(unit.read_bytes())
    with pytest.raises(StorageError, match=r"is of another run, unit or piece: remove that file alone"):
        pipeline.open(str(root))


def test_a_copy_of_a_runs_folder_goes_by_one_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But a run.json that lies over another's, whose rows are there, does not take them along."""
    run = next(root.glob("_meta/run=*"))
    before = tree(root)
    copytree(run, run.with_name("run=another-00000000"))
    with pytest.raises(StorageError, match=r"another-00000000/run.json is of another run") as refused:
        pipeline.open(str(root))
    typed = str(refused.value).split("`")[1]
    assert typed == f"unrolled runs rm another-00000000 --yes --root {root}"
    assert main(typed.split()[1:]) == 0
    capsys.readouterr()
    assert tree(root) == before

    note = run / "run.json"
    other = RunRecord(run="other-1", experiment={}, inputs=None)
    note.write_bytes(seal(other))
    with pytest.raises(StorageError, match=r"run.json is of another run, .* remove that file alone"):
        pipeline.open(str(root))


@pytest.mark.parametrize("damage", ["manifest", "shard", "length"])
def test_what_is_damaged_is_told_with_a_whole_command(root: Path, damage: str) -> None:
    note = next(root.glob("_meta/run=*/run.json"))
    run = note.parent.name.removeprefix("run=")
    record = read_run(Folder(str(root)), run)
    note.write_bytes(seal(record.model_copy(update={"typed": Typed(words=("my file.toml",), folder="/a b")})))
    if damage == "manifest":
        min(root.glob("_meta/run=*/dump/*/*/manifest.json")).write_bytes(b"{}")
    else:
        path = shards(root, "predictions")[0]
        path.write_bytes(path.read_bytes()[:-1] if damage == "length" else bytes(path.stat().st_size))
    with pytest.raises(StorageError) as refused:
        rows(pipeline.open(str(root)), "predictions")
    typed = f"type `cd '/a b' && unrolled run 'my file.toml' --root {root} --replace dump` to make it again"
    assert str(refused.value).endswith(typed)


def test_what_an_answer_lacks_is_said_on_stderr_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = (path.name.removeprefix("run=") for path in root.glob("_meta/run=*"))
    lacking = sorted(root.glob("_meta/run=*/dump/*/*/manifest.json"))
    lacking[0].unlink()
    said = f"unrolled: {run} is incomplete: dump has {len(lacking) - 1} of its {len(lacking)} units"
    place = (f"run={run}", "model=gru-2x5-seed0", "layer=0", "neuron=0")
    asked = ["-f", "mean_gate_by_char", *(word for value in place for word in ("--set", value))]
    for query in (["select count(*) from predictions, activations limit 1"], asked):
        assert main(["sql", *query, "--root", str(root)]) == 0
        assert capsys.readouterr().err.count(said) == 1
    assert main(["sql", "select count(*) from scores", "--root", str(root)]) == 0
    assert not capsys.readouterr().err
