"""A lake on S3 answers as the same lake on disk does, by both ways, and reads no more than it has to."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline
from jobs.run.context import Run
from pipeline.queries import engine, views
from pipeline.queries.engine import describe_engine
from pipeline.queries.lake import Lake
from pipeline.queries.question import find_question, questions
from pipeline.storage.folder import Folder
from pipeline.storage.sealed import seal, unseal
from pipeline.storage.whole import footer_digest
from schemas.errors import IncompleteWarning, StorageError, UsageError
from schemas.fingerprint import blake3_of
from schemas.manifest import Manifest
from schemas.tables import TABLES
from tests.conftest import do_all, tiny_run
from tests.counting import Requests, counting_proxy
from tests.s3 import BUCKET, KEYS, s3_environment

pytestmark = pytest.mark.slow

GIVEN: dict[str, object] = {
    "model": "lstm-2x5-seed0",
    "layer": 1,
    "neuron": 3,
    "hypothesis": "is_separator",
    "first": "count_a",
}


class Remote(NamedTuple):
    """A copy of the small lake on S3, and what is asked of its server."""

    root: str
    run: Run  # of the lake on disk
    requests: Requests

    def open(self) -> Lake:
        """Afresh, with nothing counted before."""
        self.requests.take()
        return pipeline.open(self.root)

    def read(self) -> Counter[str]:
        """How often each object was read since the last look, by its path in the lake; listings are `list`."""
        start = f"/{self.root.removeprefix('s3://')}/"
        found: Counter[str] = Counter()
        for request in self.requests.take():
            assert request.method in ("GET", "HEAD"), "a reader only reads"
            found["list" if "prefix=" in request.query else request.path.removeprefix(start)] += 1
        return found


def upload(source: Path, root: str) -> None:
    """A lake, object by object."""
    here, there = Folder(str(source)), Folder(root)
    for path in here.list():
        assert there.create(path, here.read(path))


@contextmanager
def copied(lake: Run, server: str, logs: Path) -> Iterator[Remote]:
    """A lake on a server, behind a proxy that counts."""
    with counting_proxy(server, logs) as requests, s3_environment(requests.endpoint):
        root = f"s3://{BUCKET}/{logs.name}/lake"
        upload(Path(lake.root), root)
        yield Remote(root, lake, requests)


@pytest.fixture(scope="module")
def remote(small_lake: Run, s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with copied(small_lake, s3_server, tmp_path_factory.mktemp("requests")) as made:
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=["httpfs", "fsspec"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(engine.SETTING, request.param)
    return str(request.param)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shard is small: each is read where it lies."""
    monkeypatch.setattr(views, "SMALL", 0)


def files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def ask_all(lake: Lake, run: str) -> dict[str, pa.Table]:
    """Every view, and every shipped question."""
    found = {table: lake.fetch(f"from {table} order by all") for table in [*TABLES, "shards"]}
    for name in questions():
        wanted = {parameter.name for parameter in find_question(name).parameters}
        given = {key: value for key, value in {**GIVEN, "run": run}.items() if key in wanted}
        found[name] = lake.ask(name, **given)
    return found


