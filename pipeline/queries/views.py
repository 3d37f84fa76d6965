"""One view a table, over the shards that manifests list and nothing else.

On a disk every view is made at once. Of a remote lake a view is first only its columns, and gets its shards when a
query names the table: small shards as files of the cache, large ones where they lie.
"""

import re
import threading
from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.queries.catalog import Catalog
from pipeline.queries.correction import corrected
from pipeline.queries.engine import attach
from pipeline.queries.quoting import quoted
from pipeline.queries.shard_rows import exact_pattern, shard_rows
from pipeline.storage.cache import Cache
from pipeline.storage.folder import Folder
from pipeline.storage.listed import ListedObjects
from pipeline.storage.shards import check_footers
from schemas.command import command
from schemas.errors import StorageError, UnrolledError, UsageError
from schemas.manifest import StoredObject
from schemas.table import Table
from schemas.tables import TABLES

# Bytes. At 20 ms a request and 100 MB/s so much comes whole in the time of a footer and two columns.
SMALL = 4 * 2**20
AT_ONCE = 64 * 2**20  # bytes of small shards that one query may bring into the cache for a table
# A view without its shards may never answer: it would say that there are no rows.
_UNFILLED = "error('a table of a remote lake has to be named in the query itself')"
# What DuckDB says of a Parquet file that is damaged inside, without saying which.
_DAMAGED = re.compile(r"TProtocolException|magic bytes|ZSTD|[Dd]ecompress|[Pp]arquet file|[Pp]age header")
_OF_THE_QUERY = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


