"""Plan, work, publish: how every stage turns pieces into a manifest, and goes on after a kill.

    plan.json          before the first piece, so that two plans never mix
    shards             each in one atomic step, under a name that only its piece uses
    records/00003.json after a piece's shards
    manifest.json      last, when every piece has its record and every shard its rows

What is done is read from the lake, never remembered: running the same command again does what is missing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from jobs.context import Run
from jobs.progress import Progress
from jobs.runners.base import Runner
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import (
    read_manifest,
    read_plan,
    read_record,
    record_path,
    recorded_pieces,
    unit_folder,
)
from pipeline.storage.shards import count_rows
from schemas import FORMAT_VERSION
from schemas.errors import PiecesFailedError, StorageError, UnrolledError, UsageError
from schemas.fingerprint import fingerprint
from schemas.manifest import Manifest, Plan, Record, StoredObject
from schemas.stages import READERS_OF, TABLES_OF


@dataclass(frozen=True)
class Piece:
    """The unit of planning, retry and resume: a few hundred bytes that say what to make."""

    run: Run
    stage: str
    unit: str
    index: int
    fingerprint: str
    arguments: dict[str, object]
    size: float  # in the stage's unit of work, for the progress bar


@dataclass(frozen=True)
class Unit:
    """What is published as one: its settings, digests of what it reads, and the arguments of its pieces."""

    name: str
    settings: dict[str, object]
    reads: Sequence[str]
    pieces: Sequence[dict[str, object]]
    sizes: Sequence[float] = ()

    def plan(self, run: Run, stage: str) -> Plan:
        """What is written before the first piece."""
        identity = {"run": run.id, "stage": stage, "unit": self.name, "settings": self.settings}
        return Plan(
            stage=stage,
            unit=self.name,
            fingerprint=fingerprint({**identity, "reads": list(self.reads), "pieces": list(self.pieces)}),
            settings=self.settings,
            pieces=len(self.pieces),
        )


@dataclass(frozen=True)
class Stage:
    """A verb: how to plan its units, and how to work one piece."""

    name: str
    units: Callable[[Run], list[Unit]]
    work: Callable[[Piece], list[StoredObject]]
    measure: str  # what its progress counts
    # Work that is visible in the lake before a piece is finished, for stages whose pieces take long.
    live: Callable[[Run], float] | None = field(default=None)


def publish(run: Run, stage: Stage, runner: Runner) -> int:
    """Bring every unit of a stage to its manifest; give the number of units that lacked it.

    Raises UsageError when a unit is there with other settings, PiecesFailedError when pieces failed.
    """
    folder = run.folder
    missing: list[tuple[Unit, Plan]] = []
    for unit in stage.units(run):
        plan = unit.plan(run, stage.name)
        _check_same(run, plan, read_plan(folder, run.id, stage.name, unit.name))
        manifest = read_manifest(folder, run.id, stage.name, unit.name)
        if manifest:
            _check_same(run, plan, manifest.plan)
        else:
            missing.append((unit, plan))
    pieces = [piece for unit, plan in missing for piece in _missing_pieces(folder, run, unit, plan)]
    if pieces:
        _work(run, stage, runner, pieces)
    for unit, plan in missing:
        _write_manifest(folder, run, unit, plan)
    return len(missing)


def work_piece(work: Callable[[Piece], list[StoredObject]], piece: Piece) -> None:
    """Work one piece and leave its record; runs in a worker."""
    objects = work(piece)
    record = Record(piece=piece.index, fingerprint=piece.fingerprint, objects=tuple(objects))
    path = record_path(piece.run.id, piece.stage, piece.unit, piece.index)
    piece.run.folder.create(path, (record.model_dump_json() + "\n").encode())


def replace_stage(run: Run, stage: str) -> None:
    """Forget what a stage and its readers have published for a run. Manifests go first: what they list follows."""
    folder = run.folder
    stages = READERS_OF[stage]
    for name in stages:
        for path in folder.list(f"_meta/run={run.id}/{name}"):
            if path.endswith("/manifest.json"):
                folder.remove(path)
    for name in stages:
        for table in TABLES_OF[name]:
            folder.remove(f"{table}/run={run.id}")
        folder.remove(f"_meta/run={run.id}/{name}")


def _check_same(run: Run, plan: Plan, there: Plan | None) -> None:
    """Raise UsageError when the unit was begun with other settings or from other data."""
    if there is None or there.fingerprint == plan.fingerprint:
        return
    changes = [
        f"{plan.stage}.{key} was {there.settings.get(key)!r}, now {value!r}"
        for key, value in plan.settings.items()
        if there.settings.get(key) != value
    ]
    what = "; ".join(changes) or "what it reads has changed"
    raise UsageError(
        f"{run.id} already has {plan.stage} {plan.unit} with other settings ({what}): type --replace {plan.stage} "
        'to make it again, or --set revision="…" for a new run'
    )


def _missing_pieces(folder: Folder, run: Run, unit: Unit, plan: Plan) -> Iterable[Piece]:
    data = (plan.model_dump_json(indent=2) + "\n").encode()
    if not folder.create(f"{unit_folder(run.id, plan.stage, unit.name)}/plan.json", data):
        _check_same(run, plan, read_plan(folder, run.id, plan.stage, unit.name))
    done = recorded_pieces(folder, run.id, plan.stage, unit.name)
    for index, arguments in enumerate(unit.pieces):
        if index not in done:
            size = unit.sizes[index] if unit.sizes else 1.0
            yield Piece(run, plan.stage, unit.name, index, plan.fingerprint, arguments, size)


def _work(run: Run, stage: Stage, runner: Runner, pieces: list[Piece]) -> None:
    failures: list[Exception] = []
    total = sum(piece.size for piece in pieces)
    live = partial(stage.live, run) if stage.live else None
    with Progress(stage.name, total, stage.measure, live) as progress:
        for piece, failure in runner.map(partial(work_piece, stage.work), pieces):
            if isinstance(failure, UnrolledError):
                raise failure
            if failure is not None:
                failures.append(failure)
            else:
                progress.add(piece.size)
    if failures:
        first = failures[0]
        raise PiecesFailedError(
            f"{stage.name}: {len(failures)} of {len(pieces)} pieces failed, the first with "
            f"{type(first).__name__}: {first}; run the same command again to retry them"
        ) from first


def _write_manifest(folder: Folder, run: Run, unit: Unit, plan: Plan) -> None:
    """Write the manifest last, when each listed object is there with the rows that its record tells."""
    prefix = unit_folder(run.id, plan.stage, unit.name)
    paths = recorded_pieces(folder, run.id, plan.stage, unit.name).values()
    records = [read_record(folder, path) for path in paths]
    if len(records) != plan.pieces or any(record.fingerprint != plan.fingerprint for record in records):
        raise StorageError(
            f"{plan.stage} {plan.unit} of {run.id} was changed from outside while it was made: "
            f"type --replace {plan.stage} to make it again"
        )
    objects = [stored for record in records for stored in record.objects]
    for stored in objects:
        if not folder.exists(stored.path):
            raise StorageError(
                f"{folder.address(stored.path)} has gone: type --replace {plan.stage} to make it again"
            )
        if stored.table and count_rows(folder, stored.path) != stored.rows:
            raise StorageError(f"{folder.address(stored.path)} does not hold the {stored.rows} rows it was given")
    manifest = Manifest(format_version=FORMAT_VERSION, plan=plan, objects=tuple(objects))
    folder.create(f"{prefix}/manifest.json", (manifest.model_dump_json(indent=1) + "\n").encode())
    folder.remove(f"{prefix}/resume")
