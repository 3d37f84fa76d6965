"""The sides of the peers' theme that need no package of a peer: ours, hand-made loops, and what keeps arrays.

Every side starts from the same tokens and weights and keeps the same values. `values` reads all of them back from
disk to be compared, `top` answers the question from disk.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from pipeline.dumping.unroll import Block, unroll
from pipeline.models.recurrent_lm import RecurrentLM
from pipeline.tasks.sequences import Sequences
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.python_source import WINDOW
from tests.benchmarks.shards import write_blocks

SIGNALS = CELL_SIGNALS["lstm"]
TOP = 20
CHUNK = (256, 64)  # steps x neurons of an HDF5 chunk: both a neuron's column and a step's row touch few
Layers = list[dict[str, Tensor]]  # for each layer, by signal: (batch, steps, neurons)
Loop = Callable[[Tensor], Layers]  # of tokens (batch, steps)
Answer = list[tuple[int, str]]  # places in the text and their characters, the greatest value first


class Text(NamedTuple):
    """What every side is given."""

    model: RecurrentLM
    sequences: Sequences  # windows of one length
    characters: str
    batches: list[Tensor]  # tokens (batch, steps), the same for all sides

    @property
    def neurons(self) -> int:
        return self.model.architecture.hidden_size

    @property
    def layers(self) -> range:
        return range(self.model.architecture.layers)


class Tool(ABC):
    """A way of keeping every value."""

    @abstractmethod
    def compute(self) -> object:
        """All values in memory, in the form that this side gives them."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Compute and keep them below an empty folder, with the text."""

    @abstractmethod
    def values(self, folder: Path, layer: int, signal: str) -> np.ndarray:
        """A signal read back, (steps, neurons)."""

    @abstractmethod
    def top(self, folder: Path, layer: int, neuron: int) -> Answer:
        """The steps of a neuron's greatest cell states, from what is on disk."""


def compute_ours(text: Text) -> Iterator[Block]:
    """Our side, computing only: every signal, and the predictions, which the others leave out."""
    return unroll(text.model, text.sequences, "recurrent")


class Ours(Tool):
    """Rows in Parquet, asked by DuckDB."""

    def __init__(self, text: Text, precision: str) -> None:
        self._text, self._precision = text, precision

    def compute(self) -> object:
        return list(compute_ours(self._text))

    def write(self, folder: Path) -> None:
        write_blocks(folder, compute_ours(self._text), len(self._text.layers), self._precision)
        _keep_characters(folder, self._text)

    def values(self, folder: Path, layer: int, signal: str) -> np.ndarray:
        (shard,) = folder.glob(f"activations/**/layer={layer}/*.parquet")
        rows = pq.read_table(shard, columns=["sequence", "step", "neuron", signal], partitioning=None)
        sequence, step, neuron, values = (column.to_numpy() for column in rows.columns)
        found = np.full((len(self._text.sequences.tokens), self._text.neurons), np.nan, np.float32)
        found[self._place(sequence, step), neuron] = values
        return found

    def top(self, folder: Path, layer: int, neuron: int) -> Answer:
        characters = (folder / "characters").read_text("utf-8")
        # Nothing is held open between two questions on any side, and each has one thread.
        with duckdb.connect(config={"threads": 1}) as connection:
            rows = connection.execute(
                f"select sequence, step, token from read_parquet('{folder}/activations/**/*.parquet', "
                "hive_partitioning = true) where layer = $layer and neuron = $neuron "
                f"order by cell_state desc, sequence, step limit {TOP}",
                {"layer": layer, "neuron": neuron},
            ).fetchall()
        return [(self._place(sequence, step), characters[token]) for sequence, step, token in rows]

    def _place(self, sequence: Any, step: Any) -> Any:  # numbers, or arrays of them
        return (sequence - self._text.sequences.ids[0]) * WINDOW + step


class Store(ABC):
    """A file format for arrays of (steps, neurons)."""

    @abstractmethod
    def write(self, folder: Path, text: Text, batches: Iterable[Layers]) -> None:
        """Keep the values of each batch as it comes."""

    @abstractmethod
    def read(self, folder: Path, layer: int, signal: str, neurons: int | slice) -> np.ndarray:
        """Some neurons of a signal, at all steps."""


class NumpyStore(Store):
    """`numpy.save`: a file for each batch, layer and signal, read by memory map."""

    def write(self, folder: Path, text: Text, batches: Iterable[Layers]) -> None:  # noqa: ARG002 - HDF5 asks for it
        for number, layers in enumerate(batches):
            for layer, signals in enumerate(layers):
                for name, values in signals.items():
                    np.save(folder / f"{layer}-{name}-{number:03d}.npy", values.flatten(0, 1).numpy())

    def read(self, folder: Path, layer: int, signal: str, neurons: int | slice) -> np.ndarray:
        files = sorted(folder.glob(f"{layer}-{signal}-*.npy"))
        return np.concatenate([np.load(file, mmap_mode="r")[:, neurons] for file in files])


