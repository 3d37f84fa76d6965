"""Score: every neuron's every signal against each hypothesis, over the distinct texts of the probe split."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from threadpoolctl import threadpool_limits

from jobs.driver.stage import Piece, Stage, Unit
from jobs.run.context import Run
from jobs.run.defined import is_yes_no, kind_of
from jobs.run.reading import step_shards
from jobs.run.selection import kept_layers, kept_signals
from jobs.runners.base import Needs
from pipeline.scoring.columns import Asked, asked_of
from pipeline.scoring.rows import Scorer
from pipeline.scoring.texts import Texts, distinct_texts
from pipeline.storage.shards import read_shards, write_shard
from pipeline.storage.tiles import read_tiles
from schemas.experiment import Experiment
from schemas.manifest import StoredObject
from schemas.scores import ANNOTATIONS, SCORES
from schemas.signals import SIGNALS
from schemas.stages import checkpoint_unit, hypothesis_unit, score_unit


class ScorePiece(BaseModel):
    """One layer of one checkpoint against one hypothesis."""

    model_config = ConfigDict(frozen=True)

    hypothesis: str
    model: str
    checkpoint: int
    layer: int


def units(run: Run) -> list[Unit[ScorePiece]]:
    """One unit for each hypothesis, model and checkpoint, a piece for each layer that was dumped."""
    names = run.experiment.score.hypotheses
    annotations = _annotations(run, names)
    dumped = [(model, checkpoint) for model in run.models for checkpoint in run.experiment.dumped_checkpoints]
    dumps = run.manifests("dump", [checkpoint_unit(model.name, checkpoint) for model, checkpoint in dumped])

    planned = []
    for (model, checkpoint), dump in zip(dumped, dumps, strict=True):
        layers = kept_layers(run.experiment, model.layers)
        for hypothesis, annotated in zip(names, annotations, strict=True):
            reads = [stored.blake3 for stored in (*dump.objects, *annotated)]
            place = {"hypothesis": hypothesis, "model": model.name, "checkpoint": checkpoint}
            pieces = [ScorePiece.model_validate({**place, "layer": layer}) for layer in layers]
            sizes = [float(model.hidden_size)] * len(layers)
            settings = _settings(run.experiment, hypothesis)
            planned.append(Unit(score_unit(hypothesis, model.name, checkpoint), settings, reads, pieces, sizes))
    return planned


def key(piece: Piece[ScorePiece]) -> tuple[str, int, int]:
    """Which shards it reads. The hypotheses that are missing share a layer's reading and its ranks."""
    place = piece.arguments
    return place.model, place.checkpoint, place.layer


def work(pieces: Sequence[Piece[ScorePiece]]) -> Iterator[list[StoredObject]]:
    """One layer against each of the pieces' hypotheses."""
    run, (model, checkpoint, layer) = pieces[0].run, key(pieces[0])
    names = [piece.arguments.hypothesis for piece in pieces]
    texts = _texts(run)
    signals = _layer_signals(run, model, checkpoint, layer, texts)
    # One thread: BLAS adds in an order that follows the number of its threads.
    with threadpool_limits(1, "blas"):
        tables = Scorer(texts, _asked(run, names, texts)).rows(layer, signals)

    for piece, name in zip(pieces, names, strict=True):
        partition = {"run": run.id, "hypothesis": name, "model": model, "checkpoint": checkpoint}
        yield [write_shard(run.folder, SCORES, partition, piece.index, [tables[name]], piece.fingerprint)]


def needs(run: Run) -> Needs:
    """All signals of a layer at once as float32, and some copies of what is multiplied at once.

    Of 512 neurons over 200,000 steps that is 3.5 GB.
    """
    steps = sum(shard.rows for shard in step_shards(run, "probe"))
    widest = max(model.hidden_size * 4 * len(kept_signals(run.experiment, model.cell)) for model in run.models)
    return Needs(memory=float(steps * widest + 2**30))


STAGE = Stage("score", units, work, measure="neurons", key=key, needs=needs)


def _annotations(run: Run, names: Sequence[str]) -> list[list[StoredObject]]:
    """The shards of some hypotheses' values; what they are defined by changes no score."""
    manifests = run.manifests("annotate", [hypothesis_unit(name) for name in names])
    return [[o for o in manifest.objects if o.table == ANNOTATIONS.name] for manifest in manifests]


def _settings(experiment: Experiment, name: str) -> dict[str, object]:
    """What decides the scores of a hypothesis besides its values: which measures there are of one's own."""
    return {"yes_no": is_yes_no(experiment, name)} if experiment.score.definition(name) else {}


def _texts(run: Run) -> Texts:
    """What the probe split reads."""
    steps = read_shards(run.folder, step_shards(run, "probe"), ["sequence", "token"])
    return distinct_texts(steps["sequence"].to_numpy(), steps["token"].to_numpy())


def _asked(run: Run, names: Sequence[str], texts: Texts) -> Mapping[str, Asked]:
    """Some hypotheses at every step of the texts."""
    asked = {}
    for name, annotated in zip(names, _annotations(run, names), strict=True):
        rows = read_shards(run.folder, annotated, ["sequence", "step", "value", "category"])
        place = texts.rows_of(rows["sequence"].to_numpy(), rows["step"].to_numpy())
        asked[name] = asked_of(rows["value"], rows["category"], place, kind_of(run.experiment, name))
    return asked


def _layer_signals(run: Run, model: str, checkpoint: int, layer: int, texts: Texts) -> dict[str, np.ndarray]:
    """A layer's stored signals, (neurons, N) float32 over the rows of the texts."""
    dump = run.manifest("dump", checkpoint_unit(model, checkpoint))
    hidden_size = next(spec.hidden_size for spec in run.models if spec.name == model)

    signals: dict[str, np.ndarray] = {}
    for shard in dump.objects:
        if f"/layer={layer}/" not in shard.path:
            continue
        for tile in read_tiles(run.folder, shard, SIGNALS):
            place = texts.rows_of(tile.steps.sequence, tile.steps.step)
            kept = place >= 0
            for signal, values in tile.signals.items():
                matrix = signals.setdefault(signal, np.empty((hidden_size, texts.starts[-1]), np.float32))
                matrix[tile.first_neuron : tile.first_neuron + len(values), place[kept]] = values[:, kept]
    return signals
