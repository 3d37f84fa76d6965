"""What a lake holds, by its manifests: the shards of each table, and how far each run is."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa

from pipeline.storage.cache import Cache, read_documents
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import LAKE, MANIFEST, PLAN, REMOVED, RUN, check_format, unseal_at
from schemas.command import command
from schemas.errors import UsageError, unknown
from schemas.manifest import Manifest, RunRecord, StoredObject
from schemas.signals import SIGNALS
from schemas.stages import STAGES, TABLES_OF, expected_units, run_in, stage_of

# What has a stage do something where an experiment asks for nothing.
_ASKS = {
    "sample": "sample.length=200",
    "annotate": "score.hypotheses=['line_position']",
    "score": "score.hypotheses=['line_position']",
}
_READ = {LAKE.rsplit("/", 1)[1], RUN, PLAN, MANIFEST}
_TOLD = 3  # models in one line
_NAMED = (*_READ, REMOVED)


@dataclass(frozen=True)
class Catalog:
    """A lake's runs, what each has begun, and what each has finished."""

    runs: dict[str, RunRecord]
    begun: dict[str, list[tuple[str, str]]]  # by run: stage and unit of every plan
    manifests: dict[str, list[Manifest]]  # by run
    root: str = ""  # of the lake, as it is known from any folder
    whole: "Catalog | None" = None  # what this is a part of: how far a run is, a part of it cannot tell
    lost: tuple[str, ...] = ()  # runs that left manifests or rows, and whose run.json is gone

    def __repr__(self) -> str:
        """How much there is, rather than all of it."""
        return f"<Catalog of {len(self.runs)} runs, {sum(1 for _ in self._objects())} objects>"

    @property
    def status(self) -> dict[str, str]:
        """For each run: complete, or the first stage that it lacks."""
        return {run: f"lacks {stage}" if (stage := self.missing_stage(run)) else "complete" for run in self.runs}

    def missing_stage(self, run: str) -> str | None:
        """The first stage that a run needs and has not begun, or has begun and not finished; None: complete."""
        if self.whole:
            return self.whole.missing_stage(run)
        for stage in STAGES:
            begun = {unit for name, unit in self.begun[run] if name == stage}
            needed = bool(expected_units(stage, self.runs[run]))
            if (needed and not begun) or not begun <= self._finished(run, stage):
                return stage
        return None

    def _finished(self, run: str, stage: str) -> set[str]:
        return {manifest.plan.unit for manifest in self.manifests[run] if manifest.plan.stage == stage}

    def incomplete(self, tables: Collection[str], run: object = None) -> list[str]:
        """What to say of the runs that some tables do not hold all rows of.

        Args:
            tables: their names.
            run: the only one that counts, if it is a run; else all do.
        """
        asked = [str(run)] if run in self.runs else sorted(self.runs)
        stages = [stage for stage in STAGES if not set(TABLES_OF[stage]).isdisjoint(tables)]
        lacking = [(name, stage, *self.units(name, stage)) for name in asked for stage in stages]
        told = [
            f"{name} is incomplete: {stage} has {len(done)} of its {len(wanted)} units, so rows of it are missing"
            f"{_earlier(done, wanted)}"
            for name, stage, done, wanted in lacking
            if not wanted <= done
        ]
        return told + [lost_run(name, self.root) for name in self.lost if stages and run not in self.runs]

    def units(self, run: str, stage: str) -> tuple[set[str], set[str]]:
        """The units of a stage that a run has finished, and all that it needs or has begun."""
        if self.whole:
            return self.whole.units(run, stage)
        done = self._finished(run, stage)
        begun = {unit for name, unit in self.begun[run] if name == stage}
        return done, done | begun | set(expected_units(stage, self.runs[run]))

    def require(self, run: str, stage: str) -> None:
        """Raise UsageError when a run is unknown, or has not finished any unit of a stage."""
        if run not in self.runs:
            raise unknown("run", run, self.runs)
        if not self._finished(run, stage):
            raise UsageError(f"{run} has no {stage}{self._why_not(run, stage)}")

    def _why_not(self, run: str, stage: str) -> str:
        """Why a run lacks a stage, and what to do about it."""
        record = self.runs[run]
        typed = record.typed
        if not expected_units(stage, record):
            asks = _ASKS.get(stage)
            if asks and typed.command == "run" and typed.words:
                return f", for its experiment asks for none: type `{typed.again(self.root, '--set', asks)}`"
            how = f": set {asks} in an experiment with its [network] (docs/other-networks.md)" if asks else ""
            return f", for its experiment asks for none{how}"
        if typed.command == "dump" and stage not in ("generate", "train", "dump"):  # that is as far as flags go
            return " yet: go on with an experiment that has its [network] (docs/other-networks.md)"
        return f" yet: to go on, {record.again(self.root)}"

    def again(self, run: str, stage: str) -> str:
        """What to do to make a stage of a run again."""
        return self.runs[run].make_again(self.root, stage)

    def again_with(self, path: str) -> str:
        """What to do to make an object again."""
        return self.again(run_in(path), stage_of(path))

    def dumped_signals(self, run: str) -> tuple[str, ...]:
        """The signals that a run's dumps were asked for."""
        plans = [manifest.plan for manifest in self.manifests[run] if manifest.plan.stage == "dump"]
        asked = plans[0].settings["signals"] if plans else "all"
        if asked == "all":
            return SIGNALS
        return tuple(signal for signal in SIGNALS if isinstance(asked, list) and signal in asked)

    def objects(self, table: str) -> list[StoredObject]:
        """The shards of a table, over all runs."""
        return [stored for _, stored in self._objects() if stored.table == table]

    def shards(self) -> pa.Table:
        """A row for each object that a manifest lists."""
        rows = [
            {
                "run": run,
                "table": stored.table,
                "path": stored.path,
                "rows": stored.rows,
                "bytes": stored.bytes,
                "blake3": stored.blake3,
            }
            for run, stored in self._objects()
        ]

        columns = ("run", pa.string()), ("table", pa.string()), ("path", pa.string())
        sizes = ("rows", pa.int64()), ("bytes", pa.int64()), ("blake3", pa.string())
        return pa.Table.from_pylist(rows, pa.schema([*columns, *sizes]))

    def _objects(self) -> Iterable[tuple[str, StoredObject]]:
        for run, manifests in self.manifests.items():
            for manifest in manifests:
                for stored in manifest.objects:
                    yield run, stored


