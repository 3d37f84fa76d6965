"""Opening a run: reading its text or network as far as needed to know which run it is, and that it can be made."""

from dataclasses import replace

from jobs.run.context import Run
from jobs.run.identity import Identity
from jobs.run.network import ImportedNetwork, Network, open_network
from jobs.run.placement import HERE, Placement
from jobs.run.source import NetworkSource, Source
from jobs.run.tasks import TaskSource
from jobs.run.texts import TextSource, survey_text
from pipeline.sampling.write import marks_of
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import read_run, removal_mark, run_folder
from pipeline.storage.sealed import seal
from pipeline.tasks.vocabulary import Vocabulary
from schemas.command import UNTYPED, Typed
from schemas.errors import StorageError, StorageUnavailableError, UsageError
from schemas.experiment import Experiment
from schemas.manifest import RunRecord
from schemas.task_settings import TextSettings


def open_run(
    experiment: Experiment, root: str, code: str = ".", placement: Placement = HERE, typed: Typed = UNTYPED
) -> Run:
    """The run that an experiment is in a lake: its text is surveyed, its network imported and tried.

    Nothing is written.

    Args:
        experiment: its settings.
        root: the lake.
        code: the folder that an imported network's Python is in.
        placement: where its models are trained.
        typed: what names it on the command line.

    Raises UsageError when its files hold too few sequences, or characters outside the vocabulary, or its network
    cannot be dumped.
    """
    survey = survey_text(experiment.task) if isinstance(experiment.task, TextSettings) else None
    network = open_network(experiment.network, code) if experiment.network else None

    inputs = survey.digest if survey is not None else None
    identity = Identity(experiment, inputs, network.imported if network else None)
    source = _source(identity)
    if isinstance(source, TextSource):
        source = replace(source, surveyed=survey)

    run = Run(whole_root(root), identity, source, _network(identity, code, network), placement, typed)
    return checked_run(run, network)


def recorded_run(record: RunRecord, root: str) -> Run:
    """A run that a lake has, as its record tells; nothing is read and nothing checked."""
    identity = Identity(Experiment.model_validate(record.experiment), record.inputs, record.imported)
    return Run(whole_root(root), identity, _source(identity), _network(identity, "."), typed=record.typed)


def checked_run(run: Run, network: Network | None) -> Run:
    """A run with the sizes of its splits, once its corpus can be encoded and its network, if any, be dumped.

    Raises UsageError when it is not so.
    """
    if network:
        spec = network.imported.spec
        try:
            run.experiment.check_signals(spec.cell)
            run.experiment.check_layers(spec.layers)
        except ValueError as error:
            raise UsageError(str(error)) from None

    vocabulary = network.vocabulary if network else None
    run = _sized(run, vocabulary)
    drawing = run.experiment.sample
    if drawing.length:  # a prompt that cannot be read should not be found out after the training
        marks_of(drawing, vocabulary or run.vocabulary())
    return run


def note_run(run: Run) -> None:
    """Note the run in its lake; a damaged note is written again, and a removal that was cut short is over."""
    folder = run.folder
    path, note = f"{run_folder(run.id)}/run.json", seal(run.record)
    is_new = folder.create(path, note)
    if folder.exists(removal_mark(run.id)):
        folder.remove_all([removal_mark(run.id)])
    if is_new:
        return
    try:
        read_run(folder, run.id)
    except StorageUnavailableError:
        raise
    except StorageError:
        folder.replace(path, note)


def whole_root(root: str) -> str:
    """A lake's root as workers may know it, who may run in another folder."""
    folder = Folder(root)
    return folder.whole_root if folder.is_local else root


def _source(identity: Identity) -> Source:
    experiment = identity.experiment
    if isinstance(experiment.task, TextSettings):
        return TextSource(experiment.task, experiment.corpus, experiment.last_split, identity.inputs)
    return TaskSource(experiment.task, experiment.corpus, takes_all=experiment.network is not None)


def _network(identity: Identity, code: str, opened: Network | None = None) -> NetworkSource | None:
    settings, told = identity.experiment.network, opened.told if opened else ()
    return ImportedNetwork(settings, code, identity.imported, told) if settings else None


def _sized(run: Run, vocabulary: Vocabulary | None) -> Run:
    corpus = run.source.checked_sizes(vocabulary)
    experiment = run.experiment.model_copy(update={"corpus": corpus})
    return replace(run, identity=replace(run.identity, experiment=experiment), source=run.source.sized(corpus))
