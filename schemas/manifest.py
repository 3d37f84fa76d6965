"""What a stage leaves behind besides its data: a plan first, a record for each piece, a manifest last.

A *unit* is what can be published by itself: the dump of one checkpoint, one hypothesis' annotations. A *piece*
is what is planned, run and resumed as one: it writes one or more objects, and then its record.
"""

from pydantic import BaseModel, ConfigDict

from schemas.command import UNTYPED, Typed, command
from schemas.experiment import ImportedModel

# Of an imported checkpoint's files; pipeline/dumping/as_read.py says what it holds.
AS_READ = "as_read.safetensors"


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
    blake3: str
    footer: str = ""  # BLAKE3 of a shard's footer, which can be compared without reading the shard
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

    def __repr__(self) -> str:
        """What it is about."""
        return f"<Record of piece {self.piece}: {len(self.objects)} objects>"


class Manifest(_Noun):
    """A finished unit: its presence means complete."""

    format_version: int
    plan: Plan
    objects: tuple[StoredObject, ...]

    def __repr__(self) -> str:
        """What it is about: its objects may be thousands."""
        return f"<Manifest of {self.plan.stage} {self.plan.unit}: {len(self.objects)} objects>"


class RunRecord(_Noun):
    """What a run is, kept beside its manifests."""

    run: str
    experiment: dict[str, object]
    inputs: str | None  # digest of the input files, None when the task reads none
    imported: ImportedModel | None = None  # the network that was not trained here
    typed: Typed = UNTYPED  # what began it; says nothing of what the run is

    def __repr__(self) -> str:
        """The run's name, without its settings."""
        return f"<RunRecord {self.run}>"

    def again(self, root: str, *flags: str) -> str:
        """What to do to go on with the run in a lake, or with flags such as --replace to make some of it again."""
        if self.typed.words:
            return f"type `{self.typed.again(root, *flags)}`"
        network = self.experiment.get("network")
        if not isinstance(network, dict) or network.get("weights") != "live":
            return f"type the command that began it{', with' if flags else ''} {' '.join(flags)}".rstrip()
        if not flags:
            return "dump it again, in Python or by `unrolled write … --dump`"
        gone = command("runs", "rm", self.run, "--yes", root=root)
        return f"type `{gone}` and dump it again, in Python or by `unrolled write … --dump`,"

    def make_again(self, root: str, stage: str) -> str:
        """What to do to make a stage of the run again."""
        return f"{self.again(root, '--replace', stage)} to make it again"