def read_catalog(folder: Folder, cache: Cache | None = None) -> Catalog:
    """The catalog of a lake: two listings, then every document at once, those that the cache has from there.

    Raises UsageError when there is no lake.
    """
    rows = folder.list("runs")  # before the rest: a run is noted before its first row
    versions = {path: version for path, version in folder.versions("_meta").items() if _name(path) in _NAMED}
    documents = read_documents(
        folder, cache, {p: v for p, v in versions.items() if _name(p) not in (PLAN, REMOVED)}
    )
    check_format(folder, documents.get(LAKE))

    runs: dict[str, RunRecord] = {}
    begun: dict[str, list[tuple[str, str]]] = defaultdict(list)
    manifests: dict[str, list[Manifest]] = defaultdict(list)

    for path in sorted(versions, key=lambda path: _name(path) != RUN):  # of a copied folder that one tells most
        parts, run = path.split("/"), run_in(path)
        if _name(path) == RUN:
            runs[run] = unseal_at(RunRecord, folder, path, documents[path])
        elif _name(path) == PLAN:
            begun[run].append((parts[2], "/".join(parts[3:-1])))
        elif _name(path) == MANIFEST:
            manifests[run].append(unseal_at(Manifest, folder, path, documents[path]))

    # Asked for once more, lest a run that was removed meanwhile be one that was lost.
    stray = {run_in(path) for path in rows if run_in(path) not in runs and folder.exists(path)}
    removed = {run_in(path) for path in versions if _name(path) == REMOVED}
    lost = tuple(sorted({*stray, *begun, *manifests} - set(runs) - removed))

    return Catalog(
        runs,
        {run: begun[run] for run in runs},
        {run: manifests[run] for run in runs},
        folder.whole_root,
        lost=lost,
    )


def _earlier(done: Collection[str], wanted: Collection[str]) -> str:
    """Of which models the last checkpoint is missing, and which earlier one an answer takes for it."""
    found, last = _last(done), _last(wanted)
    told = {
        f"; {unit.rpartition('model=')[2]}: {last[unit]} is missing, {at} is taken for the last"
        for unit, at in found.items()
        if at < last[unit]
    }
    others = f"; and so on for {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return "".join(sorted(told)[:_TOLD]) + others


def _last(units: Iterable[str]) -> dict[str, int]:
    """The last checkpoint of each model, or of each hypothesis and model, by what precedes it in the units."""
    last: dict[str, int] = {}
    for unit in units:
        above, of_checkpoint, number = unit.rpartition("/checkpoint=")
        if of_checkpoint:
            last[above] = max(last.get(above, 0), int(number))
    return last


def lost_run(run: str, root: str) -> str:
    """What to say of a run whose run.json is gone."""
    gone = command("runs", "rm", run, "--yes", root=root)
    return (
        f"{run} has lost its run.json, so none of its rows are in any answer: type the command that began it "
        f"again, or `{gone}` to give it up"
    )


def _name(path: str) -> str:
    return path.rsplit("/", 1)[1]