class Hdf5Store(Store):
    """LSTMVis's format: an HDF5 matrix of steps x neurons for each layer and signal."""

    def __init__(self, compression: dict[str, object]) -> None:
        import h5py

        self._h5py, self._compression = h5py, compression

    def write(self, folder: Path, text: Text, batches: Iterable[Layers]) -> None:
        shape = (len(text.sequences.tokens), text.neurons)
        chunk = tuple(min(pair) for pair in zip(CHUNK, shape, strict=True))
        with self._h5py.File(folder / "states.hdf5", "w") as file:
            for layer in text.layers:
                for name in SIGNALS:
                    file.create_dataset(_dataset(layer, name), shape, "f4", chunks=chunk, **self._compression)
            start = 0
            for layers in batches:
                stop = start + layers[0][SIGNALS[0]].shape[:2].numel()
                for layer, signals in enumerate(layers):
                    for name, values in signals.items():
                        file[_dataset(layer, name)][start:stop] = values.flatten(0, 1).numpy()
                start = stop

    def read(self, folder: Path, layer: int, signal: str, neurons: int | slice) -> np.ndarray:
        with self._h5py.File(folder / "states.hdf5") as file:
            found: np.ndarray = file[_dataset(layer, signal)][:, neurons]
        return found


def _dataset(layer: int, signal: str) -> str:
    return f"layer{layer}_{signal}"


class Looped(Tool):
    """A loop that gives a batch's signals, and a store that keeps them batch by batch."""

    def __init__(self, text: Text, loop: Loop, store: Store) -> None:
        self._text, self._loop, self._store = text, loop, store

    def compute(self) -> object:
        return [self._loop(tokens) for tokens in self._text.batches]

    def write(self, folder: Path) -> None:
        keep_text(folder, self._text)
        self._store.write(folder, self._text, map(self._loop, self._text.batches))

    def values(self, folder: Path, layer: int, signal: str) -> np.ndarray:
        return self._store.read(folder, layer, signal, slice(None))

    def top(self, folder: Path, layer: int, neuron: int) -> Answer:
        return greatest(folder, self._store.read(folder, layer, "cell_state", neuron))


def keep_text(folder: Path, text: Text) -> None:
    """The characters beside arrays that do not hold them."""
    np.save(folder / "tokens.npy", text.sequences.tokens)
    _keep_characters(folder, text)


def _keep_characters(folder: Path, text: Text) -> None:
    (folder / "characters").write_text(text.characters, "utf-8", newline="")


def greatest(folder: Path, column: np.ndarray) -> Answer:
    """The places of a column's greatest values, earlier ones first where they are equal."""
    tokens = np.load(folder / "tokens.npy")
    characters = (folder / "characters").read_text("utf-8")
    at_least = np.partition(column, -TOP)[-TOP]
    places = np.flatnonzero(column >= at_least)
    places = places[np.argsort(-column[places], kind="stable")][:TOP]
    return [(int(place), characters[tokens[place]]) for place in places]


def forward(text: Text) -> None:
    """The floor: torch's own module, which gives the last layer's hidden state."""
    with torch.inference_mode():
        for tokens in text.batches:
            text.model.recurrent(_inputs(text, tokens, torch.float32))


def hand_loop(text: Text, dtype: torch.dtype = torch.float32) -> Loop:
    """The equations written out, the product with the input taken for all steps at once."""
    parameters = {name: values.to(dtype) for name, values in text.model.recurrent.state_dict().items()}

    def loop(tokens: Tensor) -> Layers:
        inputs, made = _inputs(text, tokens, dtype), []
        for layer in text.layers:
            w, u, b, d = (parameters[f"{n}_l{layer}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            hidden = cell = inputs.new_zeros(len(inputs), text.neurons)
            steps = []
            for step in linear(inputs, w, b + d).unbind(1):
                i, f, g, o = torch.addmm(step, hidden, u.t()).chunk(4, 1)
                i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
                cell = f * cell + i * g
                hidden = o * cell.tanh()
                steps.append((i, f, o, g, cell, hidden))
            made.append(stacked(steps))
            inputs = made[-1]["hidden_state"]
        return made

    return torch.inference_mode()(loop)


def cell_loop(text: Text) -> Loop:
    """A loop over `nn.LSTMCell`, which gives h and c; the gates by one more product over all steps afterwards."""
    state = text.model.recurrent.state_dict()
    cells = []
    for layer in text.layers:
        own = {
            name.removesuffix(f"_l{layer}"): values
            for name, values in state.items()
            if name.endswith(f"_l{layer}")
        }
        cells.append(nn.LSTMCell(own["weight_ih"].shape[1], text.neurons))
        cells[-1].load_state_dict(own)

    def loop(tokens: Tensor) -> Layers:
        inputs, made = _inputs(text, tokens, torch.float32), []
        for cell in cells:
            zero = inputs.new_zeros(len(inputs), text.neurons)
            states = [(zero, zero)]
            for step in inputs.unbind(1):
                states.append(cell(step, states[-1]))
            hidden, cell_state = (torch.stack(kind, 1) for kind in zip(*states, strict=True))
            gates = linear(inputs, cell.weight_ih, cell.bias_ih) + linear(
                hidden[:, :-1], cell.weight_hh, cell.bias_hh
            )
            i, f, g, o = gates.chunk(4, 2)
            kept = (i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh(), cell_state[:, 1:], hidden[:, 1:])
            made.append(dict(zip(SIGNALS, kept, strict=True)))
            inputs = made[-1]["hidden_state"]
        return made

    return torch.inference_mode()(loop)


def stacked(steps: Iterable[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    """The signals of each step, in the order of SIGNALS, as (batch, steps, neurons)."""
    return {name: torch.stack(kind, 1) for name, kind in zip(SIGNALS, zip(*steps, strict=True), strict=True)}


def _inputs(text: Text, tokens: Tensor, dtype: torch.dtype) -> Tensor:
    return one_hot(tokens, len(text.characters)).to(dtype)
