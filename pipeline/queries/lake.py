"""A lake as DuckDB sees it: one view a table, over the shards that manifests list and nothing else. Read-only."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import duckdb
import pyarrow as pa

from pipeline.queries.answer import Answer
from pipeline.queries.audit.check import Audit
from pipeline.queries.audit.dumps import all_objects, find_dumps, what_dumps_rest_on
from pipeline.queries.catalog import Catalog, read_catalog
from pipeline.queries.engine import CONFIGURATION
from pipeline.queries.portable import portable
from pipeline.queries.question import find_question
from pipeline.queries.statement import read_statement
from pipeline.queries.views import Views
from pipeline.storage.cache import cache_of
from pipeline.storage.folder import Folder
from schemas.errors import IncompleteWarning

Parameters = Mapping[str, object]


class Lake:
    """A connection to one lake. Only SELECT, and only below the lake's root."""

    def __init__(self, root: str) -> None:
        """Read the manifests and make the views; see `pipeline.open`."""
        self.folder = Folder(root)
        cache = cache_of(self.folder)
        self.catalog: Catalog = read_catalog(self.folder, cache)
        self._connection = duckdb.connect(":memory:", config=CONFIGURATION)
        self._views = Views(self._connection, self.folder, self.catalog, cache)

    def sql(self, query: str, parameters: Parameters | None = None) -> Answer:
        """The answer to a query: `.df()`, `.pl()`, `.to_arrow_table()`, `.fetchall()` read it, each anew.

        Args:
            query: one SELECT, in DuckDB's SQL, with parameters as $name.
            parameters: their values.

        Raises:
            UsageError: an error in the query, in DuckDB's words, a statement that is not a SELECT, or a function
                that may do more than read.
            StorageError: what it needs cannot be read, or is not what the manifests list.

        Warns:
            IncompleteWarning: a table that it names lacks rows of a run that is not finished.
        """
        given = dict(parameters or {})
        with self._told():
            self._bind(query, given)
        return Answer(partial(self._run, query, given), self._told)

    def ask(self, question: str, **parameters: object) -> pa.Table:
        """The answer to a shipped question; parameters that are left out take their defaults. Warns as `sql`."""
        shipped = find_question(question)
        return self.fetch(shipped.sql, shipped.complete(parameters))

    def fetch(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer to a query, as an Arrow table. Raises and warns as `sql` does."""
        batches = self.batches(query, parameters)
        with self._told():
            return batches.read_all()

    def batches(self, query: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """The answer to a query, batch by batch, for results larger than memory."""
        with self._told():
            return self._run(query, parameters or {}).to_arrow_reader(100_000)

    def portable(
        self, query: str, parameters: Parameters | None = None, *, parquet: bool = False
    ) -> pa.RecordBatchReader:
        """As `batches`, in types that every reader of CSV and JSON has, or of Parquet, and names of their own."""
        given = dict(parameters or {})
        with self._told():
            cursor = self._connection.cursor()
            self._prepare(cursor, query, given)
            return cursor.execute(portable(cursor, query, given, parquet=parquet), given).to_arrow_reader(100_000)

    def audit(
        self,
        run: str,
        model: str | None = None,
        checkpoint: int | None = None,
        tell: Callable[[float], None] = lambda _: None,
    ) -> pa.Table:
        """Recheck a run's dumps, down to each gate's own equation from the checkpoint's weights.

        Without a model and a checkpoint every object of the run is held to its digest, and every stage that was
        begun has to be published; else only what they rest on is looked at.

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
        is_whole = model is None and checkpoint is None
        objects = all_objects(self.catalog, run) if is_whole else what_dumps_rest_on(self.catalog, dumps)

        self._views.fill(("activations", "predictions", "steps", "models"), held=False)
        with self._told():
            audit = Audit(self.folder, self.catalog, self._connection, dumps, objects, whole=is_whole)
            return audit.lines(tell)

    def _run(self, query: str, parameters: Parameters) -> duckdb.DuckDBPyConnection:
        """Run a query on a connection of its own, once it is known to do nothing but read."""
        # Not as a relation: one neuron's trace over 66,560 steps took 267 ms so, and takes 12 as it is.
        cursor = self._connection.cursor()
        self._prepare(cursor, query, parameters)
        return cursor.execute(query, dict(parameters))

    def _bind(self, query: str, parameters: Parameters) -> None:
        """Find what is wrong with a query before its answer is read."""
        cursor = self._connection.cursor()
        self._prepare(cursor, query, parameters)
        try:
            cursor.execute(f"describe {query}", dict(parameters))
        except duckdb.ParserException:  # of EXPLAIN and the like, which cannot be described
            return
        except duckdb.Error:
            cursor.execute(query, dict(parameters))  # so that the error shows the query itself

    def _prepare(self, cursor: duckdb.DuckDBPyConnection, query: str, parameters: Parameters) -> None:
        statement = read_statement(cursor, query)
        statement.require(parameters.keys())
        self._views.fill(statement.tables)
        # A question is asked about its run; of other queries nobody knows which rows they leave aside.
        for told in self.catalog.incomplete(statement.tables, parameters.get("run")):
            warnings.warn(told, IncompleteWarning, stacklevel=1)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn DuckDB's errors, and those of the store below it, into ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._views.reason(error) from None
