"""Plan, work, publish: how every stage turns pieces into a manifest, and goes on after a kill.

    plan.json          before the first piece, so that two plans never mix
    shards             each in one atomic step, under a name that only its piece uses
    records/00003.json after a piece's shards
    manifest.json      last, when every piece has its record and every shard its rows

What is done is read from the lake, never remembered: running the same command again does what is missing.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jobs.driver.attempts import Attempts
from jobs.driver.stage import Piece, Stage, Unit, Work
from jobs.process.progress import Progress
from jobs.run.context import Run
from jobs.runners.base import Runner
from pipeline.storage.manifests import MANIFEST, PLAN, Journal, read_plan, record_path, unit_folder
from pipeline.storage.sealed import seal
from pipeline.storage.shards import row_counts
from schemas import FORMAT_VERSION
from schemas.errors import PiecesFailedError, StorageError, UnrolledError, UsageError
from schemas.manifest import Manifest, Plan, Record, StoredObject
from schemas.stages import TABLES_OF, stage_and_readers


@dataclass(frozen=True)
class Call:
    """The unit of attempts: pieces that are worked together."""

    pieces: tuple[Piece[Any], ...]

    @property
    def size(self) -> float:
        """Of all of them, in the stage's unit of work."""
        return sum(piece.size for piece in self.pieces)


def publish(run: Run, stage: Stage[Any], runner: Runner, watch: Callable[[], None] = lambda: None) -> int:
    """Bring every unit of a stage to its manifest; give the number of units that lacked it.

    `watch` is called now and then while pieces run, to raise when the work is no longer ours.

    Raises UsageError when a unit is there with other settings, PiecesFailedError when pieces failed.
    """
    journal = Journal(run.folder, run.id, stage.name)
    plans, manifests = journal.plans(), journal.manifests()
    missing: list[tuple[Unit[Any], Plan]] = []
    for unit in stage.units(run):
        plan = unit.plan(run, stage.name)
        _check_same(run, plan, plans.get(unit.name))
        if unit.name in manifests:
            _check_same(run, plan, manifests[unit.name].plan)
        else:
            missing.append((unit, plan))

    for _, plan in missing:
        if plan.unit not in plans:
            _write_plan(run, plan)

    live = stage.live(run) if missing else None
    pieces = [piece for unit, plan in missing for piece in _missing_pieces(run, unit, plan, journal)]
    if pieces:
        total = sum(piece.size for piece in pieces)
        before = sum(sum(unit.sizes) for unit, _ in missing) - total
        shown = next((unit.shown for unit, _ in missing if unit.shown), (stage.name, stage.measure))
        with Progress(shown[0], total, shown[1], live, before) as progress:
            _work(run, stage, runner, pieces, watch, progress)
    elif live:
        live(last=True)

    if missing:
        _write_manifests(run, stage.name, [plan for _, plan in missing])
    return len(missing)


def work_call(work: Work[Any], call: Call) -> None:
    """Work some pieces and leave the record of each as soon as it is done; runs in a worker."""
    for piece, objects in zip(call.pieces, work(call.pieces), strict=True):
        record = Record(piece=piece.index, fingerprint=piece.fingerprint, objects=tuple(objects))
        path = record_path(piece.run.id, piece.stage, piece.unit, piece.index)
        piece.run.folder.create(path, seal(record))


def replace_stage(
    run: Run, stage: str, check: Callable[[], None] = lambda: None, only: Collection[str] = ()
) -> None:
    """Forget what a stage and its readers have published for a run. Manifests go first: what they list follows.

    Args:
        run: the run.
        stage: the stage's name.
        check: raises when another driver has taken the run over, and nothing more of it may be removed.
        only: the units of the stage to forget, and of its readers those that read them; none means all.
    """
    folder = run.folder.guarded(check)
    stages = stage_and_readers(stage)
    read = {name: folder.list(f"_meta/run={run.id}/{name}") for name in stages}
    # A unit's name is the path of its folders, the same in every table; "" is all that a stage has.
    parts = {
        name: [f"/{unit}" for unit in _units_of(paths, only)] if only else [""] for name, paths in read.items()
    }
    for name, paths in read.items():
        for path in paths:
            if path.endswith("/manifest.json") and any(f"/{name}{part}/" in path for part in parts[name]):
                folder.remove(path)
    for name in stages:
        for part in parts[name]:
            for table in TABLES_OF[name]:
                folder.remove(f"{table}/run={run.id}{part}")
            folder.remove(f"_meta/run={run.id}/{name}{part}")


def changed_units(run: Run, stage: Stage[Any]) -> list[str]:
    """The units there with other settings or from other data; none where the whole stage is to be made again."""
    try:
        plans = Journal(run.folder, run.id, stage.name).plans()
    except StorageError:  # a damaged plan says nothing of its unit
        return []
    wanted = {unit.name: unit.plan(run, stage.name).fingerprint for unit in stage.units(run)}
    changed = [unit for unit in wanted if unit in plans and plans[unit].fingerprint != wanted[unit]]
    is_all = len(changed) == sum(unit in plans for unit in wanted)
    return [] if is_all else changed


def _units_of(paths: Sequence[str], only: Collection[str]) -> list[str]:
    """The units, by the paths of a stage's documents, that are some of a stage or read them."""
    units = {"/".join(path.split("/")[3:-1]) for path in paths if path.endswith(("/plan.json", "/manifest.json"))}
    return sorted(unit for unit in units if any(_agree(unit, other) for other in only))


