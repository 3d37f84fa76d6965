"""Dumping: what every signal costs to compute and to store, against the bare forward pass and `numpy.save`.

`nn.LSTM` gives the last layer's hidden state only; `unroll` gives six signals of every layer, and the predictions.
A shard is built in memory and committed to a local folder in one step, with an fsync; so are numpy's files.
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from jobs.process.memory import keep_freed_memory
from pipeline.dumping.precision import MANTISSA_BITS
from pipeline.dumping.unroll import BLOCK_STEPS, Block, unroll
from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import Sequences
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.measure import Theme, Times, alternate, number, one_core, ratios, spread
from tests.benchmarks.python_source import WINDOW, Network, python_source, read_split, trained
from tests.benchmarks.shards import write_blocks

FORWARD, UNROLL, SAVE = "nn.LSTM forward, hidden state only", "unroll", "numpy.save of the same blocks"
WRITE = "audit and write, exact, of the same blocks"


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    updates: int  # of training
    train: int  # windows
    probe: int


FULL = (Sizes(7, Network(2, 128), 200, 10_000, 160), Sizes(7, Network(2, 512), 60, 10_000, 100))
QUICK = (Sizes(1, Network(2, 8), 5, 8_000, 8),)


class Found(NamedTuple):
    """One network's figures."""

    values: int
    seconds: Times
    stored: dict[str, int]  # bytes


def run(*, quick: bool) -> Theme:
    """Every way of keeping the same values."""
    sizes = QUICK if quick else FULL
    with one_core():
        found = {str(size.network): _measured(size) for size in sizes}
    passes = "; ".join(
        f"{size.network} after {size.updates} updates, {size.probe} windows, "
        f"{found[str(size.network)].values / 1e6:.1f} M values a pass, {size.rounds} alternations"
        for size in sizes
    )
    return Theme(
        title="Dumping",
        method=(
            f"A value is one signal of one neuron at one step; windows of {WINDOW} characters of Python source "
            f"through an LSTM: {passes}. All sides are held to one core. `unroll, audit and write` commits the "
            "activations of all layers to a local folder; the predictions are computed but not written. All rates "
            "count the same values, though `nn.LSTM` gives only one layer's hidden state. Goal of the whole: 0.25 "
            "of the forward at 2 x 128, 0.4 at 2 x 512."
        ),
        header=("what", "M values/s", "bytes/value", "of the forward's speed"),
        rows=[row for network, figures in found.items() for row in _rows(network, figures)],
        notes=[
            *(
                f"{network}: auditing and writing takes "
                f"{spread(ratios(figures.seconds[WRITE], figures.seconds[SAVE]))} times as long as numpy.save."
                for network, figures in found.items()
            ),
            "numpy.save has no keys and compresses nothing. Both end in an fsync, so the rates follow the disk.",
        ],
        raw={network: figures._asdict() for network, figures in found.items()},
    )


def _measured(size: Sizes) -> Found:
    model, sequences = _trained(size)
    values = len(sequences.tokens) * size.network.values_per_step
    stored: dict[str, int] = {}
    return Found(values, alternate(_sides(model, sequences, stored), size.rounds), stored)


def _rows(network: str, found: Found) -> list[tuple[str, ...]]:
    return [
        (
            f"{network}, {name}",
            spread([found.values / 1e6 / seconds for seconds in taken]),
            number(found.stored[name] / found.values) if name in found.stored else "–",
            spread(ratios(found.seconds[FORWARD], taken)),
        )
        for name, taken in found.seconds.items()
    ]


def _trained(sizes: Sizes) -> tuple[RecurrentLM, Sequences]:
    corpus = {"train": sizes.train, "valid": 1, "probe": sizes.probe}
    experiment = python_source(sizes.network, corpus, {"steps": sizes.updates})
    return trained(experiment, sizes.updates), read_split(experiment, "probe")


def _sides(model: RecurrentLM, sequences: Sequences, stored: dict[str, int]) -> dict[str, Callable[[], object]]:
    """The sides by name; each that writes notes its bytes in `stored`."""
    batches = [
        torch.from_numpy(part.padded(np.arange(len(part)))[0])
        for part in (sequences.take(start, stop) for start, stop in sequences.batches(BLOCK_STEPS))
    ]
    keep_freed_memory()  # as the dump stage does
    made = list(unroll(model, sequences, "recurrent"))

    def write(name: str, blocks: Iterable[Block], precision: str) -> None:
        stored[name] = _write(blocks, model.architecture.layers, precision)

    def unroll_and_write(precision: str) -> Callable[[], None]:
        name = f"unroll, audit and write, {precision}"
        return lambda: write(name, unroll(model, sequences, "recurrent"), precision)

    def save() -> None:
        stored[SAVE] = _save(made)

    return {
        FORWARD: lambda: _forward(model, batches),
        UNROLL: lambda: _unroll(model, sequences),
        **{f"unroll, audit and write, {precision}": unroll_and_write(precision) for precision in MANTISSA_BITS},
        WRITE: lambda: write(WRITE, made, "exact"),
        SAVE: save,
    }


def _unroll(model: RecurrentLM, sequences: Sequences) -> None:
    for _ in unroll(model, sequences, "recurrent"):
        pass


def _forward(model: RecurrentLM, batches: list[Tensor]) -> None:
    with torch.inference_mode():
        for tokens in batches:
            model.recurrent(one_hot(tokens, model.architecture.vocabulary_size).float())


def _write(blocks: Iterable[Block], layers: int, precision: str) -> int:
    with tempfile.TemporaryDirectory() as root:
        return write_blocks(root, blocks, layers, precision)


def _save(blocks: list[Block]) -> int:
    """Bytes of a file for each signal of each layer and block."""
    with tempfile.TemporaryDirectory() as root:
        written = 0
        for place, block in enumerate(blocks):
            for layer in range(len(block.layers)):
                for name in CELL_SIGNALS["lstm"]:
                    path = Path(root, f"{place}-{layer}-{name}.npy")
                    with path.open("wb") as file:
                        np.save(file, block.signal(layer, name))
                        file.flush()
                        os.fsync(file.fileno())  # as the lake does
                    written += path.stat().st_size
        return written
