"""The names in a question, held against the lake: no answer is empty because of a typo."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from pipeline.queries.catalog import Catalog, lost_run
from pipeline.queries.question import NUMBERS, Question
from pipeline.queries.scope import partition_of
from schemas.command import command
from schemas.errors import StorageError, UsageError, unknown
from schemas.experiment import Experiment, ModelSpec
from schemas.signals import CELL_SIGNALS
from schemas.stages import expected_units, stage_of
from schemas.tables import TABLES

Values = dict[str, object]
Place = Mapping[str, str]  # partition values, as text
Fetch = Callable[[str, Mapping[str, object]], pa.Table]
# What the paths of shards tell, in the order in which one narrows the next.
_IN_PATHS = ("hypothesis", "model", "checkpoint", "layer")


def match_run(name: str | None, known: list[str], root: str, lost: Iterable[str] = ()) -> str:
    """A lake's run: by its id, its experiment, or what no other begins with.

    Raises:
        UsageError: there is none, or there are several.
        StorageError: it is one of those that have lost their run.json.
    """
    if not name:
        listed = command("runs", root=root)
        raise UsageError(f"which run? type its id, or the start of it; `{listed}` lists them")
    matches = _matching(name, known)
    if not matches and (gone := _matching(name, lost)):
        raise StorageError(lost_run(gone[0], root))
    if not matches:
        raise unknown("run", name, known, {run.rpartition("-")[0] for run in known})
    if len(matches) > 1:
        raise UsageError(f"{name!r} begins {len(matches)} runs: {', '.join(sorted(matches))}; type more of it")
    return matches[0]


def find_run(catalog: Catalog, name: str | None) -> str:
    """A run of a catalog. Raises as `match_run` does."""
    return match_run(name, list(catalog.runs), catalog.root, catalog.lost)


def _matching(name: str, runs: Iterable[str]) -> list[str]:
    runs = list(runs)
    return (
        [run for run in runs if run == name]
        or [run for run in runs if run.rpartition("-")[0] == name]  # all that the experiment of that name made
        or [run for run in runs if run.startswith(name)]
    )


class Names:
    """What there is to name in a lake, looked up once."""

    def __init__(self, catalog: Catalog, fetch: Fetch) -> None:
        """Nothing is looked up yet.

        Args:
            catalog: of the lake.
            fetch: runs a query over it.
        """
        self.catalog, self.fetch = catalog, fetch
        self._places: dict[tuple[str, str], list[Place]] = {}
        self._models: dict[str, dict[str, ModelSpec]] = {}

    def checked(self, question: Question, values: Values) -> Values:
        """A question's values, its run by its whole id, once all that they name is there.

        Args:
            question: whose parameters say what each value names.
            values: of all parameters; NULL names nothing.

        Raises:
            UsageError: the lake has no such run, or the run no such model, checkpoint, layer, neuron, hypothesis,
                signal, measure or sequence, or nothing at all in a table that the question is about.
        """
        kinds = {parameter.name: parameter.kind for parameter in question.parameters}
        for name in (name for name, kind in kinds.items() if kind == "run"):
            run = find_run(self.catalog, str(values[name] or ""))
            values = self._at_last(question, kinds, run, values)
            named = [(kinds[other], value) for other, value in values.items() if value is not None]
            _Named(self, run, named).check(question.tables, set(kinds.values()))
            values = {**values, name: run}
        return values

    def _at_last(self, question: Question, kinds: Mapping[str, str], run: str, values: Values) -> Values:
        """The values, with the number of the last checkpoint for "last"; NULL where each model has its own."""
        asked = [name for name, kind in kinds.items() if kind == "checkpoint" and values[name] == "last"]
        if not asked:
            return values
        named = {
            kind: {str(values[name]) for name in kinds if kinds[name] == kind} - {"None"}
            for kind in ("hypothesis", "model")
        }
        last: dict[str, int] = {}
        for place in (place for table in question.tables if table in TABLES for place in self.places(run, table)):
            if "checkpoint" in place and all(
                not one or place.get(kind) in {*one, None} for kind, one in named.items()
            ):
                last[place["model"]] = max(last.get(place["model"], 0), int(place["checkpoint"]))
        numbers = set(last.values())
        return {**values, **dict.fromkeys(asked, numbers.pop() if len(numbers) == 1 else None)}

    def places(self, run: str, table: str) -> list[Place]:
        """The partitions of a run's shards of a table, each once."""
        if (run, table) not in self._places:
            listed = (stored for manifest in self.catalog.manifests[run] for stored in manifest.objects)
            folders = {stored.path.rpartition("/")[0] for stored in listed if stored.table == table}
            self._places[run, table] = [partition_of(f"{folder}/") for folder in folders]
        return self._places[run, table]

    def models(self, run: str) -> dict[str, ModelSpec]:
        """A run's models by name."""
        if run not in self._models:
            record = self.catalog.runs[run]
            specs = Experiment.model_validate(record.experiment).models(record.imported)
            self._models[run] = {spec.name: spec for spec in specs}
        return self._models[run]


