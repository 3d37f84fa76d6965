"""Score: every neuron's every signal against each hypothesis, over the probe split."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from jobs.driver.stage import Piece, Stage, Unit
from jobs.run.context import Run
from jobs.run.defined import is_yes_no
from jobs.run.reading import step_shards
from jobs.run.selection import kept_layers, kept_signals
from jobs.runners.base import Needs
from pipeline.scoring.rows import Asked, score_rows
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
    asked, place = _asked(run, names)

    tables: dict[str, list[pa.Table]] = {name: [] for name in names}
    for signal, matrix in _layer_signals(run, model, checkpoint, layer, place).items():
        for name, rows in score_rows(layer, signal, matrix, asked).items():
            tables[name].append(rows)

    for piece, name in zip(pieces, names, strict=True):
        rows = pa.concat_tables(tables[name]).sort_by([(column, "ascending") for column in SCORES.sort_by])
        partition = {"run": run.id, "hypothesis": name, "model": model, "checkpoint": checkpoint}
        yield [write_shard(run.folder, SCORES, partition, piece.index, [rows], piece.fingerprint)]


def needs(run: Run) -> Needs:
    """All signals of a layer at once as float32, and those of one, its ranks and its deviations as float64.

    Of 512 neurons over 200,000 steps that is 5 GB.
    """
    steps = sum(shard.rows for shard in step_shards(run, "probe"))
    widest = max(
        model.hidden_size * (4 * len(kept_signals(run.experiment, model.cell)) + 24) for model in run.models
    )
    return Needs(memory=float(steps * widest))


STAGE = Stage("score", units, work, measure="neurons", key=key, needs=needs)


class _Place:
    """Where the row of a (sequence, step) is among the annotations, which are in that order."""

    def __init__(self, sequences: np.ndarray) -> None:
        self.rows = len(sequences)
        self._numbers, self._starts = np.unique(sequences, return_index=True)

    def of(self, sequences: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The rows, (N,) int64, of N sequences' steps."""
        rows: np.ndarray = self._starts[np.searchsorted(self._numbers, sequences)] + steps
        return rows


def _annotations(run: Run, names: Sequence[str]) -> list[list[StoredObject]]:
    """The shards of some hypotheses' values; what they are defined by changes no score."""
    manifests = run.manifests("annotate", [hypothesis_unit(name) for name in names])
    return [[o for o in manifest.objects if o.table == ANNOTATIONS.name] for manifest in manifests]


def _settings(experiment: Experiment, name: str) -> dict[str, object]:
    """What decides the scores of a hypothesis besides its values: which measures there are of one's own."""
    return {"yes_no": is_yes_no(experiment, name)} if experiment.score.definition(name) else {}


def _asked(run: Run, names: Sequence[str]) -> tuple[Mapping[str, Asked], _Place]:
    """The values of some hypotheses at every step, and where each step is."""
    asked = {}
    for name, annotated in zip(names, _annotations(run, names), strict=True):
        rows = read_shards(run.folder, annotated, ["sequence", "value"])
        asked[name] = Asked(rows["value"].to_numpy(), yes_no=is_yes_no(run.experiment, name))
    return asked, _Place(rows["sequence"].to_numpy())


def _layer_signals(run: Run, model: str, checkpoint: int, layer: int, place: _Place) -> dict[str, np.ndarray]:
    """A layer's stored signals as float32 matrices (steps, neurons), steps in the order of the annotations."""
    dump = run.manifest("dump", checkpoint_unit(model, checkpoint))
    hidden_size = next(spec.hidden_size for spec in run.models if spec.name == model)

    matrices: dict[str, np.ndarray] = {}
    for shard in dump.objects:
        if f"/layer={layer}/" not in shard.path:
            continue
        for tile in read_tiles(run.folder, shard, SIGNALS):
            steps = place.of(tile.steps.sequence, tile.steps.step)
            for signal, values in tile.signals.items():
                matrix = matrices.setdefault(signal, np.empty((place.rows, hidden_size), np.float32))
                matrix[steps, tile.first_neuron : tile.first_neuron + len(values)] = values.T
    return matrices
