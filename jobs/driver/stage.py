"""What a stage is to the driver: units that are published, pieces that are worked, and how that is done."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from pydantic import BaseModel

from jobs.driver.attempts import LIMITS, Limits
from jobs.process.progress import Watch
from jobs.run.context import Run
from jobs.runners.base import Needs
from schemas.fingerprint import fingerprint
from schemas.manifest import Plan, StoredObject

Arguments = TypeVar("Arguments", bound=BaseModel)


@dataclass(frozen=True)
class Piece(Generic[Arguments]):
    """The unit of planning and resume: a few hundred bytes that say what to make."""

    run: Run
    stage: str
    unit: str
    index: int
    fingerprint: str
    arguments: Arguments
    size: float  # in the stage's unit of work, for the progress bar


@dataclass(frozen=True)
class Unit(Generic[Arguments]):
    """What is published as one: its settings, digests of what it reads, and the arguments of its pieces."""

    name: str
    settings: dict[str, object]
    reads: Sequence[str]
    pieces: Sequence[Arguments]
    sizes: Sequence[float] = ()
    shown: tuple[str, str] | None = None  # label and measure of its progress, where they are not the stage's

    def plan(self, run: Run, stage: str) -> Plan:
        """What is written before the first piece."""
        identity = {"run": run.id, "stage": stage, "unit": self.name, "settings": self.settings}
        pieces = [arguments.model_dump(mode="json") for arguments in self.pieces]
        return Plan(
            stage=stage,
            unit=self.name,
            fingerprint=fingerprint({**identity, "reads": list(self.reads), "pieces": pieces}),
            settings=self.settings,
            pieces=len(self.pieces),
        )


Work = Callable[[Sequence[Piece[Arguments]]], Iterable[list[StoredObject]]]


@dataclass(frozen=True)
class Stage(Generic[Arguments]):
    """A verb: how to plan its units, and how to work its pieces."""

    name: str
    units: Callable[[Run], list[Unit[Arguments]]]
    work: Work[Arguments]  # gives what each piece has written, in their order
    measure: str  # what its progress counts
    # Pieces of one key read the same, so one call works them; each still has a record of its own.
    key: Callable[[Piece[Arguments]], Hashable] = lambda piece: (piece.unit, piece.index)
    # Work that is visible in the lake before a piece is finished, for stages whose pieces take long.
    live: Callable[[Run], Watch | None] = lambda _: None
    limits: Limits = LIMITS
    needs: Callable[[Run], Needs] = lambda _: Needs()  # what a call occupies of a cluster


def each(work: Callable[[Piece[Arguments]], list[StoredObject]]) -> Work[Arguments]:
    """The work of a stage whose pieces have nothing in common: one after another."""
    return partial(_one_by_one, work)


def _one_by_one(
    work: Callable[[Piece[Arguments]], list[StoredObject]], pieces: Sequence[Piece[Arguments]]
) -> Iterator[list[StoredObject]]:
    return map(work, pieces)