def _agree(unit: str, other: str) -> bool:
    """Whether two units are of the same hypothesis, model and checkpoint, as far as both have one."""
    mine, theirs = (dict(part.split("=", 1) for part in name.split("/") if "=" in part) for name in (unit, other))
    return all(theirs.get(key, value) == value for key, value in mine.items())


def _check_same(run: Run, plan: Plan, there: Plan | None) -> None:
    """Raise UsageError when the unit was begun with other settings or from other data."""
    if there is None or there.fingerprint == plan.fingerprint:
        return
    changes = [
        f"{plan.stage}.{key} was {_setting(there, key)}, now {_setting(plan, key)}"
        for key in sorted({*plan.settings, *there.settings})
        if there.settings.get(key) != plan.settings.get(key)
    ]
    what = "; ".join(changes) or "what it reads has changed"
    raise UsageError(
        f"{run.id} already has {plan.stage} {plan.unit} with other settings ({what}): type --replace {plan.stage} "
        'to make it again, or --set revision="…" for a new run'
    )


def _setting(plan: Plan, key: str) -> str:
    return repr(plan.settings[key]) if key in plan.settings else "its default"


def _write_plan(run: Run, plan: Plan) -> None:
    path = f"{unit_folder(run.id, plan.stage, plan.unit)}/{PLAN}"
    if not run.folder.create(path, seal(plan)):
        _check_same(run, plan, read_plan(run.folder, run.id, plan.stage, plan.unit))


def _missing_pieces(run: Run, unit: Unit[Any], plan: Plan, journal: Journal) -> Iterable[Piece[Any]]:
    done = journal.done(unit.name)
    for index, arguments in enumerate(unit.pieces):
        if index not in done:
            size = unit.sizes[index] if unit.sizes else 1.0
            yield Piece(run, plan.stage, unit.name, index, plan.fingerprint, arguments, size)


def _calls(stage: Stage[Any], pieces: Sequence[Piece[Any]]) -> list[Call]:
    """The pieces in the order of the first of each key."""
    by_key: dict[Hashable, list[Piece[Any]]] = {}
    for piece in pieces:
        by_key.setdefault(stage.key(piece), []).append(piece)
    return [Call(tuple(alike)) for alike in by_key.values()]


def _work(
    run: Run,
    stage: Stage[Any],
    runner: Runner,
    pieces: Sequence[Piece[Any]],
    watch: Callable[[], None],
    progress: Progress,
) -> None:
    failed, failures = 0, []

    runner = runner.needing(stage.needs(run))
    attempts = Attempts(runner, partial(work_call, stage.work), stage.limits, watch, progress.tell)

    for call, failure in attempts.make(_calls(stage, pieces)):
        if isinstance(failure, UnrolledError):
            raise failure
        if failure is None:
            progress.add(call.size)
        else:
            failed += len(call.pieces)
            failures.append(failure)

    if failures:
        first = failures[0]
        raise PiecesFailedError(
            f"{stage.name}: {failed} of {len(pieces)} pieces failed, the first with "
            f"{type(first).__name__}: {first}; run the same command again to retry them"
        ) from first


def _write_manifests(run: Run, stage: str, plans: Sequence[Plan]) -> None:
    """Write the manifests last, when each listed object is there with the rows that its record tells."""
    folder = run.folder
    journal = Journal(folder, run.id, stage)
    listed = {plan.unit: _recorded_objects(run, plan, journal) for plan in plans}
    _check_there(run, stage, [stored for objects in listed.values() for stored in objects])
    for plan in plans:
        prefix = unit_folder(run.id, stage, plan.unit)
        manifest = Manifest(format_version=FORMAT_VERSION, plan=plan, objects=listed[plan.unit])
        # Every piece has its record, so no state is needed; behind a manifest nobody would look for one again.
        folder.remove_all(journal.states(plan.unit))
        folder.create(f"{prefix}/{MANIFEST}", seal(manifest))


def _recorded_objects(run: Run, plan: Plan, journal: Journal) -> tuple[StoredObject, ...]:
    records = journal.records(plan.unit)
    if len(records) != plan.pieces or any(record.fingerprint != plan.fingerprint for record in records):
        raise StorageError(
            f"{plan.stage} {plan.unit} of {run.id} was changed from outside while it was made: "
            f"type --replace {plan.stage} to make it again"
        )
    return tuple(stored for record in records for stored in record.objects)


def _check_there(run: Run, stage: str, objects: Sequence[StoredObject]) -> None:
    """Raise StorageError for an object that has gone, or has not the bytes and rows that were recorded."""
    folder = run.folder
    sizes: dict[str, int] = {}
    for table in TABLES_OF[stage]:
        sizes |= folder.sizes(f"{table}/run={run.id}")

    again = f"type --replace {stage} to make it again"
    for stored in objects:
        if stored.path not in sizes:
            raise StorageError(f"{folder.address(stored.path)} has gone: {again}")
        if sizes[stored.path] != stored.bytes:
            raise StorageError(f"{folder.address(stored.path)} does not hold its {stored.bytes} bytes: {again}")

    rows = {stored.path: stored.rows for stored in objects if stored.table}
    for path, counted in row_counts(folder, {path: sizes[path] for path in rows}):
        if counted != rows[path]:
            raise StorageError(f"{folder.address(path)} does not hold its {rows[path]} rows: {again}")
