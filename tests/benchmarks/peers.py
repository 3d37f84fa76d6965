"""Peers: what people use today to keep every gate and state, beside ours; the same network, text and values.

The floor is `nn.LSTM`, which gives the last layer's hidden state and keeps nothing. A package that is not
installed makes a row that says so. To have them all, beside the development extras:

    pip install -e '.[dev,peers]' -c constraints.txt
    pip install --no-deps -r tests/benchmarks/peers.txt
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from jobs.process.memory import keep_freed_memory
from pipeline.dumping.unroll import BLOCK_STEPS
from pipeline.tasks.sequences import Sequences
from tests.benchmarks.measure import Theme, Times, alternate, number, one_core, ratios, spread
from tests.benchmarks.peer_packages import DiagNNose, nnsight_loop
from tests.benchmarks.peer_tools import (
    SIGNALS,
    TOP,
    Answer,
    Hdf5Store,
    Looped,
    NumpyStore,
    Ours,
    Text,
    Tool,
    cell_loop,
    forward,
    hand_loop,
)
from tests.benchmarks.python_source import WINDOW, Network, python_source, read_split, trained, vocabulary_of

FORWARD, EXACT, HALF = "nn.LSTM, last hidden state only", "ours, exact", "ours, half"
PACKAGES = ("h5py", "diagnnose", "torchtext", "nnsight", "transformers")
SAME = 1e-3  # sides that differ by more from the reference give other answers, and no comparison
PLACES = 5  # neurons asked for


class Kind(NamedTuple):
    """How a side is made."""

    make: Callable[[Text], Tool]
    package: str = ""  # that it needs
    computes: bool = True  # whether computing alone is measured: not for those that differ only in what they keep


KINDS = {
    EXACT: Kind(lambda text: Ours(text, "exact")),
    HALF: Kind(lambda text: Ours(text, "half"), computes=False),
    "hand-written loop, numpy.save": Kind(lambda text: Looped(text, hand_loop(text), NumpyStore())),
    "nn.LSTMCell loop, numpy.save": Kind(lambda text: Looped(text, cell_loop(text), NumpyStore())),
    "hand-written loop, HDF5": Kind(
        lambda text: Looped(text, hand_loop(text), Hdf5Store({})), "h5py==3.16.0", computes=False
    ),
    "hand-written loop, HDF5 gzip 1": Kind(
        lambda text: Looped(text, hand_loop(text), Hdf5Store({"compression": "gzip", "compression_opts": 1})),
        "h5py==3.16.0",
        computes=False,
    ),
    "nnsight, numpy.save": Kind(lambda text: Looped(text, nnsight_loop(text), NumpyStore()), "nnsight==0.8.1"),
    "diagNNose, its pickles": Kind(DiagNNose, "--no-deps diagnnose==1.1"),
}


class Size(NamedTuple):
    """How much is measured of a network."""

    network: Network
    rounds: int
    updates: int  # of training
    train: int  # windows
    probe: int


FULL = (Size(Network(2, 128), 7, 200, 10_000, 200), Size(Network(2, 512), 5, 60, 10_000, 100))
QUICK = (Size(Network(2, 8), 1, 5, 8_000, 8),)


class Found(NamedTuple):
    """One network's figures."""

    values: int
    floor: list[float]  # seconds of the bare forward
    compute: Times
    write: Times
    answer: Times  # of PLACES questions
    stored: dict[str, int]  # bytes
    apart: dict[str, float]  # the largest difference of any value from a float64 run
    same: dict[str, int]  # the steps that the answers share with those of the reference
    missing: dict[str, str]  # what to install


