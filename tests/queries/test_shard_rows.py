"""Where a lake lies changes no answer, whatever the folders above it are called."""

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline
from jobs.run.context import Run
from pipeline.queries.shard_rows import exact_pattern, shard_rows
from schemas.activations import ACTIVATIONS
from schemas.tables import TABLES

# A partition column, a column of the file, one of neither; what DuckDB takes for a pattern, and what it escapes.
ODD = [
    "layer=7",
    "checkpoint=x",
    "neuron=3/model=big",
    "value=1",
    "a=b=c",
    "=",
    "q?x",
    "s*x",
    "b[x]",
    "x[!a]y",
    "**",
]
ODD += ["ü?", "back\\slash", "b\\[x]", "it's", "{a,b}", "run=a/layer=0/q?", "filename=f"]
FEW = ["layer=7/value=1", "neuron=3/q?[x]"]


def write_shards(root: Path) -> list[str]:
    """Two rows of activations in each of two layers, neuron 0 and 1; the shards' paths."""
    paths = []
    for layer in (0, 1):
        partition = {"run": "counting-1", "model": "lstm", "checkpoint": 20, "layer": layer}
        path = root / ACTIVATIONS.shard_path(partition)
        path.parent.mkdir(parents=True)
        columns = {f.name: pa.array([0, 1], pa.int32()).cast(f.type) for f in ACTIVATIONS.schema}
        pq.write_table(pa.table(columns, schema=ACTIVATIONS.schema), path)
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("folder", ODD)
def test_partition_values_come_from_below_the_root(tmp_path: Path, folder: str) -> None:
    files = [exact_pattern(path) for path in write_shards(tmp_path / folder)]
    rows = duckdb.sql(f"select run, model, checkpoint, layer, neuron from ({shard_rows(ACTIVATIONS, files)})")
    assert rows.types == duckdb.sql("select '', '', 0::bigint, 0::bigint, 0::int").types
    assert sorted(rows.fetchall()) == [("counting-1", "lstm", 20, lay, n) for lay in (0, 1) for n in (0, 1)]


@pytest.mark.parametrize("folder", ["lake", "layer=7"])
@pytest.mark.parametrize(
    "where", ["layer = 1", "checkpoint = 20 and layer in (1, 2)", "layer > 0 and model = 'lstm'"]
)
def test_what_a_query_rules_out_is_not_opened(tmp_path: Path, folder: str, where: str) -> None:
    files = write_shards(tmp_path / folder)
    query = f"explain analyze select sum(step) from ({shard_rows(ACTIVATIONS, files)}) where {where}"
    assert "Total Files Read: 1 " in str(duckdb.sql(query).fetchall())


@pytest.mark.parametrize("sibling", [("lake?", "lake1"), ("la*", "lake"), ("[ab]", "a"), ("a\\[b]", "ab")])
def test_a_pattern_beside_what_it_matches_gives_its_own_rows(tmp_path: Path, sibling: tuple[str, str]) -> None:
    own, other = (write_shards(tmp_path / name) for name in sibling)
    for path in other:
        Path(path).write_bytes(b"no Parquet")
    files = [exact_pattern(path) for path in own]
    assert len(duckdb.sql(shard_rows(ACTIVATIONS, files)).fetchall()) == 4


@pytest.mark.parametrize("folder", FEW)
def test_a_lake_answers_the_same_wherever_it_lies(tiny_lake: Run, tmp_path: Path, folder: str) -> None:
    root = tmp_path / folder / "lake"
    shutil.copytree(tiny_lake.root, root)
    here, there = pipeline.open(tiny_lake.root), pipeline.open(str(root))
    for table in set(TABLES) - {"activations"}:
        assert there.fetch(f"from {table} order by all").equals(here.fetch(f"from {table} order by all")), table
    counts = "select run, model, checkpoint, layer, neuron, count(*) from activations group by all order by all"
    assert there.fetch(counts).equals(here.fetch(counts))
    place = {"model": "lstm-2x5-seed0", "layer": 1, "neuron": 3}
    traces = [lake.ask("neuron_trace", run=tiny_lake.id, **place) for lake in (here, there)]
    assert traces[0].equals(traces[1])


def test_plain_duckdb_below_such_a_folder_reads_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the docs advise."""
    write_shards(tmp_path / "layer=7" / "neuron=3")
    monkeypatch.chdir(tmp_path / "layer=7" / "neuron=3")
    query = "from read_parquet('activations/**/*.parquet', hive_partitioning = true)"
    assert duckdb.sql(f"select layer, neuron {query} order by all").fetchall() == [(0, 0), (0, 1), (1, 0), (1, 1)]
