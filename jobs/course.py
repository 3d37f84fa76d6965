"""One model's training: evaluations, checkpoints, and a state from which another attempt goes on.

The lake tells how far it is, so any process may be killed at any time, and training goes on elsewhere: alone, or
as one of several processes that share every batch. The first of them is the one that writes.
"""

import math
import time
from collections.abc import Callable

import pyarrow as pa
import torch
from torch import nn

from jobs.driver.stage import Piece
from jobs.run.reading import checkpoint_paths, read_sequences, read_vocabulary
from jobs.runners.base import DeviceLost
from pipeline.models.checkpoint import WEIGHTS, bytes_to_tensors, tensors_to_bytes, write_checkpoint
from pipeline.models.recurrent_lm import make_model
from pipeline.storage.manifests import unit_folder
from pipeline.storage.sealed import seal_state, unseal_state
from pipeline.storage.shards import adopt, commit, describe_whole, write_shard
from pipeline.storage.whole import weights_with_digest
from pipeline.training.evaluate import Evaluation, evaluate
from pipeline.training.patience import Patience
from pipeline.training.share import ALONE, Share, told_by_first
from pipeline.training.trainer import Trainer
from schemas.errors import UsageError
from schemas.experiment import ModelSpec
from schemas.manifest import StoredObject
from schemas.runs import METRICS, MODELS
from schemas.stages import WHOLE

# Seconds of updates between two looks at the clock, which all processes of a training take together. A machine's
# notice of its end is two minutes, and an update of 3 x 512 neurons takes six seconds of a CPU.
STRETCH_SECONDS = 1.0


def train_model(
    piece: Piece[ModelSpec], share: Share = ALONE, is_leaving: Callable[[], bool] = lambda: False
) -> list[StoredObject]:
    """Train a piece's model, from where an earlier attempt left off; what the first process has written.

    Args:
        piece: the model, of the train stage.
        share: which of the processes that train it together this one is.
        is_leaving: asked by all of them equally often; True when a machine is about to go, and the state is due.

    Raises UsageError when a GPU's memory is too small, DeviceLost when a GPU fails.
    """
    try:
        return _train(piece, share, is_leaving)
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"the GPU has no room for {piece.arguments.cell}: raise training.accumulate, or lower "
            f"training.batch_size or training.truncate ({_first_line(error)})"
        ) from None
    except torch.AcceleratorError as error:
        raise DeviceLost(_first_line(error)) from None


def _train(piece: Piece[ModelSpec], share: Share, is_leaving: Callable[[], bool]) -> list[StoredObject]:
    # One thread: two would add the sums in another order, and give other bytes on another machine.
    torch.set_num_threads(1)
    course = _Course(piece, share, is_leaving)
    settings = piece.run.experiment.training
    objects = [] if share.rank else [model_row(piece, course.spec, course.trainer.model)]

    for index, train_step in enumerate(settings.evaluation_steps):
        is_kept = train_step in settings.checkpoint_steps
        if train_step > course.resumed_from and not course.patience.has_ended:
            valid = course.advance(train_step)
            objects += course.write(index, valid, is_kept=is_kept)
        elif not share.rank:
            objects += course.written(index, train_step, is_kept=is_kept)
    return objects


