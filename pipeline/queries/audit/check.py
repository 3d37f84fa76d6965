"""The audit of some dumps: every invariant over each of them, added up to one line an invariant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dumping.precision import MANTISSA_BITS
from pipeline.queries.audit.checkpoint import Checkpoint, read_checkpoint
from pipeline.queries.audit.dumps import Dump, changed_objects
from pipeline.queries.audit.invariant import FROM_WEIGHTS, Invariant, invariants, relation
from pipeline.queries.audit.published import foreign_files, unpublished
from pipeline.queries.audit.weights import nonlinearity_of
from pipeline.queries.catalog import Catalog
from pipeline.storage.folder import Folder
from schemas.errors import StorageError
from schemas.manifest import StoredObject

DIGESTS, PUBLISHED = "digests", "published"
WORK = 250_000_000  # multiplications of a dump's gates that are done again: some seconds on two cores
OVERHEAD = 64  # what a sum costs besides, in multiplications
# What the network's own float32 arithmetic may add, in sizes of what it adds up; and less than it tells from 0.
FLOAT32, LEAST = 2.0**-20, 1e-30
SCHEMA = pa.schema(
    [
        ("invariant", pa.string()),
        ("says", pa.string()),
        ("rows_checked", pa.int64()),
        ("violations", pa.int64()),
        ("unchecked", pa.int64()),  # dumps that hold what it is about, and of which it could not be asked in full
        ("largest", pa.float64()),  # residual
        ("median", pa.float64()),  # residual; of several dumps the largest median
        ("tolerance", pa.float64()),  # the largest of any row
        ("note", pa.string()),  # where the worst violation is, and what was left out
    ]
)


@dataclass
class _Line:
    """What one invariant has come to so far."""

    says: str
    rows_checked: int = 0
    violations: int = 0
    unchecked: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, outcome: Mapping[str, object], dump: Dump) -> None:
        """Add what one dump came to."""
        self.rows_checked += int(str(outcome["rows_checked"] or 0))
        self.violations += int(str(outcome["violations"]))
        if isinstance(outcome["worst"], Mapping):
            self.note(f"worst in {dump.name}: {_place(outcome['worst'])}")
        for name in ("largest", "median", "tolerance"):
            value = outcome[name]
            if isinstance(value, float):
                self.numbers[name] = max(value, self.numbers.get(name, 0.0))

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, why: str) -> None:
        """Count a violation that no row tells of."""
        self.violations += 1
        self.note(why)

    def pass_over(self, why: str) -> None:
        """Count a dump that it cannot be asked of, or not in full."""
        self.unchecked += 1
        self.note(why)

    def row(self, name: str) -> dict[str, object]:
        """As a row of the answer; of many notes the first three."""
        if not self.rows_checked and not self.notes:
            self.note("left out: the dump's settings leave no row of what it is about")
        more = [f"and {len(self.notes) - 3} more"] if len(self.notes) > 3 else []
        note = "; ".join([*self.notes[:3], *more]) or None
        counts = {
            "rows_checked": self.rows_checked,
            "violations": self.violations,
            "unchecked": self.unchecked,
        }
        return {"invariant": name, "says": self.says, **counts, **self.numbers, "note": note}


class Audit:
    """One audit of some of a run's dumps."""

    def __init__(
        self,
        folder: Folder,
        catalog: Catalog,
        connection: duckdb.DuckDBPyConnection,
        dumps: list[Dump],
        objects: list[StoredObject],
        *,
        whole: bool,
    ) -> None:
        """Audit some dumps of a run.

        Args:
            folder: the lake.
            catalog: of it.
            connection: to its views.
            dumps: of one run, at least one.
            objects: what is held to its digest.
            whole: whether it is to be told what the run has not published, and which files are not its own.
        """
        self._folder, self._catalog, self._dumps, self._objects = folder, catalog, dumps, objects
        self._connection = connection.cursor()  # its temporary tables are nobody else's
        self._connection.execute("create or replace temp macro sigmoid(x) as 1 / (1 + exp(-x))")
        self._whole = whole
        self._lines = {DIGESTS: _Line("every object is there, with the bytes and rows that its manifest tells")}

    def lines(self, tell: Callable[[float], None]) -> pa.Table:
        """Every invariant's line; `tell` is given the share of the work that has been done."""
        self._check_digests()
        if self._whole:
            self._check_published()
        for place, dump in enumerate(self._dumps):
            tell((place + 0.2) / (len(self._dumps) + 0.2))
            self._check_dump(dump)
        tell(1.0)
        names = [name for name in (DIGESTS, PUBLISHED) if name in self._lines]
        names += [name for name in invariants() if name in self._lines]
        return pa.Table.from_pylist([self._lines[name].row(name) for name in names], SCHEMA)

    def _check_digests(self) -> None:
        line = self._lines[DIGESTS]
        for wrong in changed_objects(self._folder, self._objects):
            line.rows_checked += 1
            if wrong:
                line.fail(wrong)

    def _check_published(self) -> None:
        run = self._dumps[0].run
        line = self._lines[PUBLISHED] = _Line(
            "every stage that was begun is published, and nothing lies beside it"
        )
        for stage, lacking, units in unpublished(self._catalog, run):
            line.rows_checked += units
            line.violations += len(lacking)
            if lacking:
                line.note(f"{stage} lacks {', '.join(lacking[:3])}{' …' if len(lacking) > 3 else ''}")
        for path in foreign_files(self._folder, self._catalog, run):
            line.note(f"left out: {path}, which is no file of the lake's")

    def _check_dump(self, dump: Dump) -> None:
        cell, count, neurons = self._shape(dump)
        layers = dump.layers(count)
        checkpoint = read_checkpoint(self._folder, self._catalog, dump, cell)
        parameters = _parameters(dump, cell, layers, neurons, checkpoint)
        is_prepared = False

        for name, invariant in invariants().items():
            if cell not in invariant.cells:
                continue
            line = self._lines.setdefault(name, _Line(invariant.says))

            if lacking := invariant.lacks(cell, dump.signals(cell)):
                line.note(f"left out for {cell}: the dump holds no {', '.join(lacking)}")
                continue
            if name in FROM_WEIGHTS and not _can_ask(line, dump, checkpoint, layers):
                continue

            try:
                if name in FROM_WEIGHTS and not is_prepared:
                    self._prepare(checkpoint, parameters)
                    is_prepared = True
                line.add(self._ask(invariant, parameters), dump)
            except (duckdb.IOException, duckdb.InvalidInputException) as error:  # a shard that is gone or torn
                line.fail(f"{dump.name} cannot be read: {str(error).splitlines()[0]}")

    def _shape(self, dump: Dump) -> tuple[str, int, int]:
        """Cell, layers and neurons of a layer."""
        query = "select cell, layers, hidden_size from models where run = $run and model = $model"
        row = self._connection.execute(query, {"run": dump.run, "model": dump.model}).fetchone()
        if row is None:
            raise StorageError(
                f"{dump.run} has no row of `models` for {dump.model}: {self._catalog.again(dump.run, 'train')}"
            )
        return row

    def _prepare(self, checkpoint: Checkpoint, parameters: dict[str, object]) -> None:
        """Make the relations that what follows from the weights is asked of."""
        followed = pa.array(parameters["followed"], pa.int64())
        weights = checkpoint.weights.filter(pc.is_in(checkpoint.weights["layer"], followed))
        execute = self._connection.execute
        self._connection.register("weights", weights)
        self._connection.register("token_inputs", checkpoint.inputs)

        query = "select count(*) from steps where run = $run and split = 'probe'"
        steps = execute(query, {"run": parameters["run"]}).fetchall()[0][0]
        sums = pc.add(pc.list_value_length(weights["of_input"]), pc.list_value_length(weights["of_hidden"]))
        affordable = WORK / max(1, (pc.sum(sums).as_py() or 0) + OVERHEAD * len(weights))

        # Where not all can be afforded, half goes to steps all over the split and half to one whole sequence.
        share = 1.0 if affordable >= steps else affordable / 2 / steps
        given = {**parameters, "share": share, "whole": max(1, int(affordable / 2))}

        for name in ("sampled_steps", "inputs", "near", "states", "products"):
            execute(f"create or replace temp table {name} as {relation(name)}", self._of(relation(name), given))

    def _ask(self, invariant: Invariant, parameters: dict[str, object]) -> dict[str, object]:
        """What an invariant comes to over one dump."""
        query = f"""
            select
              {invariant.rows} as rows_checked,
              count(*) filter (is_violated) as violations,
              max(residual)::double as largest,
              median(residual)::double as median,
              max(tolerance)::double as tolerance,
              arg_max(found, coalesce(residual - tolerance, 'inf')) filter (is_violated) as worst
            from (
              select *, not coalesce(residual <= tolerance, false) as is_violated from ({invariant.sql})
            ) as found
        """

        answer = self._connection.execute(query, self._of(query, parameters)).to_arrow_table()
        outcome: dict[str, object] = answer.to_pylist()[0]
        return outcome

    def _of(self, query: str, parameters: Mapping[str, object]) -> dict[str, object]:
        """The parameters that a query names: DuckDB refuses others."""
        named = self._connection.extract_statements(query)[0].named_parameters
        return {name: value for name, value in parameters.items() if name in named}


