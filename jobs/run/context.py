"""A run: an experiment in a lake, under the id that its fingerprint gives it."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.run.identity import Identity
from jobs.run.placement import HERE, Placement
from jobs.run.source import NetworkSource, Source
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import Journal, read_manifest
from pipeline.tasks.vocabulary import Vocabulary
from schemas.command import UNTYPED, Typed
from schemas.errors import UsageError
from schemas.experiment import Experiment, ImportedModel, ModelSpec
from schemas.manifest import Manifest, RunRecord


@dataclass(frozen=True)
class Run:
    """What every piece of work is told: where the lake is, and what is being done in it."""

    root: str
    identity: Identity
    source: Source
    network: NetworkSource | None = None  # the network that came ready, None when the run trains its own
    placement: Placement = HERE  # of training; decides nothing about what is trained
    typed: Typed = UNTYPED  # what names its experiment on the command line, for messages

    def __repr__(self) -> str:
        """Its name and its lake, without its settings."""
        return f"<Run {self.id} in {self.root}>"

    @property
    def id(self) -> str:
        """The run's name."""
        return self.identity.id

    @property
    def experiment(self) -> Experiment:
        """Its settings."""
        return self.identity.experiment

    @property
    def imported(self) -> ImportedModel | None:
        """What is known of the network that came ready, None when the run trains its own."""
        return self.identity.imported

    @property
    def models(self) -> list[ModelSpec]:
        """Every model of the run, trained here or imported: what there is to dump."""
        return self.identity.models

    @property
    def record(self) -> RunRecord:
        """What is noted of the run in its lake."""
        return self.identity.record.model_copy(update={"typed": self.typed})

    @property
    def folder(self) -> Folder:
        """The lake."""
        return Folder(self.root)

    def vocabulary(self) -> Vocabulary:
        """What the tokens stand for: the network's own texts, or the source's characters.

        Raises UsageError when the vocabulary is not the one that the run began with.
        """
        return self.network.vocabulary() if self.network else self.source.vocabulary()

    def manifest(self, stage: str, unit: str) -> Manifest:
        """The manifest of a finished unit. Raises UsageError when the stage is missing."""
        return self._finished(stage, unit, read_manifest(self.folder, self.id, stage, unit))

    def manifests(self, stage: str, units: Sequence[str]) -> list[Manifest]:
        """The manifests of finished units, read many at a time. Raises UsageError when one is missing."""
        published = Journal(self.folder, self.id, stage).manifests()
        return [self._finished(stage, unit, published.get(unit)) for unit in units]

    def _finished(self, stage: str, unit: str, manifest: Manifest | None) -> Manifest:
        if manifest is None:
            typed = self.typed if self.typed.words else Typed(words=(self.experiment.name,))
            first = typed.again(self.root, stage=stage)
            raise UsageError(f"{self.id} has not finished {stage} ({unit}): type `{first}` first")
        return manifest