def model_row(piece: Piece[ModelSpec], spec: ModelSpec, model: nn.Module) -> StoredObject:
    """Write a model's row of `models`."""
    row = {
        **spec.model_dump(include={"cell", "layers", "hidden_size", "seed"}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    rows = pa.Table.from_pylist([row], MODELS.schema)
    return write_shard(
        piece.run.folder, MODELS, {"run": piece.run.id, "model": spec.name}, 0, [rows], piece.fingerprint
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


class _Course:
    def __init__(self, piece: Piece[ModelSpec], share: Share, is_leaving: Callable[[], bool]) -> None:
        run = piece.run
        self._piece, self._share, self._is_leaving = piece, share, is_leaving
        self.spec = piece.arguments
        assert self.spec.seed is not None

        self._settings = run.experiment.training
        self._characters = "".join(read_vocabulary(run).characters)
        self._valid = read_sequences(run, "valid")

        model = make_model(self.spec.architecture(len(self._characters)), self.spec.seed, run.experiment.start)
        device = "cuda" if run.placement.gpus else "cpu"
        train = read_sequences(run, "train")
        self.trainer = Trainer(model, train, self._settings, self.spec.seed, share, device)

        self.patience = Patience(self._settings.patience)
        self._resume = f"{unit_folder(run.id, 'train', WHOLE)}/resume/{self.spec.name}.safetensors"

        self.resumed_from = self._restore()
        self._begun = self._ended = self._saved = time.monotonic()
        self._stretch = 1  # updates
        self._counted = self.trainer.span.characters  # by an earlier attempt

    def _restore(self) -> int:
        """Go on from the state in the lake; the number of updates that it tells of, -1 when there is none."""
        data = None if self._share.rank else self._piece.run.folder.read_if_there(self._resume)
        sealed = told_by_first(self._share, data)
        opened = unseal_state(sealed or b"")
        if opened is None:
            return -1

        state = bytes_to_tensors(opened)
        self.patience.restore(state)
        self.trainer.restore(state)
        return self.trainer.train_step

    def advance(self, train_step: int) -> Evaluation:
        """Update until `train_step`, keeping the state now and then, and evaluate."""
        trainer = self.trainer
        while trainer.train_step < train_step:
            started = time.monotonic()
            trainer.advance(min(trainer.train_step + self._stretch, train_step))
            self._ended = time.monotonic()

            is_due = self._ended - self._saved > 60 * self._piece.run.placement.save_minutes
            leaves = self._is_leaving()
            in_time = int(self._stretch * STRETCH_SECONDS / (self._ended - started))
            decided = leaves or is_due, max(1, min(2 * self._stretch, in_time))
            saves, self._stretch = told_by_first(self._share, decided)

            if saves and trainer.train_step < train_step:
                self._save()

        valid = evaluate(trainer.model, self._valid, self._share)
        self.patience.see(valid.loss, trainer.model.state_dict())
        return valid

    def write(self, index: int, valid: Evaluation, *, is_kept: bool) -> list[StoredObject]:
        """Write an evaluation, the checkpoint if it is one, and only then the state; what it wrote."""
        run, trainer = self._piece.run, self.trainer
        objects = []
        if not self._share.rank:
            partition = {"run": run.id, "model": self.spec.name}
            rows = [self._metrics_rows(valid)]
            objects = [write_shard(run.folder, METRICS, partition, index, rows, self._piece.fingerprint)]
            if is_kept:
                objects += self._write_checkpoint(trainer.train_step)

        trainer.begin_span()
        self._begun, self._counted = time.monotonic(), 0
        self._save()
        return objects

    def written(self, index: int, train_step: int, *, is_kept: bool) -> list[StoredObject]:
        """What an earlier attempt wrote of an evaluation; once training has ended early, the best weights."""
        folder, run = self._piece.run.folder, self._piece.run
        objects = []
        if train_step <= self.trainer.train_step:
            path = METRICS.shard_path({"run": run.id, "model": self.spec.name}, index)
            objects.append(describe_whole(folder, path, METRICS.name))
            if is_kept:
                paths = checkpoint_paths(run, self.spec.name, train_step)
                objects += [adopt(folder, paths[name], data) for name, data in self._checkpoint_files().items()]
        elif is_kept:
            self.trainer.model.load_state_dict(self.patience.weights)
            objects += self._write_checkpoint(train_step)
        return objects

    def _write_checkpoint(self, train_step: int) -> list[StoredObject]:
        paths = checkpoint_paths(self._piece.run, self.spec.name, train_step)
        files = self._checkpoint_files()
        return [commit(self._piece.run.folder, paths[name], data) for name, data in files.items()]

    def _checkpoint_files(self) -> dict[str, bytes]:
        files = write_checkpoint(self.trainer.model, self._characters)
        return {name: weights_with_digest(data) if name == WEIGHTS else data for name, data in files.items()}

    def _save(self) -> None:
        state = {**self.trainer.state(), **self.patience.state()}
        if not self._share.rank:
            self._piece.run.folder.replace(self._resume, seal_state(tensors_to_bytes(state)))
        self._saved = time.monotonic()

    def _metrics_rows(self, valid: Evaluation) -> pa.Table:
        span = self.trainer.span
        seconds = self._ended - self._begun
        common = {
            "train_step": self.trainer.train_step,
            "chars_per_second": (span.characters - self._counted) / seconds if span.updates else None,
            "workers": self._share.of,
            "gpu_bytes": torch.cuda.max_memory_allocated() if self._piece.run.placement.gpus else None,
        }

        losses = {"train": (span.mean_loss, None), "valid": (valid.loss, valid.accuracy)}
        rows = [
            {"split": split, "loss": loss, "bits_per_char": loss / math.log(2), "accuracy": accuracy, **common}
            for split, (loss, accuracy) in losses.items()
            if loss is not None
        ]
        return pa.Table.from_pylist(rows, METRICS.schema)
