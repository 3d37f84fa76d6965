"""A run: an experiment in a lake, under the id that its fingerprint gives it."""

from dataclasses import dataclass

from pipeline.storage.documents import digest_documents, read_documents
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import prepare_lake, read_manifest, run_folder
from pipeline.tasks import make_task
from pipeline.tasks.task import Task
from pipeline.tasks.vocabulary import Vocabulary
from schemas import FORMAT_VERSION
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.experiment import Experiment
from schemas.fingerprint import fingerprint
from schemas.manifest import Manifest, RunRecord
from schemas.task_settings import TextSettings


@dataclass(frozen=True)
class Run:
    """What every piece of work is told: where the lake is, and what is being done in it."""

    root: str
    experiment: Experiment
    inputs: str | None  # digest of the files that the task reads, None when it reads none

    @property
    def id(self) -> str:
        """The run's name: the experiment's, and the fingerprint of all that decides its models."""
        identity = {"format": FORMAT_VERSION, "inputs": self.inputs, **self.experiment.identity}
        return f"{self.experiment.name}-{fingerprint(identity)}"

    @property
    def folder(self) -> Folder:
        """The lake."""
        return Folder(self.root)

    def task(self) -> Task:
        """The task, with its files read. Raises UsageError when they are not those that the run began with."""
        documents = documents_of(self.experiment)
        if documents and digest_documents(documents) != self.inputs:
            raise UsageError(f"the files of {self.experiment.name} have changed since the run began: run it again")
        return make_task(self.experiment.task, documents)

    def manifest(self, stage: str, unit: str) -> Manifest:
        """The manifest of a finished unit. Raises UsageError when the stage is missing."""
        found = read_manifest(self.folder, self.id, stage, unit)
        if found is None:
            raise UsageError(
                f"{self.id} has not finished {stage} ({unit}): type "
                f"`unrolled {stage} {self.experiment.name} --root {self.root}` first"
            )
        return found


def documents_of(experiment: Experiment) -> list[Document]:
    """The files that an experiment's task reads; none for a task that makes its own sequences."""
    return read_documents(experiment.task) if isinstance(experiment.task, TextSettings) else []


def find_run(experiment: Experiment, root: str) -> Run:
    """The run that an experiment is in a lake; nothing is written.

    Raises UsageError when its files hold too few sequences, or characters outside the train split's.
    """
    documents = documents_of(experiment)
    folder = Folder(root)
    if folder.is_local:  # workers may run in another folder
        root = folder.address("").rstrip("/") or "/"
    run = Run(root, experiment, digest_documents(documents) if documents else None)
    task = make_task(experiment.task, documents)
    corpus = experiment.corpus
    wanted = corpus.train + corpus.valid + corpus.probe
    if task.available is not None and wanted > task.available:
        raise UsageError(
            f"the corpus holds {task.available} sequences, and train + valid + probe ask for {wanted}: lower "
            "corpus.train, corpus.valid or corpus.probe, or give more files"
        )
    if task.available is not None:  # what comes from files may hold what training never saw
        vocabulary = Vocabulary(task.alphabet(corpus.seed, corpus.train))
        for number in range(corpus.train, wanted):
            vocabulary.encode(task.sequence(corpus.seed, number).text, f"sequence {number}")
    return run


def begin_run(run: Run) -> None:
    """Make the lake ready and note the run in it."""
    folder = run.folder
    prepare_lake(folder)
    record = RunRecord(run=run.id, experiment=run.experiment.model_dump(), inputs=run.inputs)
    folder.create(f"{run_folder(run.id)}/run.json", (record.model_dump_json(indent=2) + "\n").encode())
