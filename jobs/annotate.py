"""Annotate: each hypothesis over the text of the probe split."""

from jobs.context import Run
from jobs.generate import step_shards
from jobs.publish import Piece, Stage, Unit
from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.annotation.lexing import language_of
from pipeline.annotation.rows import annotation_rows
from pipeline.corpus.rows import texts_of
from pipeline.storage.shards import read_shards, write_shard
from schemas.errors import UsageError
from schemas.experiment import Experiment
from schemas.manifest import StoredObject
from schemas.scores import ANNOTATIONS
from schemas.stages import hypothesis_unit
from schemas.task_settings import TextSettings


def units(run: Run) -> list[Unit]:
    """One unit for each hypothesis, a piece for each shard of `steps`."""
    shards = step_shards(run, "probe")
    names = run.experiment.score.hypotheses
    language = language_of_texts(run.experiment)
    return [
        Unit(
            hypothesis_unit(name),
            {"language": language} if find_hypothesis(name).reads_code else {},
            [shard.sha256 for shard in shards],
            [{"hypothesis": name, "shard": index} for index in range(len(shards))],
            [float(shard.rows) for shard in shards],
        )
        for name in names
    ]


def work(piece: Piece) -> list[StoredObject]:
    """One shard of annotations, row for row with its shard of `steps`."""
    run, hypothesis = piece.run, str(piece.arguments["hypothesis"])
    shard = step_shards(run, "probe")[piece.index]
    steps = read_shards(run.folder, [shard], ["sequence", "token", "char", "determined"])
    rows = annotation_rows(hypothesis, texts_of(steps), language_of_texts(run.experiment))
    partition = {"run": run.id, "hypothesis": hypothesis}
    return [write_shard(run.folder, ANNOTATIONS, partition, piece.index, [rows], piece.fingerprint)]


def check_hypotheses(experiment: Experiment) -> None:
    """Raise UsageError for an unknown hypothesis, or one about code where nothing tells the files' language."""
    for name in experiment.score.hypotheses:
        reads_code, asked = find_hypothesis(name).reads_code, experiment.score.language
        is_told = asked != "auto" or language_of_texts(experiment) != "plain"
        if reads_code and not is_told and isinstance(experiment.task, TextSettings):
            raise UsageError(
                f"{name} reads code, and the files' names do not tell the language: set score.language to "
                '"python", "c_like" or "plain"'
            )


def language_of_texts(experiment: Experiment) -> str:
    """What hypotheses about code read the texts as: as the experiment says, or by the files' suffixes."""
    if experiment.score.language != "auto":
        return experiment.score.language
    if not isinstance(experiment.task, TextSettings):
        return "plain"
    known = map(language_of, [*experiment.task.include, *experiment.task.files])
    return next((language for language in known if language != "plain"), "plain")


STAGE = Stage("annotate", units, work, measure="steps")
