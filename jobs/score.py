"""Score: every neuron's every signal against each hypothesis, over the probe split."""

import numpy as np
import pyarrow as pa

from jobs.context import Run
from jobs.defined import is_yes_no
from jobs.dump import kept_signals
from jobs.generate import step_shards
from jobs.publish import Piece, Stage, Unit
from jobs.runners.base import Needs
from pipeline.scoring.rows import score_rows
from pipeline.storage.shards import read_shards, write_shard
from schemas.experiment import ModelSpec
from schemas.manifest import Manifest, StoredObject
from schemas.scores import SCORES
from schemas.signals import SIGNALS
from schemas.stages import checkpoint_unit, hypothesis_unit


def units(run: Run) -> list[Unit]:
    """One unit of one piece for each hypothesis, model and checkpoint."""
    names = run.experiment.score.hypotheses
    annotations = run.manifests("annotate", [hypothesis_unit(name) for name in names])
    dumped = [(model, checkpoint) for model in run.models for checkpoint in run.experiment.dumped_checkpoints]
    dumps = run.manifests("dump", [checkpoint_unit(model.name, checkpoint) for model, checkpoint in dumped])
    found = []
    for (model, checkpoint), dump in zip(dumped, dumps, strict=True):
        for hypothesis, annotated in zip(names, annotations, strict=True):
            name = f"{hypothesis_unit(hypothesis)}/{checkpoint_unit(model.name, checkpoint)}"
            reads = [stored.sha256 for stored in (*dump.objects, *annotated.objects)]
            piece = {"hypothesis": hypothesis, "checkpoint": checkpoint, "model": model.model_dump()}
            found.append(Unit(name, {}, reads, [piece], [float(model.layers * model.hidden_size)]))
    return found


def work(piece: Piece) -> list[StoredObject]:
    """Every layer of one checkpoint against one hypothesis."""
    run, arguments = piece.run, piece.arguments
    hypothesis, checkpoint = str(arguments["hypothesis"]), int(str(arguments["checkpoint"]))
    model = ModelSpec.model_validate(arguments["model"])
    annotations = run.manifest("annotate", hypothesis_unit(hypothesis))
    said = read_shards(run.folder, annotations.objects, ["sequence", "value"])
    values = said["value"].to_numpy()
    # Annotations lie in the order of (sequence, step): a sequence's first row is enough to find its steps.
    numbers, starts = np.unique(said["sequence"].to_numpy(), return_index=True)
    dump = run.manifest("dump", checkpoint_unit(model.name, checkpoint))
    yes_no = is_yes_no(run.experiment, hypothesis)
    tables = []
    for layer in range(model.layers):
        shape = len(values), model.hidden_size
        for signal, matrix in _layer_signals(run, dump, layer, shape, numbers, starts).items():
            tables.append(score_rows(layer, signal, matrix, values, yes_no=yes_no))
    rows = pa.concat_tables(tables).sort_by([(name, "ascending") for name in SCORES.sort_by])
    partition = {"run": run.id, "hypothesis": hypothesis, "model": model.name, "checkpoint": checkpoint}
    return [write_shard(run.folder, SCORES, partition, 0, [rows], piece.fingerprint)]


def needs(run: Run) -> Needs:
    """All signals of a layer at once as float32, and those of one, its ranks and its deviations as float64.

    Of 512 neurons over 200,000 steps that is 5 GB.
    """
    steps = sum(shard.rows for shard in step_shards(run, "probe"))
    widest = max(
        model.hidden_size * (4 * len(kept_signals(run.experiment, model.cell)) + 24) for model in run.models
    )
    return Needs(memory=float(steps * widest))


STAGE = Stage("score", units, work, measure="neurons", needs=needs)


def _layer_signals(
    run: Run, dump: Manifest, layer: int, shape: tuple[int, int], numbers: np.ndarray, starts: np.ndarray
) -> dict[str, np.ndarray]:
    """A layer's stored signals as matrices (steps, neurons), steps in the order of the annotations."""
    matrices: dict[str, np.ndarray] = {}
    for shard in dump.objects:
        if f"/layer={layer}/" not in shard.path:
            continue
        rows = read_shards(run.folder, [shard], ["neuron", "sequence", "step", *SIGNALS])
        place = starts[np.searchsorted(numbers, rows["sequence"].to_numpy())] + rows["step"].to_numpy()
        neuron = rows["neuron"].to_numpy()
        for signal in SIGNALS:
            if rows[signal].null_count == 0:
                matrix = matrices.setdefault(signal, np.empty(shape, np.float32))
                matrix[place, neuron] = rows[signal].to_numpy()
    return matrices