def _can_ask(line: _Line, dump: Dump, checkpoint: Checkpoint, layers: list[int]) -> bool:
    """Whether anything of a dump can be worked out from its weights; what cannot is noted."""
    if checkpoint.missing:
        line.pass_over(f"left out for {dump.name}: {checkpoint.missing}")
        return False
    if checkpoint.hidden and 0 in layers:
        line.pass_over(f"layer 0 of {dump.model} could not be checked: {checkpoint.hidden}")
    alone = [layer for layer in layers if layer and layer - 1 not in layers]
    if alone:
        line.note(f"left out for layer {', '.join(map(str, alone))}: the layer below was not dumped")
    return True


def _parameters(
    dump: Dump, cell: str, layers: list[int], neurons: int, checkpoint: Checkpoint
) -> dict[str, object]:
    """What the statements ask for: whose rows, the network's shape, and how exact the stored numbers are."""
    known = [] if checkpoint.hidden else [0]
    followed = [layer for layer in layers if layer in (*known, *(below + 1 for below in layers))]
    nonlinearity = nonlinearity_of(checkpoint.config) if cell in ("feedforward", "rnn") else "tanh"

    return {
        "run": dump.run,
        "model": dump.model,
        "checkpoint": dump.checkpoint,
        "layers": layers,
        "followed": followed,
        "neurons": neurons,
        "nonlinearity": nonlinearity,
        "reads_characters": not len(checkpoint.inputs),
        "signals": list(dump.signals(cell)),
        "unit": _unit(dump.precision),
        "float32": FLOAT32,
        "least": LEAST,
    }


def _unit(precision: str) -> float:
    """How far a value may lie from what it was rounded to, as a share of that: u / (1 - u), u = 2^-(bits + 1)."""
    return float(1 / (2.0 ** (MANTISSA_BITS[precision] + 1) - 1))


def _place(worst: Mapping[str, object]) -> str:
    """As L0/N3 sequence 161 step 4."""
    neuron = f"L{worst['layer']}" + (f"/N{worst['neuron']}" if worst["neuron"] is not None else "")
    where = [neuron] if worst["layer"] is not None else []
    where += [f"sequence {worst['sequence']} step {worst['step']}"]
    return " ".join([*where, *([str(worst["signal"])] if "signal" in worst else [])])
