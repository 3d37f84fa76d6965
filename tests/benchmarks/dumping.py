"""Dumping: what every signal costs to compute and to store, against the bare forward pass and `numpy.save`.

`nn.LSTM` gives the last layer's hidden state only; `unroll` gives six signals of every layer, and the predictions.
A shard is built in memory and committed to a local folder in one step, with an fsync; so are numpy's files.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from jobs.dump import LEVELS
from pipeline.dumping.precision import MANTISSA_BITS
from pipeline.dumping.rows import activation_tiles
from pipeline.dumping.unroll import BATCH_STEPS, Unrolled, unroll
from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.storage.folder import Folder
from pipeline.storage.tiles import TileWriter
from pipeline.tasks.sequences import Sequences
from pipeline.training.trainer import Trainer
from schemas.activations import ACTIVATIONS
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.measure import Theme, alternate, number, ratios, spread
from tests.benchmarks.python_source import WINDOW, Network, first_model, python_source, read_split

FORWARD, UNROLL, SAVE = "nn.LSTM forward, hidden state only", "unroll", "numpy.save of the same arrays"
WRITE = "TileWriter, exact, of the same arrays"


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    updates: int  # of training: the gates of an untrained model hardly move, and pack too well
    train: int  # windows
    probe: int


FULL = Sizes(7, Network(2, 128), 200, 10_000, 160)
QUICK = Sizes(1, Network(2, 8), 5, 8_000, 8)


def run(*, quick: bool) -> Theme:
    """Every way of keeping the same values."""
    sizes = QUICK if quick else FULL
    model, sequences = trained(sizes.network, sizes.updates, sizes.train, sizes.probe)
    values = len(sequences.tokens) * sizes.network.values_per_step
    stored: dict[str, int] = {}
    times = alternate(_sides(model, sequences, stored), sizes.rounds)
    rows = [
        (
            name,
            spread([values / 1e6 / taken for taken in times[name]]),
            number(stored[name] / values) if name in stored else "–",
            spread(ratios(times[name], times[FORWARD])),
        )
        for name in times
    ]
    return Theme(
        title="Dumping",
        method=(
            f"{values / 1e6:.1f} M values a pass (a value is one signal of one neuron at one step): "
            f"{len(sequences)} windows of {WINDOW} characters of Python source through a {sizes.network} LSTM "
            f"after {sizes.updates} updates, {sizes.rounds} alternations. `unroll + TileWriter` commits the "
            "activations of all layers to a local folder; the predictions are computed but not written. All rates "
            "count the same values, though `nn.LSTM` gives but one layer's hidden state."
        ),
        header=("what", "M values/s", "bytes/value", "time / that of the forward"),
        rows=rows,
        notes=[
            f"TileWriter takes {spread(ratios(times[WRITE], times[SAVE]))} times as long as numpy.save.",
            "numpy.save has no keys and packs nothing. Both end in an fsync, so the rates follow the disk.",
        ],
        raw={"values": values, "seconds": times, "bytes": stored},
    )


def trained(network: Network, updates: int, train: int, probe: int) -> tuple[RecurrentLM, Sequences]:
    """A model after some updates on `train` windows, and `probe` windows that it has not seen."""
    torch.set_num_threads(1)
    corpus = {"train": train, "valid": 1, "probe": probe}
    experiment = python_source(network, corpus, {"steps": updates})
    model = first_model(experiment)
    Trainer(model, read_split(experiment, "train"), experiment.training, seed=0).advance(updates)
    return model, read_split(experiment, "probe")


def _sides(model: RecurrentLM, sequences: Sequences, stored: dict[str, int]) -> dict[str, Callable[[], object]]:
    """The sides by name; each that writes notes its bytes in `stored`."""
    batches = [
        torch.from_numpy(part.padded(np.arange(len(part)))[0])
        for part in (sequences.take(start, stop) for start, stop in sequences.batches(BATCH_STEPS))
    ]
    names = CELL_SIGNALS["lstm"]
    made = unroll(model, sequences, names)

    def write(name: str, unrolled: Unrolled, precision: str) -> None:
        stored[name] = _write(unrolled, sequences, precision)

    def unroll_and_write(precision: str) -> Callable[[], None]:
        name = f"unroll + TileWriter, {precision}"
        return lambda: write(name, unroll(model, sequences, names), precision)

    def save() -> None:
        stored[SAVE] = _save(made)

    return {
        FORWARD: lambda: _forward(model, batches),
        UNROLL: lambda: unroll(model, sequences, names),
        **{f"unroll + TileWriter, {precision}": unroll_and_write(precision) for precision in MANTISSA_BITS},
        WRITE: lambda: write(WRITE, made, "exact"),
        SAVE: save,
    }


def _forward(model: RecurrentLM, batches: list[Tensor]) -> None:
    with torch.inference_mode():
        for tokens in batches:
            model.recurrent(one_hot(tokens, model.architecture.vocabulary_size).float())


def _write(unrolled: Unrolled, sequences: Sequences, precision: str) -> int:
    """Bytes of the shards of every layer."""
    with tempfile.TemporaryDirectory() as root:
        written = 0
        for layer in range(len(unrolled.signals)):
            partition = {"run": "benchmark", "model": "lstm", "checkpoint": 0, "layer": layer}
            with TileWriter(Folder(root), ACTIVATIONS, partition, 0, "benchmark", LEVELS[precision]) as shard:
                for tile in activation_tiles(unrolled, layer, sequences, precision):
                    shard.append(tile)
            written += shard.stored.bytes
    return written


def _save(unrolled: Unrolled) -> int:
    """Bytes of a file for each signal of each layer."""
    with tempfile.TemporaryDirectory() as root:
        written = 0
        for layer, signals in enumerate(unrolled.signals):
            for name, values in signals.items():
                path = Path(root, f"{layer}-{name}.npy")
                with path.open("wb") as file:
                    np.save(file, values)
                    file.flush()
                    os.fsync(file.fileno())  # as the lake does
                written += path.stat().st_size
    return written