class Views:
    """The views of one lake on one connection, and the table `shards`; locked against everything else."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Folder, catalog: Catalog, cache: Cache | None
    ) -> None:
        """Make them. Raises StorageError when a table of a lake on this disk cannot be read."""
        self._connection, self._folder, self._catalog, self._cache = connection, folder, catalog, cache
        self._lock = threading.Lock()
        self._files: dict[str, list[Path]] = {}  # of the cache, by table that was filled
        self._objects = None if folder.is_local else ListedObjects(folder, cache)

        # DuckDB 1.5.5 has an internal error on min or max of a partition column over one file (duckdb#25629).
        connection.execute("set disabled_optimizers = 'statistics_propagation'")
        if self._objects:
            self.way = attach(connection, folder, self._objects)

        for table in TABLES.values():
            self._make(table, None if self._objects else self._addresses(catalog.objects(table.name)))

        connection.register("_shards", catalog.shards())
        connection.execute("create table shards as from _shards")
        connection.unregister("_shards")
        self._lock_down()

    def fill(self, tables: Collection[str], *, held: bool = True) -> None:
        """Give tables their shards, held to their manifests unless somebody else does.

        Raises StorageError when they cannot be read, or are others than listed.
        """
        with self._lock:
            for name in tables:
                if self._objects is None and held:
                    self._check(name)
                elif self._objects and not self._is_filled(name):
                    self._fill(TABLES[name])

    def reason(self, error: Exception) -> UnrolledError:
        """An error of DuckDB's, or of the store below it, as one of ours."""
        if self._objects and (failure := self._objects.take_error()):
            return failure
        if not isinstance(error, _OF_THE_QUERY) and (damage := self._damage(error)):
            return StorageError(damage)
        if isinstance(error, duckdb.IOException) and self._objects:
            return StorageError(f"the lake at {self._folder.root} cannot be read: {str(error).splitlines()[0]}")
        return UsageError(str(error))

    def _damage(self, error: Exception) -> str:
        """What to say of a shard that is gone or no whole Parquet file; empty when the error tells of none."""
        text = str(error)
        why = text.splitlines()[0]
        for stored in (stored for table in TABLES for stored in self._catalog.objects(table)):
            if stored.path in text:
                again = self._catalog.again_with(stored.path)
                return f"{self._folder.address(stored.path)} cannot be read ({why}): {again}"
        # What DuckDB says of a query has a class of its own; what its reader of Parquet stumbled over has not.
        if type(error) is duckdb.Error or _DAMAGED.search(text):
            audits = " or ".join(
                f"`{command('audit', run, root=self._catalog.root)}`" for run in islice(self._catalog.runs, 3)
            )
            return f"the lake at {self._folder.root} cannot be read ({why}): {audits} tells what has changed"
        return ""

    def _check(self, table: str) -> None:
        """Hold a table's shards on this disk to their manifests, once. Remote ones are held as they are read."""
        if table not in self._files:
            check_footers(self._folder, self._catalog.objects(table))
            self._files[table] = []

    def _is_filled(self, table: str) -> bool:
        """Whether a view has its shards, and the cache still has those that it lent."""
        return table in self._files and all(file.exists() for file in self._files[table])

    def _fill(self, table: Table) -> None:
        objects = self._catalog.objects(table.name)
        files = self._kept(objects, self._cache) if self._cache else {}
        far = [stored for stored in objects if stored.path not in files]
        assert self._objects is not None
        self._objects.add(far)
        # Those nearby come first: to make a view DuckDB reads its first file.
        self._make(table, [str(file) for file in files.values()] + self._addresses(far))
        self._files[table.name] = list(files.values())

    def _kept(self, objects: Collection[StoredObject], cache: Cache) -> dict[str, Path]:
        """The files of small shards, by the shards' paths; those that are not there are read, up to a limit."""
        small = [stored for stored in objects if stored.bytes <= SMALL]
        files = {stored.path: cache.shard(stored) for stored in small}

        wanted: dict[str, StoredObject] = {}
        total = 0
        for stored in small:
            if files[stored.path] is None and total + stored.bytes <= AT_ONCE:
                wanted[stored.path] = stored
                total += stored.bytes

        for path, data in self._folder.read_many(wanted).items():
            cache.write_shard(wanted[path], data)
        files |= {path: cache.shard(stored) for path, stored in wanted.items()}

        kept = {path: file for path, file in files.items() if file is not None and file.exists()}
        cache.lend(kept.values())
        return kept

    def _addresses(self, objects: Iterable[StoredObject]) -> list[str]:
        addresses = (self._folder.address(stored.path) for stored in objects)
        return [exact_pattern(address) if self._folder.is_local else address for address in addresses]

    def _make(self, table: Table, files: list[str] | None) -> None:
        try:
            self._connection.execute(f"create or replace view {table.name} as {self._body(table, files)}")
        except duckdb.Error as error:  # it reads the first shard's columns
            if self._objects and (failure := self._objects.take_error()):
                raise failure from None
            if not self._objects:  # names the shard that has changed, if it is one
                check_footers(self._folder, self._catalog.objects(table.name))
            why = f"{str(error).splitlines()[0]}; its first shard is {(files or [''])[0]}"
            again = self._catalog.again_with(self._catalog.objects(table.name)[0].path)
            raise StorageError(f"{table.name} cannot be read ({why}): {again}") from None

    def _body(self, table: Table, files: list[str] | None) -> str:
        if not files:
            nulls = ", ".join(f'cast(null as {_TYPES[c.type]}) as "{c.name}"' for c in table.columns)
            body = f"select {nulls} where {'false' if files is not None else _UNFILLED}"
        else:
            body = shard_rows(table, files)
        if table.name == "scores" and files:
            return corrected(body)
        if table.name != "runs":
            return body
        status = [f"({quoted(run)}, {quoted(word)})" for run, word in self._catalog.status.items()]
        if not status:
            return f"select *, '' as status from ({body})"
        return f"select * from ({body}) left join (values {', '.join(status)}) as s(run, status) using (run)"

    def _lock_down(self) -> None:
        folders = [f"{self._cache.shards}/"] if self._cache else []
        if self._objects and self.way == "httpfs":
            # Not their folder: httpfs resolves the dots of s3://bucket/lake/../other only after that was let pass.
            objects = self._addresses(o for table in TABLES for o in self._catalog.objects(table))
            self._connection.execute(f"set allowed_paths = [{', '.join(map(quoted, objects))}]")
        else:
            folders += {self._folder.address(""), exact_pattern(self._folder.address(""))}
        self._connection.execute(f"set allowed_directories = [{', '.join(map(quoted, folders))}]")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")