def run(*, quick: bool) -> Theme:
    """Every side, for each network."""
    sizes = QUICK if quick else FULL
    with one_core():
        found = {str(size.network): _measure(size) for size in sizes}
    return Theme(
        title="Peers",
        method=(
            "Six signals of every layer, neuron and step, float32, from tokens to files, of a trained LSTM that "
            f"reads Python source in windows of {WINDOW}, at most {BLOCK_STEPS // WINDOW} a batch on every side: "
            f"{'; '.join(_told(size, found[str(size.network)]) for size in sizes)}. All sides are held to one "
            "core. *Computing* ends with the "
            "values in memory in the form that a side gives them; *to disk* computes too, and ends in an fsync "
            "of every file. *Ours* is the dump stage's way: `unroll`, with the predictions, the audit and "
            "`TileWriter`. *Top "
            f"{TOP}* asks for the steps of a neuron's {TOP} greatest cell states and their characters ({PLACES} "
            "neurons of the last layer, each from freshly opened files in the system's cache, on one thread). "
            "All rates count the same values, though `nn.LSTM` gives only one layer's hidden state."
        ),
        header=(
            "network, what",
            "computing, M values/s",
            "to disk, M values/s",
            "bytes/value",
            f"top {TOP}, ms",
            "computing / forward",
            "to disk / forward",
            "largest error",
        ),
        rows=[row for name, figures in found.items() for row in _rows(name, figures)],
        notes=_notes(found),
        raw={"versions": _versions(), **{name: figures._asdict() for name, figures in found.items()}},
    )


def _told(size: Size, found: Found) -> str:
    return (
        f"{size.network} after {size.updates} updates, {found.values / 1e6:.1f} M values ({size.probe} windows), "
        f"{size.rounds} alternations"
    )


def _measure(size: Size) -> Found:
    keep_freed_memory()  # as the dump stage does; it makes every side a little faster
    text = _text(size)
    tools, missing = _tools(text)
    values = len(text.sequences.tokens) * size.network.values_per_step
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        sides: dict[str, Callable[[], object]] = {FORWARD: partial(forward, text)}
        sides |= {f"compute {name}": tool.compute for name, tool in tools.items() if KINDS[name].computes}
        sides |= {f"write {name}": partial(_write, tool, root / name) for name, tool in tools.items()}
        times = alternate(sides, size.rounds, between=partial(_empty, root))
        for name, tool in tools.items():
            _write(tool, root / name)
        stored = {name: sum(map(_bytes, (root / name).rglob("*"))) for name in tools}
        apart = _apart(text, tools, root)
        neurons = [int(neuron) for neuron in np.linspace(0, size.network.neurons - 1, PLACES)]
        ask = partial(_ask, root, text.layers[-1], neurons)
        answers = {name: ask(name, tool) for name, tool in tools.items()}
        answer = alternate({name: partial(ask, name, tool) for name, tool in tools.items()}, size.rounds)
    by_kind = {
        kind: {name.removeprefix(kind): taken for name, taken in times.items() if name.startswith(kind)}
        for kind in ("compute ", "write ")
    }
    same = {name: _shared(answers[EXACT], theirs) for name, theirs in answers.items()}
    return Found(
        values, times[FORWARD], by_kind["compute "], by_kind["write "], answer, stored, apart, same, missing
    )


def _text(size: Size) -> Text:
    corpus = {"train": size.train, "valid": 1, "probe": 2 * size.probe}
    experiment = python_source(size.network, corpus, {"steps": size.updates})
    sequences = _whole_windows(read_split(experiment, "probe"), size.probe)
    batches = [
        torch.from_numpy(part.padded(np.arange(len(part)))[0])
        for part in (sequences.take(start, stop) for start, stop in sequences.batches(BLOCK_STEPS))
    ]
    return Text(
        trained(experiment, size.updates), sequences, "".join(vocabulary_of(experiment).characters), batches
    )


def _whole_windows(sequences: Sequences, count: int) -> Sequences:
    """The first windows of full length: arrays have no place for shorter ones."""
    whole = np.flatnonzero(sequences.lengths == WINDOW)[:count]
    tokens, _ = sequences.padded(whole)
    counts = np.ones(tokens.size, bool)
    ids = np.arange(len(whole), dtype=np.int32)
    return Sequences(ids, np.arange(0, tokens.size + 1, WINDOW), tokens.ravel(), counts)


def _tools(text: Text) -> tuple[dict[str, Tool], dict[str, str]]:
    """The sides that can be made, and what the others need."""
    tools, missing = {}, {}
    for name, kind in KINDS.items():
        try:
            tools[name] = kind.make(text)
        except ModuleNotFoundError:
            if not kind.package:
                raise
            missing[name] = kind.package
    return tools, missing


