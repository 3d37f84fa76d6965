"""A lake as DuckDB sees it: one view a table, over the shards that manifests list and nothing else. Read-only."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import duckdb
import pyarrow as pa

from pipeline.queries.answer import Answer
from pipeline.queries.audit.check import Audit
from pipeline.queries.audit.dumps import all_objects, find_dumps, what_dumps_rest_on
from pipeline.queries.caller import warn_caller
from pipeline.queries.catalog import Catalog, read_catalog
from pipeline.queries.engine import CONFIGURATION
from pipeline.queries.html import html_rows
from pipeline.queries.names import Names, find_run
from pipeline.queries.portable import portable
from pipeline.queries.question import Question, claims, find_question
from pipeline.queries.scope import Checkpoint, part_of
from pipeline.queries.statement import Statement, read_statement
from pipeline.queries.views import Views
from pipeline.storage.cache import Cache, cache_of
from pipeline.storage.folder import Folder
from schemas.errors import IncompleteWarning, UsageError
from schemas.experiment import Experiment

Parameters = Mapping[str, object]


_SHOWN = 20  # runs, where a lake is printed


class Lake:
    """A connection to one lake, or to one run of it. Only SELECT, and only below the lake's root."""

    def __init__(
        self,
        folder: Folder,
        catalog: Catalog,
        cache: Cache | None = None,
        scope: str | None = None,
        checkpoint: Checkpoint = None,
    ) -> None:
        """Make the views; see `pipeline.open`, and `run` for a run by itself.

        Args:
            folder: the lake.
            catalog: what its tables hold.
            cache: where small shards of a remote lake are kept.
            scope: the id of the run that it is about, None for all.
            checkpoint: of the run that it is about, None for all.
        """
        self._checkpoint = checkpoint
        self.folder, self.catalog, self._cache, self._scope = folder, catalog, cache, scope
        self._connection = duckdb.connect(":memory:", config=CONFIGURATION)
        self._views = Views(self._connection, folder, catalog, cache)
        self._names = Names(catalog, self._looked_up)

    def run(self, run: str, checkpoint: Checkpoint = None) -> "Lake":
        """One run by itself: a lake whose tables hold nothing else, and whose questions need no run.

        Args:
            run: its id, the start of it, or its experiment's name if it made only one.
            checkpoint: only what is of this checkpoint, or "last": of each model's last one in each table. What
                belongs to no checkpoint, such as steps and metrics, is all there.

        Raises UsageError for an unknown run or checkpoint.
        """
        found = self.find_run(run)
        at = self._checkpoint if checkpoint is None else checkpoint
        return Lake(self.folder, part_of(self.catalog, found, checkpoint), self._cache, found, at)

    def find_run(self, name: str | None) -> str:
        """The id of the run of an id, the only one of an experiment, or the only one whose id begins so.

        Raises UsageError for none, or for several, and StorageError for one that has lost its run.json.
        """
        return find_run(self.catalog, name)

    def __repr__(self) -> str:
        """Its root, and how many runs it has, or which run it is, at which checkpoint."""
        return f"<Lake {self._title()}>"

    def _repr_html_(self) -> str:
        """Its runs, for a notebook."""
        rows = [{"run": run, "status": status} for run, status in sorted(self.catalog.status.items())]
        table = pa.Table.from_pylist(rows[:_SHOWN], pa.schema([("run", pa.string()), ("status", pa.string())]))
        return html_rows(table, self._title())

    def _title(self) -> str:
        if not self._scope:
            return f"{self.catalog.root}: {_counted(self.catalog)}"
        at = "" if self._checkpoint is None else f", checkpoint {self._checkpoint}"
        return f"{self.catalog.root}: {self._scope}{at}, {self.catalog.status[self._scope]}"

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
        given = _named(parameters)
        with self._told():
            self._warn(self._bind(query, given), given)
        return Answer(partial(self._run, query, given), self._told)

    def ask(self, question: str, **parameters: object) -> pa.Table:
        """The answer to a shipped question; parameters that are left out take their defaults. Warns as `sql`.

        Raises UsageError for a parameter that is missing or names what the lake does not have.
        """
        shipped = find_question(question)
        return self.fetch(shipped.sql, self.complete(shipped, parameters))

    def claims(self, run: str | None = None, checkpoint: Checkpoint = None) -> dict[str, pa.Table]:
        """Whether the claims about a run's task hold of its networks.

        Args:
            run: its id, or the start of it; may be left out if the lake is of one run.
            checkpoint: one that was dumped, each model's last one when it is None or "last".

        Returns:
            By the claim's name a row for each network with a cell state: `model`, `checkpoint`, `held`, `neuron`,
            and the figures that decide. `ask` gives the same for one claim, with other thresholds.

        Raises UsageError for an unknown run or checkpoint, and for a task that no claim is about.
        """
        found = self.find_run(run or self._scope)
        task = Experiment.model_validate(self.catalog.runs[found].experiment).task.name
        fitting = [name for name, claim in claims().items() if task in claim.tasks]
        if not fitting:
            known = sorted({task for claim in claims().values() for task in claim.tasks})
            raise UsageError(f"no claim is about the task of {found}, {task}: they are about {', '.join(known)}")
        return {name: self.ask(name, run=found, checkpoint=checkpoint) for name in fitting}

    def complete(self, question: Question, given: Parameters) -> dict[str, object]:
        """All parameters of a question; the run by its whole id. Raises as `ask` does."""
        scope = {p.name: self._scope for p in question.parameters if p.kind == "run" and self._scope}
        return self._names.checked(question, question.complete({**scope, **given}))

    def fetch(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer to a query, as an Arrow table. Raises and warns as `sql` does."""
        batches = self.batches(query, parameters)
        with self._told():
            return batches.read_all()

    def batches(self, query: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """The answer to a query, batch by batch, for results larger than memory. Warns as `sql` does."""
        given = _named(parameters)
        with self._told():
            cursor = self._connection.cursor()
            self._warn(self._prepare(cursor, query, given), given)
            return cursor.execute(query, given).to_arrow_reader(100_000)

    def portable(
        self, query: str, parameters: Parameters | None = None, *, parquet: bool = False
    ) -> pa.RecordBatchReader:
        """As `batches`, in types that every reader of CSV and JSON has, or of Parquet, and names of their own."""
        given = _named(parameters)
        with self._told():
            cursor = self._connection.cursor()
            self._warn(self._prepare(cursor, query, given), given)
            return cursor.execute(portable(cursor, query, given, parquet=parquet), given).to_arrow_reader(100_000)

    def audit(
        self,
        run: str,
        model: str | None = None,
        checkpoint: Checkpoint = None,
        tell: Callable[[float], None] = lambda _: None,
    ) -> pa.Table:
        """Recheck a run's dumps, down to each gate's own equation from the checkpoint's weights.

        Without a model and a checkpoint every object of the run is held to its digest, and every stage that was
        begun has to be published; else only what they rest on is looked at.

        Args:
            run: the run's id, or the start of it.
            model: one of its models, None for all.
            checkpoint: one of its dumped checkpoints, "last" for each model's last one, None for all.
            tell: is given the share of the work that has been done, now and then.

        Returns:
            A row for each invariant: rows checked, violations, the largest and the median residual, the largest
            tolerance, and a note that says where the worst violation is or what was left out.

        Raises:
            UsageError: there is no such run, model or checkpoint, or it was not dumped.
        """
        run = self.find_run(run)
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

    def _looked_up(self, query: str, parameters: Parameters) -> pa.Table:
        with self._told():
            return self._run(query, parameters).to_arrow_table()

    def _bind(self, query: str, parameters: Parameters) -> Statement:
        """Find what is wrong with a query before its answer is read."""
        cursor = self._connection.cursor()
        statement = self._prepare(cursor, query, parameters)
        try:
            cursor.execute(f"describe {query}", dict(parameters))
        except duckdb.ParserException:  # of EXPLAIN and the like, which cannot be described
            return statement
        except duckdb.Error:
            cursor.execute(query, dict(parameters))  # so that the error shows the query itself
        return statement

    def _prepare(self, cursor: duckdb.DuckDBPyConnection, query: str, parameters: Parameters) -> Statement:
        statement = read_statement(cursor, query)
        statement.require(parameters.keys())
        self._views.fill(statement.tables)
        return statement

    def _warn(self, statement: Statement, parameters: Parameters) -> None:
        """Say what an answer lacks, once an answer: not when it is read again, nor when names are looked up."""
        # A question is asked about its run; of other queries nobody knows which rows they leave aside.
        for told in self.catalog.incomplete(statement.tables, parameters.get("run")):
            warn_caller(told, IncompleteWarning)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn DuckDB's errors, and those of the store below it, into ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._views.reason(error) from None


def _named(parameters: Parameters | None) -> dict[str, object]:
    if parameters is not None and not isinstance(parameters, Mapping):
        raise UsageError("parameters have names: write $run in the query, and give {'run': …}")
    return dict(parameters or {})


def open_lake(root: str) -> Lake:
    """The lake at a root; see `pipeline.open`."""
    folder = Folder(root)
    cache = cache_of(folder)
    return Lake(folder, read_catalog(folder, cache), cache)


def _counted(catalog: Catalog) -> str:
    complete = sum(status == "complete" for status in catalog.status.values())
    return f"{len(catalog.runs)} run{'s' if len(catalog.runs) != 1 else ''}, {complete} complete"
