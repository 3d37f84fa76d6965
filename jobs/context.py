"""A run: an experiment in a lake, under the id that its fingerprint gives it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from jobs.network import Network, make_module, open_network, read_vocabulary
from jobs.placement import HERE, Placement
from jobs.texts import check_readable, survey_text, text_vocabulary
from pipeline.corpus.rows import encoded_sequence
from pipeline.corpus.survey import Division, Survey, alphabet, divide
from pipeline.sampling.write import marks_of
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import Journal, prepare_lake, read_manifest, read_run, run_folder
from pipeline.storage.sealed import seal
from pipeline.tasks import make_task
from pipeline.tasks.task import Task
from pipeline.tasks.vocabulary import Vocabulary
from schemas import FORMAT_VERSION
from schemas.corpus import SPLITS
from schemas.errors import StorageError, StorageUnavailableError, UsageError
from schemas.experiment import Experiment, ImportedModel, ModelSpec
from schemas.fingerprint import fingerprint
from schemas.manifest import Manifest, RunRecord
from schemas.task_settings import TextSettings

SAMPLE = 200  # sequences of a task without end that are tried on a network's vocabulary


@dataclass(frozen=True)
class Run:
    """What every piece of work is told: where the lake is, and what is being done in it."""

    root: str
    experiment: Experiment
    inputs: str | None  # digest of the files that the task reads, None when it reads none
    imported: ImportedModel | None = None  # the network that came ready, None when the run trains its own
    code: str = "."  # the folder that such a network's Python is imported from, here and in workers
    placement: Placement = HERE  # of training; decides nothing about what is trained
    surveyed: Survey | None = field(default=None, compare=False, repr=False)  # of a text; it stays with the driver

    def __getstate__(self) -> dict[str, object]:
        """What travels to workers."""
        return {**self.__dict__, "surveyed": None}

    @property
    def id(self) -> str:
        """The run's name: the experiment's, and the fingerprint of all that decides its models."""
        identity = {"format": FORMAT_VERSION, "inputs": self.inputs, **self.experiment.identity}
        if self.imported:
            identity["imported"] = self.imported.model_dump()
        return f"{self.experiment.name}-{fingerprint(identity)}"

    @property
    def models(self) -> list[ModelSpec]:
        """Every model of the run, trained here or imported: what there is to dump."""
        return self.experiment.models(self.imported)

    @property
    def record(self) -> RunRecord:
        """What is noted of the run in its lake."""
        experiment = self.experiment.model_dump()
        return RunRecord(run=self.id, experiment=experiment, inputs=self.inputs, imported=self.imported)

    @property
    def folder(self) -> Folder:
        """The lake."""
        return Folder(self.root)

    @property
    def text(self) -> TextSettings | None:
        """The settings of a text; None for a task that makes its own sequences."""
        return self.experiment.task if isinstance(self.experiment.task, TextSettings) else None

    def task(self) -> Task:
        """The task that makes the sequences, which a text has none of."""
        return make_task(self.experiment.task)

    def survey(self) -> Survey:
        """The survey of a text. Raises UsageError when its files are not those that the run began with."""
        assert self.text is not None
        survey = survey_text(self.text) if self.surveyed is None else self.surveyed
        if survey.digest != self.inputs:
            raise UsageError(f"the files of {self.experiment.name} have changed since the run began: run it again")
        return survey

    def division(self) -> Division:
        """Which split has which documents of a text. Raises UsageError when there are too few, or others."""
        assert self.text is not None
        return divide(self.survey(), self.text, self.experiment.corpus, self.experiment.last_split)

    def vocabulary(self) -> Vocabulary:
        """What the tokens stand for: the task's or text's characters, or an imported network's own.

        Raises UsageError when the vocabulary is not the one that the run began with.
        """
        corpus, settings = self.experiment.corpus, self.experiment.network
        if settings is None and self.text:
            return text_vocabulary(self.text, alphabet(self.survey(), self.text))
        if settings is None:
            return Vocabulary(self.task().alphabet(corpus.seed, corpus.train))
        vocabulary = read_vocabulary(settings, self.code)
        if self.imported and vocabulary.digest != self.imported.vocabulary:
            raise UsageError(f"{settings.vocabulary} has changed since the run began: run it again")
        return vocabulary

    def module(self) -> nn.Module:
        """An imported network's module as its factory makes it, with whatever weights that gives it."""
        assert self.experiment.network is not None
        return make_module(self.experiment.network.model, self.code)

    def network(self) -> Network:
        """The network that is imported. Raises UsageError when it is not the one that the run began with."""
        assert self.experiment.network is not None
        network = open_network(self.experiment.network, self.code)
        if network.imported != self.imported:
            raise UsageError(
                f"the network of {self.experiment.name} has changed since the run began: run it again"
            )
        return network

    def manifest(self, stage: str, unit: str) -> Manifest:
        """The manifest of a finished unit. Raises UsageError when the stage is missing."""
        return self._finished(stage, unit, read_manifest(self.folder, self.id, stage, unit))

    def manifests(self, stage: str, units: Sequence[str]) -> list[Manifest]:
        """The manifests of finished units, read many at a time. Raises UsageError when one is missing."""
        there = Journal(self.folder, self.id, stage).manifests()
        return [self._finished(stage, unit, there.get(unit)) for unit in units]

    def _finished(self, stage: str, unit: str, found: Manifest | None) -> Manifest:
        if found is None:
            raise UsageError(
                f"{self.id} has not finished {stage} ({unit}): type "
                f"`unrolled {stage} {self.experiment.name} --root {self.root}` first"
            )
        return found


