"""Annotate: each hypothesis over the text of the probe split."""

from collections.abc import Iterable

from jobs.context import Run
from jobs.defined import hypothesis_of, hypothesis_settings
from jobs.generate import document_shards, step_shards
from jobs.publish import Piece, Stage, Unit
from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.annotation.lexing import language_of
from pipeline.annotation.rows import Passage, alone, annotation_rows, passages_of
from pipeline.corpus.rows import texts_of
from pipeline.queries.expression import expression_rows
from pipeline.storage.shards import read_shards, write_shard
from schemas.corpus import STEPS
from schemas.errors import UsageError
from schemas.manifest import StoredObject
from schemas.scores import ANNOTATIONS
from schemas.stages import hypothesis_unit


def units(run: Run) -> list[Unit]:
    """One unit for each hypothesis, a piece for each shard of `steps`."""
    shards = step_shards(run, "probe")
    reads = [shard.sha256 for shard in (*shards, *document_shards(run, "probe"))]
    return [
        Unit(
            hypothesis_unit(name),
            hypothesis_settings(run.experiment, name),
            reads,
            [{"hypothesis": name, "shard": index} for index in range(len(shards))],
            [float(shard.rows) for shard in shards],
        )
        for name in run.experiment.score.hypotheses
    ]


def work(piece: Piece) -> list[StoredObject]:
    """One shard of annotations, row for row with its shard of `steps`; documents are read whole."""
    run, hypothesis = piece.run, str(piece.arguments["hypothesis"])
    steps = read_shards(run.folder, [step_shards(run, "probe")[piece.index]], STEPS.schema.names)
    definition = run.experiment.score.definition(hypothesis)
    if definition and definition.sql:
        rows = expression_rows(definition, steps)
    else:
        texts = texts_of(steps)
        passages = _passages(run, piece.index, texts)
        rows = annotation_rows(hypothesis_of(run.experiment, hypothesis), texts, passages)
    partition = {"run": run.id, "hypothesis": hypothesis}
    return [write_shard(run.folder, ANNOTATIONS, partition, piece.index, [rows], piece.fingerprint)]


def _passages(run: Run, shard: int, texts: Iterable[int]) -> Iterable[Passage]:
    language = run.experiment.score.language
    if not run.text:
        return alone(texts, "plain" if language == "auto" else language)
    documents = [document_shards(run, "probe")[shard]]
    return passages_of(read_shards(run.folder, documents, ["name", "sequence", "sequences"]), language)


def check_language(run: Run) -> None:
    """Raise UsageError for a hypothesis about code where nothing tells the language of the texts."""
    if not run.text or run.experiment.score.language != "auto":
        return
    known = any(language_of(f"a{suffix}") != "plain" for suffix in run.survey().suffixes)
    for name in run.experiment.score.hypotheses:
        shipped = not run.experiment.score.definition(name)
        if shipped and find_hypothesis(name).reads_code and not known:
            raise UsageError(
                f"{name} reads code, and the files' names do not tell the language: set score.language to "
                '"python", "c_like" or "plain"'
            )


STAGE = Stage("annotate", units, work, measure="steps")
