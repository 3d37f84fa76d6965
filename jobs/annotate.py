"""Annotate: each hypothesis over the text of the probe split."""

from jobs.context import Run
from jobs.generate import step_shards
from jobs.publish import Piece, Stage, Unit
from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.annotation.rows import annotation_rows
from pipeline.corpus.rows import texts_of
from pipeline.storage.shards import read_shards, write_shard
from schemas.manifest import StoredObject
from schemas.scores import ANNOTATIONS
from schemas.stages import hypothesis_unit


def units(run: Run) -> list[Unit]:
    """One unit for each hypothesis, a piece for each shard of `steps`."""
    shards = step_shards(run, "probe")
    names = run.experiment.score.hypotheses
    for name in names:
        find_hypothesis(name)
    return [
        Unit(
            hypothesis_unit(name),
            {},
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
    rows = annotation_rows(hypothesis, texts_of(steps))
    partition = {"run": run.id, "hypothesis": hypothesis}
    return [write_shard(run.folder, ANNOTATIONS, partition, piece.index, [rows], piece.fingerprint)]


STAGE = Stage("annotate", units, work, measure="steps")