def find_run(experiment: Experiment, root: str, code: str = ".", placement: Placement = HERE) -> Run:
    """The run that an experiment is in a lake; nothing is written.

    Args:
        experiment: its settings.
        root: the lake.
        code: the folder that an imported network's Python lies in.
        placement: where its models are trained.

    Raises UsageError when its files hold too few sequences, or characters outside the vocabulary, or its network
    cannot be dumped.
    """
    text = experiment.task if isinstance(experiment.task, TextSettings) else None
    survey = survey_text(text) if text else None
    network = open_network(experiment.network, code) if experiment.network else None
    inputs = None if survey is None else survey.digest
    imported = network.imported if network else None
    run = Run(whole_root(root), experiment, inputs, imported, code, placement, survey)
    return checked_run(run, network.vocabulary if network else None)


def checked_run(run: Run, vocabulary: Vocabulary | None) -> Run:
    """A run whose corpus is there and can be encoded, with the sizes of its splits.

    Raises UsageError when it is not so; `vocabulary` is an imported network's.
    """
    if run.imported:
        try:
            run.experiment.check_signals(run.imported.spec.cell)
            run.experiment.check_layers(run.imported.spec.layers)
        except ValueError as error:
            raise UsageError(str(error)) from None
    run = _checked_text(run, vocabulary) if run.text else _checked_task(run, vocabulary)
    experiment = run.experiment
    if experiment.sample.length:  # a prompt that cannot be read should not be found out after the training
        marks_of(experiment.sample, vocabulary or run.vocabulary())
    return run


def _checked_text(run: Run, vocabulary: Vocabulary | None) -> Run:
    assert run.text is not None
    survey = run.survey()
    if vocabulary is None and len(survey):
        alphabet(survey, run.text)
    division = run.division()
    if vocabulary:
        check_readable(run.text, survey, division, vocabulary)
    sizes = {split: division.size(split) for split in SPLITS}
    return _with_sizes(run, sizes)


def _checked_task(run: Run, vocabulary: Vocabulary | None) -> Run:
    """The splits of a task; without a probe size, all that it holds is dumped."""
    task, corpus = run.task(), run.experiment.corpus
    if run.imported and not corpus.probe and task.available is not None:
        run = _with_sizes(run, {"probe": max(1, task.available - corpus.train - corpus.valid)})
        corpus = run.experiment.corpus
    wanted = corpus.train + corpus.valid + corpus.probe
    if vocabulary is not None:
        for number in range(wanted if task.available is not None else min(wanted, SAMPLE)):
            encoded_sequence(task.sequence(corpus.seed, number), vocabulary, number)
    return run


def _with_sizes(run: Run, sizes: dict[str, int]) -> Run:
    corpus = run.experiment.corpus.model_copy(update=sizes)
    return replace(run, experiment=run.experiment.model_copy(update={"corpus": corpus}))


def whole_root(root: str) -> str:
    """A lake's root as workers may know it, who may run in another folder."""
    folder = Folder(root)
    return folder.address("").rstrip("/") or "/" if folder.is_local else root


def begin_run(run: Run) -> None:
    """Make the lake ready and note the run in it; a note that was damaged is written again."""
    folder = run.folder
    prepare_lake(folder)
    path = f"{run_folder(run.id)}/run.json"
    if not folder.create(path, seal(run.record)):
        try:
            read_run(folder, run.id)
        except StorageUnavailableError:
            raise
        except StorageError:
            folder.replace(path, seal(run.record))
