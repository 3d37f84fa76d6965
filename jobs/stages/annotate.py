"""Annotate: each hypothesis over the text of the probe split."""

from collections.abc import Callable, Iterable
from functools import partial

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from jobs.driver.stage import Piece, Stage, Unit, each
from jobs.run.context import Run
from jobs.run.defined import hypothesis_of, hypothesis_settings, is_yes_no
from jobs.run.reading import document_shards, step_shards
from pipeline.annotation.rows import Passage, alone, annotation_rows, definition_row, passages_of, silent_rows
from pipeline.corpus.rows import texts_of
from pipeline.queries.expression import expression_rows
from pipeline.storage.shards import read_shards, write_shard
from schemas.corpus import STEPS
from schemas.errors import UsageError
from schemas.experiment import Experiment
from schemas.manifest import StoredObject
from schemas.scores import ANNOTATIONS, DEFINITIONS
from schemas.stages import hypothesis_unit


class AnnotatePiece(BaseModel):
    """One hypothesis over one shard of `steps`."""

    model_config = ConfigDict(frozen=True)

    hypothesis: str
    shard: int


def units(run: Run) -> list[Unit[AnnotatePiece]]:
    """One unit for each hypothesis, a piece for each shard of `steps`."""
    shards = step_shards(run, "probe")
    reads = [shard.blake3 for shard in (*shards, *document_shards(run, "probe"))]
    sizes = [float(shard.rows) for shard in shards]

    planned = []
    for name in run.experiment.score.hypotheses:
        pieces = [AnnotatePiece(hypothesis=name, shard=index) for index in range(len(shards))]
        settings = hypothesis_settings(run.experiment, name)
        planned.append(Unit(hypothesis_unit(name), settings, reads, pieces, sizes))
    return planned


def work(piece: Piece[AnnotatePiece]) -> list[StoredObject]:
    """One shard of annotations, as the shard of `steps`; the first piece also writes what they were made with.

    A hypothesis of one's own that cannot be worked out on these texts says nothing here. Why not is noted beside
    it, and the others go on: what failed on the short text before training has stopped the run already.
    """
    run, hypothesis, shard = piece.run, piece.arguments.hypothesis, piece.arguments.shard
    steps = read_shards(run.folder, [step_shards(run, "probe")[shard]], STEPS.schema.names)

    rows, note = _rows(run, hypothesis, shard, steps)
    tables = {ANNOTATIONS: rows}
    if piece.index == 0 or note:
        tables[DEFINITIONS] = _definition(run.experiment, hypothesis, note)
    partition = {"run": run.id, "hypothesis": hypothesis}
    return [
        write_shard(run.folder, table, partition, piece.index, [made], piece.fingerprint)
        for table, made in tables.items()
    ]


STAGE = Stage("annotate", units, each(work), measure="steps")


def _rows(run: Run, name: str, shard: int, steps: pa.Table) -> tuple[pa.Table, str | None]:
    """A hypothesis' annotations of a shard; if it fails on these texts, that it says nothing, and why."""
    definition = run.experiment.score.definition(name)
    made: Callable[[], pa.Table]
    if definition and definition.sql:
        made = partial(expression_rows, definition, steps)
    else:
        texts = texts_of(steps)
        # A file that cannot be imported here says nothing of the texts: that stops the run.
        hypothesis = hypothesis_of(run.experiment, name)
        made = partial(annotation_rows, hypothesis, texts, _passages(run, shard, texts), name)
    try:
        return made(), None
    except UsageError as error:
        return silent_rows(steps), " ".join(str(error).split())


def _definition(experiment: Experiment, name: str, note: str | None) -> pa.Table:
    return definition_row(
        yes_no=is_yes_no(experiment, name),
        definition=experiment.score.definition(name),
        digest=hypothesis_settings(experiment, name).get("definition"),
        note=note,
    )


def _passages(run: Run, shard: int, texts: Iterable[int]) -> Iterable[Passage]:
    language = run.experiment.score.language
    documents = document_shards(run, "probe")
    if not documents:
        return alone(texts, "plain" if language == "auto" else language)
    rows = read_shards(run.folder, [documents[shard]], ["name", "sequence", "sequences"])
    return passages_of(rows, language)