@pytest.mark.parametrize("kept", ["small shards kept", "only tails kept", "nothing kept"])
def test_answers_are_those_of_the_lake_on_disk(
    remote: Remote, way: str, kept: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept != "small shards kept":
        monkeypatch.setattr(views, "SMALL", 0)
    if kept == "nothing kept":
        monkeypatch.setenv("UNROLLED_CACHE_BYTES", "0")
    expected = ask_all(pipeline.open(remote.run.root), remote.run.id)
    for _ in range(2):
        lake = remote.open()
        assert lake._views.way == way
        assert ask_all(lake, remote.run.id) == expected
    assert bool(files(cache)) == (kept != "nothing kept")


@pytest.mark.parametrize("small", [0, 2**22])
def test_where_a_lake_lies_changes_no_answer(
    remote: Remote, way: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SMALL", small)
    root = f"s3://{BUCKET}/layer=7/value=1/q?{way}{small}"
    upload(Path(remote.run.root), root)
    assert ask_all(pipeline.open(root), remote.run.id) == ask_all(pipeline.open(remote.run.root), remote.run.id)


def test_answers_of_a_store_of_another_make(
    small_lake: Run, localbucket: str, way: str, far: None, tmp_path: Path
) -> None:
    expected = ask_all(pipeline.open(small_lake.root), small_lake.id)
    with copied(small_lake, localbucket, tmp_path) as other:
        assert ask_all(other.open(), other.run.id) == expected


def test_only_what_manifests_list_is_read(remote: Remote, way: str, far: None) -> None:
    lake = pipeline.open(remote.run.root)
    stray = "activations/run=stray/model=m/checkpoint=1/layer=0/part-00000.parquet"
    Folder(remote.root).create(stray, b"no Parquet")
    Folder(remote.root).create("_meta/run=stray/dump/model=m/plan.json", b"{}")
    try:
        remote.requests.take()
        with pytest.warns(IncompleteWarning, match=r"^stray has lost its run\.json"):
            ask_all(remote.open(), remote.run.id)
        read = remote.read()
        digests = {stored.path: stored.blake3 for table in TABLES for stored in lake.catalog.objects(table)}
        assert {digests[path] for path in set(read) & set(digests)} == set(digests.values())
        documents = set(read) - set(digests) - {"list"}
        assert documents
        assert all(path.endswith(("/lake.json", "/run.json", "/manifest.json")) for path in documents)
    finally:
        Folder(remote.root).remove("activations/run=stray")
        Folder(remote.root).remove("_meta/run=stray")


def test_a_second_call_only_lists(remote: Remote, way: str) -> None:
    first = remote.open().fetch("from steps join predictions using (run, sequence, step) order by all")
    read = remote.read()
    assert read.pop("list") == 2, "_meta and runs"
    assert set(read.values()) == {1}, "each document and shard in one request"
    assert not any(path.startswith("activations") for path in read), "a table that no query named"
    again = remote.open().fetch("from steps join predictions using (run, sequence, step) order by all")
    assert remote.read() == {"list": 2}
    assert again == first


def test_a_footer_is_read_once(remote: Remote, far: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of the small lake is no more than a tail, so a second call needs nothing."""
    monkeypatch.setenv(engine.SETTING, "fsspec")
    first = remote.open().fetch("from activations order by all")
    read = remote.read()
    assert read.pop("list") == 2
    assert set(read.values()) == {1}
    assert remote.open().fetch("from activations order by all") == first
    assert remote.read() == {"list": 2}


def test_a_footer_that_is_longer_than_a_tail(remote: Remote, far: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.SETTING, "fsspec")
    monkeypatch.setattr("pipeline.storage.listed.TAIL", 100)
    expected = pipeline.open(remote.run.root).fetch("from activations order by all")
    for _ in range(2):
        assert remote.open().fetch("from activations order by all") == expected


@pytest.mark.parametrize("small", [0, 2**22])
def test_a_flipped_byte_of_the_cache_is_noticed(
    remote: Remote, cache: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SMALL", small)
    expected = ask_all(remote.open(), remote.run.id)
    kept = files(cache)
    assert {path.relative_to(cache).parts[1] for path in kept} == {"documents", "shards" if small else "tails"}
    before = {path: path.read_bytes() for path in kept}
    for path, data in before.items():
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    assert ask_all(remote.open(), remote.run.id) == expected
    assert {path: path.read_bytes() for path in files(cache)} == before


def test_a_cache_that_goes_while_a_lake_is_open(remote: Remote, way: str, cache: Path) -> None:
    lake = remote.open()
    before = lake.fetch("from steps order by all")
    shutil.rmtree(cache)
    assert lake.fetch("from steps order by all") == before


def test_a_cache_that_cannot_be_written_is_none(
    remote: Remote, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "cache", tmp_path / "key=value"):
        monkeypatch.setenv("UNROLLED_CACHE", str(place))
        assert remote.open().fetch("from steps").num_rows > 0


@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_the_cache_keeps_to_its_bound(
    remote: Remote, way: str, cache: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNROLLED_CACHE_BYTES", str(limit))
    expected = ask_all(pipeline.open(remote.run.root), remote.run.id)
    assert ask_all(remote.open(), remote.run.id) == expected
    assert 0 < sum(path.stat().st_size for path in files(cache)) <= limit


def test_a_bound_that_is_no_number(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_CACHE_BYTES", "2 GiB")
    with pytest.raises(UsageError, match="UNROLLED_CACHE_BYTES is '2 GiB': a number of bytes, or 0"):
        remote.open()


def test_a_run_that_was_replaced_is_noticed(remote: Remote, way: str, tmp_path: Path) -> None:
    """The same names hold other bytes."""
    settings: dict[str, dict[str, object]] = {
        "model": {"cell": ["gru"], "layers": [1]},
        "dump": {"checkpoints": "last"},
    }
    one, other = (tiny_run(tmp_path / name, **settings) for name in ("one", "other"))
    for run in (one, other):
        do_all(run)
    rewrite(Folder(other.root), "steps")
    root = f"{remote.root}-replaced-{way}"
    folder = Folder(root)
    for run in (one, other):
        folder.remove("")
        upload(Path(run.root), root)
        expected = pipeline.open(run.root).fetch("from steps order by all")
        assert pipeline.open(root).fetch("from steps order by all") == expected


def rewrite(folder: Folder, table: str) -> None:
    """Give each shard of a table one row less, and say so in its manifest."""
    for path in folder.list("_meta"):
        if not path.endswith("manifest.json"):
            continue
        manifest = unseal(Manifest, folder.read(path))
        objects = []
        for stored in manifest.objects:
            if stored.table == table:
                rows = pq.read_table(pa.BufferReader(folder.read(stored.path)))
                sink = pa.BufferOutputStream()
                pq.write_table(rows.slice(1), sink)
                data = sink.getvalue().to_pybytes()
                folder.replace(stored.path, data)
                change = {"blake3": blake3_of(data), "bytes": len(data), "rows": len(rows) - 1}
                change |= {"footer": footer_digest(data)}
                stored = stored.model_copy(update=change)  # noqa: PLW2901
            objects.append(stored)
        changed = manifest.model_copy(update={"objects": tuple(objects)})
        folder.replace(path, seal(changed))


def test_an_audit_holds_on_s3_and_finds_what_was_changed(remote: Remote, way: str) -> None:
    lake = remote.open()
    expected = pipeline.open(remote.run.root).audit(remote.run.id, "lstm-2x5-seed0")
    assert lake.audit(remote.run.id, "lstm-2x5-seed0") == expected
    shard = next(o.path for o in lake.catalog.objects("activations") if "model=lstm-2x5" in o.path)
    folder = Folder(remote.root)
    data = folder.read(shard)
    folder.replace(shard, data[:200] + bytes([data[200] ^ 1]) + data[201:])
    try:
        lines = {line["invariant"]: line for line in remote.open().audit(remote.run.id).to_pylist()}
        assert lines["digests"]["violations"] == 1
        assert lines["digests"]["note"] == f"{shard} has changed since it was written"
    finally:
        folder.replace(shard, data)


@pytest.mark.parametrize(
    "query",
    [
        f"from read_text('s3://{BUCKET}/elsewhere/secret.txt')",
        "from read_text('/etc/hostname')",
        "from read_parquet('{cache}/other/**/*.parquet')",
        "from read_text('http://127.0.0.1:1/')",
        "from glob('s3://{bucket}/*')",
        "from read_text('{root}-beside/secret.txt')",
        "from read_text('{root}/../secret.txt')",
        "from read_text('{root}/_meta/lake.json')",
        "from read_text('{shards}/../documents/*')",
        "from read_text('{shards}/../../../*')",
    ],
)
def test_nothing_else_can_be_reached(remote: Remote, way: str, cache: Path, query: str) -> None:
    Folder(f"s3://{BUCKET}").replace("elsewhere/secret.txt", b"secret")
    Folder(f"{remote.root}-beside").replace("secret.txt", b"secret")
    lake = remote.open()
    lake.fetch("from steps limit 1")
    (shards,) = cache.glob("*/shards")
    remote.requests.take()
    try:
        found = lake.fetch(query.format(root=remote.root, bucket=BUCKET, cache=cache, shards=shards))
        assert found.num_rows == 0
    except (UsageError, StorageError):
        pass
    assert remote.read() == {}


def test_no_secret_is_shown(remote: Remote, way: str, far: None) -> None:
    lake = remote.open()
    for query in ("from duckdb_secrets()", "from duckdb_settings()", "from which_secret('{}/a', 's3')"):
        told = str(lake.fetch(query.format(remote.root)).to_pylist()) if way == "httpfs" else ""
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in told
    with pytest.raises(duckdb.Error, match=r"locked|disabled"):
        lake._connection.execute("set allow_unredacted_secrets = true")
    with pytest.raises(UsageError, match="only SELECT"):
        lake.fetch("create secret other (type s3, key_id 'x', secret 'y')")


def test_what_is_gone_is_named(remote: Remote, way: str, far: None) -> None:
    folder = Folder(remote.root)
    lake = remote.open()
    shard = lake.catalog.objects("predictions")[-1].path
    data = folder.read(shard)
    lake.fetch("select count(*) from steps")
    folder.remove(shard)
    try:
        with pytest.raises(StorageError) as told:
            lake.fetch("select sum(loss) from predictions")
        assert shard in str(told.value)
        assert KEYS["AWS_ACCESS_KEY_ID"] not in str(told.value)
        assert len(str(told.value).splitlines()) <= 2
    finally:
        folder.create(shard, data)


def test_a_table_must_be_named(remote: Remote, far: None) -> None:
    lake = remote.open()
    count = lake.fetch("select count(*) as n from steps")
    for query in ("select count(*) as n from query_table('st' || 'eps')", 'select count(*) as n from "STEPS"'):
        assert remote.open().fetch(query) == count


@pytest.mark.usefixtures("remote")
def test_doctor_is_told_which_way_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.SETTING, "httpfs")
    wheel = f"httpfs {duckdb.__version__} from the wheel duckdb-extension-httpfs"
    assert describe_engine() == f"{wheel}, as UNROLLED_DUCKDB_FILES asks"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf"(?s)pip install duckdb-extension-httpfs=={duckdb.__version__}"):
        describe_engine()
    monkeypatch.setenv(engine.SETTING, "fsspec")
    assert "fsspec" in describe_engine()
    monkeypatch.setenv(engine.SETTING, "ftp")
    with pytest.raises(UsageError, match="UNROLLED_DUCKDB_FILES is 'ftp': auto, httpfs, fsspec"):
        describe_engine()
