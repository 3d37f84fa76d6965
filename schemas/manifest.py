"""What a stage leaves behind besides its data: a plan first, a record for each piece, a manifest last.

A *unit* is what can be published by itself: the dump of one checkpoint, one hypothesis' annotations. A *piece*
is what is planned, run and resumed as one: it writes one or more objects, and then its record.
"""

from pydantic import BaseModel, ConfigDict

from schemas.experiment import ImportedModel


class _Noun(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Residual(_Noun):
    """How well a shard obeys an equation: |value - equation| / max(1, |value|), in float32 before any rounding."""

    equation: str
    values: int  # how many were checked
    largest: float
    median: float


class StoredObject(_Noun):
    """An object of the lake: a Parquet shard when it belongs to a table, else a file of a checkpoint."""

    path: str  # relative to the root
    table: str | None
    rows: int
    bytes: int
    sha256: str
    footer: str = ""  # SHA-256 of a shard's footer, which can be compared without reading the shard
    residuals: tuple[Residual, ...] = ()  # of a shard of activations


class Plan(_Noun):
    """What a unit will be, written before its first piece: two plans can never mix in one place."""

    stage: str
    unit: str
    fingerprint: str
    settings: dict[str, object]
    pieces: int


class Record(_Noun):
    """A finished piece."""

    piece: int
    fingerprint: str
    objects: tuple[StoredObject, ...]


class Manifest(_Noun):
    """A finished unit: its presence means complete."""

    format_version: int
    plan: Plan
    objects: tuple[StoredObject, ...]


class RunRecord(_Noun):
    """What a run is, kept beside its manifests."""

    run: str
    experiment: dict[str, object]
    inputs: str | None  # digest of the input files, None when the task reads none
    imported: ImportedModel | None = None  # the network that was not trained here
