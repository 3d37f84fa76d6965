"""What a run is, wherever its lake is: its settings, and digests of all that it reads from outside."""

from dataclasses import dataclass

from schemas import FORMAT_VERSION
from schemas.experiment import Experiment, ImportedModel, ModelSpec
from schemas.fingerprint import fingerprint
from schemas.manifest import RunRecord


@dataclass(frozen=True)
class Identity:
    """A plain value: equal identities are the same run."""

    experiment: Experiment
    inputs: str | None = None  # digest of the files that the source reads, None when it reads none
    imported: ImportedModel | None = None  # the network that came ready, None when the run trains its own

    @property
    def id(self) -> str:
        """The run's name: the experiment's, and the fingerprint of all that decides its models."""
        decisive = {"format": FORMAT_VERSION, "inputs": self.inputs, **self.experiment.identity}
        if self.imported:
            decisive["imported"] = self.imported.model_dump()
        return f"{self.experiment.name}-{fingerprint(decisive)}"

    @property
    def models(self) -> list[ModelSpec]:
        """Every model of the run, trained here or imported."""
        return self.experiment.models(self.imported)

    @property
    def record(self) -> RunRecord:
        """What is noted of the run in its lake: how it was begun, without the hypotheses of one's own.

        Those may be changed later, and so are kept beside their annotations.
        """
        experiment = self.experiment.model_dump(exclude={"score": {"define"}})
        return RunRecord(run=self.id, experiment=experiment, inputs=self.inputs, imported=self.imported)