@dataclass(frozen=True)
class _Named:
    """What a question names of one run."""

    names: Names
    run: str
    named: list[tuple[str, object]]  # kind and value, a kind more than once where a question compares two

    def check(self, tables: tuple[str, ...], kinds: set[str]) -> None:
        """Raise UsageError for the first that is not there."""
        asked = [table for table in tables if table in TABLES and self._partitions(table) & kinds]
        for table in asked:
            self._require(table)
        self._check_neuron()
        self._check_paths(asked)
        self._check_signal()
        self._check_measure()
        self._check_sequence()

    def _partitions(self, table: str) -> set[str]:
        return set(_IN_PATHS) & set(TABLES[table].partition_by)

    def _require(self, table: str) -> None:
        """Raise UsageError when the run has nothing of a table: its stage is yet to come, or is not asked for."""
        if self.names.places(self.run, table):
            return
        stage, catalog = stage_of(f"{table}/"), self.names.catalog
        if expected_units(stage, catalog.runs[self.run]):
            catalog.require(self.run, stage)
        raise UsageError(f"{self.run} has no {table}: its experiment asks for none")

    def _check_paths(self, tables: list[str]) -> None:
        """What is the name of a folder: hypothesis, model, checkpoint, layer."""
        places = [place for table in tables for place in self.names.places(self.run, table)]
        where = self.run
        for kind in _IN_PATHS:
            here = [place for place in places if kind in place]
            values = self._all(kind) if here else []
            for value in values:
                read = NUMBERS.get(kind, str)
                known = {read(place[kind]) for place in here}
                if value not in known:
                    raise unknown(f"{kind} of {where}", value, known)
            if len(values) == 1:  # of two neither narrows what there is of the other
                places = [place for place in places if place.get(kind, str(values[0])) == str(values[0])]
                where += f" {values[0]}" if kind != "hypothesis" else ""

    def _check_neuron(self) -> None:
        models, model = self.names.models(self.run), self._one("model")
        if model not in models:
            return
        spec, layer, neuron = models[str(model)], self._one("layer"), self._one("neuron")
        is_there = (layer is None or layer in range(spec.layers)) and (
            neuron is None or neuron in range(spec.hidden_size)
        )
        if not is_there:
            asked = f"L{layer or 0}/N{neuron or 0}"
            last = f"L{spec.layers - 1}/N{spec.hidden_size - 1}"
            raise UsageError(f"{model} has no neuron {asked}: its last is {last}")

    def _check_signal(self) -> None:
        models, dumped = self.names.models(self.run), self.names.catalog.dumped_signals(self.run)
        model = self._one("model")
        cells = [models[str(model)].cell] if model in models else [spec.cell for spec in models.values()]
        known = [signal for signal in dumped if any(signal in CELL_SIGNALS[cell] for cell in cells)]
        for signal in self._all("signal"):
            if signal not in known:
                raise unknown(f"signal of {model or self.run}", signal, known)

    def _check_measure(self) -> None:
        hypothesis = self._one("hypothesis")
        for measure in self._all("measure") if hypothesis else []:
            query = "select distinct measure from scores where run = $run and hypothesis = $hypothesis"
            known = self.names.fetch(query, {"run": self.run, "hypothesis": hypothesis})["measure"].to_pylist()
            if measure not in known:
                told = unknown(f"measure of {hypothesis}", measure, known)
                raise (
                    UsageError(f"{told}; auc is for hypotheses that say yes or no, or name a category")
                    if measure == "auc"
                    else told
                )

    def _check_sequence(self) -> None:
        for sequence in self._all("sequence"):
            query = (
                "select min(sequence), max(sequence), count(*) filter (sequence = $sequence) "
                "from steps where run = $run and split = 'probe'"
            )
            answer = self.names.fetch(query, {"run": self.run, "sequence": sequence})
            first, last, steps = (column[0].as_py() for column in answer.columns)
            if not steps:
                raise UsageError(f"{self.run} has no probe sequence {sequence}: they are {first} to {last}")

    def _all(self, kind: str) -> list[object]:
        return [value for other, value in self.named if other == kind]

    def _one(self, kind: str) -> object:
        return next(iter(self._all(kind)), None)
