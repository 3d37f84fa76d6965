"""Training as it can be seen from outside: how far it is, a picture of its losses, TensorBoard's events.

All of it is read from the metrics in the lake, so it is the same wherever the models are trained.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

from jobs.process.progress import Live, short
from jobs.run.context import Run
from pipeline.storage.manifests import run_folder
from pipeline.storage.shards import describe, read_shards
from schemas.runs import METRICS

PICTURE = "training.png"  # in the run's folder
DRAWN_SECONDS = 30.0  # between two pictures, each half a second of the driver's time
COLUMNS = ["train_step", "split", "loss", "bits_per_char", "accuracy", "chars_per_second", "gpu_bytes"]

Row = Mapping[str, Any]


class TrainingWatch:
    """Looks at the metrics of a run again and again; each row is read once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: dict[str, list[Row]] = {}  # of each shard
        self._last: tuple[str, Row] | None = None
        self._drawn = time.monotonic()
        self._events = _Events(run.placement.tensorboard) if run.placement.tensorboard else None

    def __call__(self, *, last: bool = False) -> Live:
        """How many updates there were, and how the newest evaluation went; `last` draws the picture too."""
        folder, steps = self._run.folder, self._run.experiment.training.evaluation_steps
        done, fresh = 0, False
        for path in sorted(folder.list(f"metrics/run={self._run.id}"), key=_index):
            done += steps[_index(path)] - steps[max(0, _index(path) - 1)]
            if path not in self._rows:
                rows = read_shards(folder, [describe(folder, path, METRICS.name)], COLUMNS).to_pylist()
                self._see(path, rows)
                fresh = True
        if self._rows and (last or (fresh and time.monotonic() - self._drawn > DRAWN_SECONDS)):
            self._draw()
        if last and self._events:
            self._events.close()
        return Live(float(done), _remark(*self._last) if self._last else "")

    def _draw(self) -> None:
        from pipeline.rendering.learning import draw_learning  # matplotlib takes a second

        learning: dict[str, list[Row]] = {}
        for path in sorted(self._rows, key=lambda path: (model_of(path), _index(path))):
            learning.setdefault(model_of(path), []).extend(self._rows[path])
        path = f"{run_folder(self._run.id)}/{PICTURE}"
        self._run.folder.replace(path, draw_learning(self._run.id, learning))
        self._drawn = time.monotonic()

    def _see(self, path: str, rows: list[Row]) -> None:
        self._rows[path] = rows
        newest = next((row for row in rows if row["split"] == "valid"), None)
        if newest:
            self._last = model_of(path), newest
        if self._events:
            self._events.add(model_of(path), rows)


class _Events:
    """TensorBoard's event files, one folder a model."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def add(self, model: str, rows: list[Row]) -> None:
        """Write a model's evaluations down."""
        from tensorboardX import SummaryWriter  # half a second, and seldom asked for

        if model not in self._writers:
            self._writers[model] = SummaryWriter(f"{self._folder}/{model}")
        writer = self._writers[model]
        for row in rows:
            for name in ("bits_per_char", "accuracy", "chars_per_second"):
                if row[name] is not None:
                    writer.add_scalar(f"{name}/{row['split']}", row[name], row["train_step"])
        writer.flush()

    def close(self) -> None:
        """Wait until all is written."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def model_of(path: str) -> str:
    """The model whose metrics a shard holds."""
    return path.split("/model=", 1)[1].split("/", 1)[0]


def _index(path: str) -> int:
    return int(path.removesuffix(".parquet").rsplit("-", 1)[1])


def _remark(model: str, row: Row) -> str:
    line = f"{model} {row['loss'] / math.log(2):.3f} bits/char"
    if row["chars_per_second"]:
        line += f", {short(row['chars_per_second'])} characters/s"
    if row["gpu_bytes"]:
        line += f", {short(row['gpu_bytes'])}B of GPU memory"
    return line