def _write(tool: Tool, folder: Path) -> None:
    """Until all of it is on the disk, whoever wrote it."""
    folder.mkdir(parents=True)
    tool.write(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _apart(text: Text, tools: Mapping[str, Tool], root: Path) -> dict[str, float]:
    """How far what each side kept lies from a float64 run. Raises when a side that rounds nothing is wrong."""
    loop = hand_loop(text, torch.float64)
    batches = [loop(tokens) for tokens in text.batches]
    apart = dict.fromkeys(tools, 0.0)
    for layer in text.layers:
        for signal in SIGNALS:
            right = np.concatenate([layers[layer][signal].flatten(0, 1).numpy() for layers in batches])
            for name, tool in tools.items():
                differences = np.abs(tool.values(root / name, layer, signal) - right)
                apart[name] = max(apart[name], float(differences.max()))
    # `not <=` rather than `>`: a value that was never kept is NaN.
    wrong = {name: far for name, far in apart.items() if name != HALF and not far <= SAME}
    if wrong:
        raise ValueError(f"these sides do not give the same values: {wrong}")
    return apart


def _ask(root: Path, layer: int, neurons: list[int], name: str, tool: Tool) -> list[Answer]:
    return [tool.top(root / name, layer, neuron) for neuron in neurons]


def _shared(ours: list[Answer], theirs: list[Answer]) -> int:
    return sum(len(set(one) & set(other)) for one, other in zip(ours, theirs, strict=True))


def _rows(network: str, found: Found) -> list[tuple[str, ...]]:
    def rate(times: Times, name: str) -> str:
        return spread([found.values / 1e6 / taken for taken in times[name]]) if name in times else "–"

    def ratio(times: Times, name: str) -> str:
        return spread(ratios(times[name], found.floor)) if name in times else "–"

    rows: list[tuple[str, ...]] = []
    rows.append((f"{network}, {FORWARD}", rate({FORWARD: found.floor}, FORWARD), "–", "–", "–", "1.00", "–", "–"))
    for name in KINDS:
        if name in found.missing:
            needed = f"not installed: pip install {found.missing[name]}"
            rows.append((f"{network}, {name}", needed, *["–"] * 6))
            continue
        rows.append(
            (
                f"{network}, {name}",
                rate(found.compute, name),
                rate(found.write, name),
                number(found.stored[name] / found.values),
                spread([1000 * taken / PLACES for taken in found.answer[name]]),
                ratio(found.compute, name),
                ratio(found.write, name),
                f"{found.apart[name]:.1g}",
            )
        )
    return rows


def _notes(found: Mapping[str, Found]) -> list[str]:
    notes = [
        "The largest error is any value's, read back from disk, against a float64 run of the same equations.",
        "`nn.LSTMCell` gives h and c, 2 of the 6 signals; the gates are computed by hand from them, in one go.",
        "nnsight cannot look into `nn.LSTM`, so the network is rewritten with a module for each gate, and traced.",
        "HDF5 as LSTMVis reads it: a matrix of steps x neurons a layer and signal, here in chunks of 256 x 64.",
        "Arrays, HDF5 and pickles hold no keys, and only code can query them; the text is stored separately.",
        "A dash under *computing*: another row computes the same.",
    ]
    if not all("diagNNose, its pickles" in figures.missing for figures in found.values()):
        notes.append(
            "diagNNose 1.1 runs unchanged on today's torch, installed without its pins, once "
            "`collections.MutableMapping` (gone since Python 3.10) is lent to it while it is imported. It reads a "
            "whole layer's signal to answer anything about one neuron. Most of its time goes into copying each "
            "token's rows one by one."
        )
    notes.append(
        "Run with " + ", ".join(f"{name} {found_version}" for name, found_version in _versions().items()) + "."
    )
    for network, figures in found.items():
        agree = {name: shared for name, shared in figures.same.items() if name not in (EXACT, HALF)}
        total = figures.same[EXACT]
        notes.append(
            f"{network}: of the {total} steps that ours answers, every other side answers at least "
            f"{min(agree.values())}, and half {figures.same[HALF]}."
        )
    return notes


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
