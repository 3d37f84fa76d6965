"""A lake as DuckDB sees it: one view a table, over the shards that manifests list and nothing else. Read-only."""

import re
from collections.abc import Callable, Mapping

import duckdb
import pyarrow as pa

from pipeline.queries.audit.check import Audit
from pipeline.queries.audit.dumps import find_dumps
from pipeline.queries.catalog import Catalog, read_catalog
from pipeline.queries.question import find_question
from pipeline.storage.folder import Folder
from schemas import TABLES
from schemas.errors import StorageError, UsageError
from schemas.stages import TABLES_OF
from schemas.table import Table

Parameters = Mapping[str, object]
_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s+", re.IGNORECASE)


class Lake:
    """A connection to one lake. Only SELECT, and only below the lake's root."""

    def __init__(self, root: str) -> None:
        """Read the manifests and make the views; see `pipeline.open`."""
        self.folder = Folder(root)
        self.catalog: Catalog = read_catalog(self.folder)
        self._connection = duckdb.connect(":memory:")
        self._make_views()

    def sql(self, query: str, parameters: Parameters | None = None) -> duckdb.DuckDBPyRelation:
        """The answer to a query as a DuckDB relation: `.df()`, `.pl()`, `.to_arrow_table()` read it.

        Without parameters it is computed when it is read; with them DuckDB computes it at once and keeps every
        value, so `fetch` is the better call for many rows.

        Args:
            query: one SELECT, in DuckDB's SQL, with parameters as $name.
            parameters: their values.

        Raises:
            UsageError: an error in the query, in DuckDB's words, or a statement that is not a SELECT.
        """
        try:
            self._check_reads(query, parameters or {})
            return self._connection.sql(query, params=dict(parameters) if parameters else None)
        except duckdb.Error as error:
            raise UsageError(str(error)) from None

    def ask(self, question: str, **parameters: object) -> pa.Table:
        """The answer to a shipped question; parameters that are left out take their defaults."""
        found = find_question(question)
        return self.fetch(found.sql, found.complete(parameters))

    def fetch(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer to a query, as an Arrow table. Raises UsageError as `sql` does."""
        return self.batches(query, parameters).read_all()

    def batches(self, query: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """The answer to a query, batch by batch, for results larger than memory."""
        try:
            self._check_reads(query, parameters or {})
            # Not by way of `sql`: one neuron's trace over 66,560 steps took 267 ms through a relation with
            # parameters, and takes 12 so.
            return self._connection.cursor().execute(query, dict(parameters or {})).to_arrow_reader(100_000)
        except duckdb.Error as error:
            raise UsageError(str(error)) from None

    def audit(
        self,
        run: str,
        model: str | None = None,
        checkpoint: int | None = None,
        tell: Callable[[float], None] = lambda _: None,
    ) -> pa.Table:
        """Recheck a run's dumps, down to each gate's own equation from the checkpoint's weights.

        Args:
            run: the run's id.
            model: one of its models, None for all.
            checkpoint: one of its dumped checkpoints, None for all.
            tell: is given the share of the work that has been done, now and then.

        Returns:
            A row for each invariant: rows checked, violations, the largest and the median residual, the largest
            tolerance, and a note that says where the worst violation is or what was left out.

        Raises:
            UsageError: there is no such run, model or checkpoint, or it was not dumped.
        """
        dumps = find_dumps(self.catalog, run, model, checkpoint)
        return Audit(self.folder, self.catalog, self._connection, dumps).lines(tell)

    def _check_reads(self, query: str, parameters: Parameters) -> None:
        explain = _EXPLAIN.match(query)  # only at the very start, else a comment could hide what follows it
        statements = self._connection.extract_statements(query[explain.end() :] if explain else query)
        if len(statements) != 1:
            raise UsageError(f"one SELECT at a time, not {len(statements)} statements")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError(
                f"only SELECT is allowed, not {statements[0].type.name}: a lake is written by its stages alone"
            )
        missing = sorted(statements[0].named_parameters - set(parameters))
        if missing:
            raise UsageError(f"the query needs {', '.join(missing)}: give --set {missing[0]}=…")

    def _make_views(self) -> None:
        connection = self._connection
        # DuckDB 1.5.5 has an internal error on min or max of a partition column over one file (duckdb#25629).
        connection.execute("set disabled_optimizers = 'statistics_propagation'")
        if not self.folder.is_local:
            connection.register_filesystem(self.folder.filesystem)
        for table in TABLES.values():
            try:
                connection.execute(f"create view {table.name} as {self._view(table)}")
            except duckdb.Error as error:  # it reads the first shard's columns
                why = str(error).splitlines()[0]
                stage = next(name for name, tables in TABLES_OF.items() if table.name in tables)
                raise StorageError(
                    f"{table.name} cannot be read ({why}): type `unrolled run` with --replace {stage}"
                ) from None
        connection.register("_shards", self.catalog.shards())
        connection.execute("create table shards as from _shards")
        connection.unregister("_shards")
        connection.execute(f"set allowed_directories = [{_quoted(self.folder.address(''))}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")

    def _view(self, table: Table) -> str:
        shards = self.catalog.paths(table.name)
        columns = ", ".join(column.name for column in table.columns)
        if not shards:
            nulls = ", ".join(f"cast(null as {_sql_type(c.type)}) as {c.name}" for c in table.columns)
            body = f"select {nulls} where false"
        else:
            files = ", ".join(_quoted(self.folder.address(path)) for path in shards)
            types = ", ".join(f"{name}: {kind}" for name, kind in table.partition_types.items())
            options = f"hive_partitioning = true, hive_types = {{{types}}}"
            body = f"select {columns} from read_parquet([{files}], {options})"
        if table.name != "runs":
            return body
        status = [f"({_quoted(run)}, {_quoted(word)})" for run, word in self.catalog.status.items()]
        if not status:
            return f"select *, '' as status from ({body})"
        return f"select * from ({body}) left join (values {', '.join(status)}) as s(run, status) using (run)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_type(type_: pa.DataType) -> str:
    names = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    }
    return names[type_]
