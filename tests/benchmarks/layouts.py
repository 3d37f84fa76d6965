"""Layouts of `activations`: what each costs to write, to keep, and to ask, side by side (docs/decisions/0009).

A layout is a tile's shape and a writer: ours, or pyarrow's through `write_shard`, which the other tables use.
Those that lost by far (a list per neuron and sequence, a column per neuron) are in the decision records alone.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import duckdb
import numpy as np

from pipeline.dumping.precision import MANTISSA_BITS, round_mantissa
from pipeline.dumping.rows import TILE_NEURONS
from pipeline.dumping.unroll import BLOCK_STEPS, unroll
from pipeline.storage.folder import Folder
from pipeline.storage.shards import write_shard
from pipeline.storage.tiles import TileWriter
from pipeline.tasks.sequences import Sequences
from schemas.activations import ACTIVATIONS
from schemas.signals import CELL_SIGNALS
from schemas.tile import Steps, Tile
from tests.benchmarks.bytes_read import bytes_read
from tests.benchmarks.measure import Theme, alternate, number, seconds, spread
from tests.benchmarks.python_source import WINDOW, Network, python_source, read_split, trained
from tests.benchmarks.shards import joined
from tests.tile_rows import tile_rows

SIGNALS = CELL_SIGNALS["lstm"]
Signals = list[dict[str, np.ndarray]]  # for each layer, by name: (neurons, N)


class TileShape(NamedTuple):
    """The most that a tile holds, save that a sequence is never cut."""

    steps: int
    neurons: int


TILE = TileShape(BLOCK_STEPS, TILE_NEURONS)


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    network: Network
    updates: int
    train: int  # windows
    probe: int  # windows of a shard
    shards: int  # of each layer, to read: the same values under other sequences' numbers


FULL = Sizes(5, Network(2, 128), 200, 10_000, 160, 32)
QUICK = Sizes(1, Network(2, 8), 3, 8_000, 8, 2)


class Layout(NamedTuple):
    """A writer and a tile's shape."""

    writer: str
    shape: TileShape

    def __str__(self) -> str:
        return f"{self.writer}, {self.shape.steps:,} x {self.shape.neurons}"

    def write(self, root: str, made: Signals, sequences: Sequences, precision: str, index: int = 0) -> int:
        """Bytes of one shard of every layer."""
        written = 0
        for layer in range(len(made)):
            place = {"run": "benchmark", "model": "lstm", "checkpoint": 0, "layer": layer}
            tiles = _tiles(made[layer], sequences, precision, self.shape)
            if self.writer == "pyarrow":
                rows = map(tile_rows, tiles)
                written += write_shard(Folder(root), ACTIVATIONS, place, index, rows, "benchmark").bytes
            else:
                with TileWriter(Folder(root), ACTIVATIONS, place, index, "benchmark") as shard:
                    for tile in tiles:
                        shard.append(shard.pack(tile))
                written += shard.stored.bytes
        return written


LAYOUTS = [
    Layout("pyarrow", TileShape(6_400, 8)),
    Layout("ours", TileShape(6_400, 8)),
    Layout("ours", TILE),
    Layout("ours", TileShape(12_800, 4)),
    Layout("ours", TileShape(1_600, 32)),
]
QUESTIONS = {
    "one neuron, all steps": (
        f"select sequence, step, {', '.join(SIGNALS)} from activations "
        "where layer = {layer} and neuron = {neuron} order by sequence, step"
    ),
    "one sequence, all neurons": (
        f"select layer, neuron, step, {', '.join(SIGNALS)} from activations "
        "where sequence = {sequence} order by layer, neuron, step"
    ),
    "mean gate by token": (
        "select token, avg(input_gate), count(*) from activations "
        "where layer = {layer} and neuron = {neuron} group by token order by token"
    ),
    "top 20 steps": (
        "select sequence, step, token, cell_state from activations "
        "where layer = {layer} and neuron = {neuron} order by cell_state desc, sequence, step limit 20"
    ),
}


def run(*, quick: bool) -> Theme:
    """Every layout, written and asked."""
    sizes = QUICK if quick else FULL
    corpus = {"train": sizes.train, "valid": 1, "probe": sizes.probe}
    experiment = python_source(sizes.network, corpus, {"steps": sizes.updates})
    sequences = read_split(experiment, "probe")
    made = joined(unroll(trained(experiment, sizes.updates), sequences, "recurrent"), sizes.network.layers)
    values = len(sequences.tokens) * sizes.network.values_per_step
    stored: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as root:
        times = alternate(dict(_writers(root, made, sequences, stored)), sizes.rounds)
    rows = [
        (
            "write",
            name,
            spread([values / 1e6 / taken for taken in taken_]),
            number(stored[name] / values),
            "–",
            "–",
        )
        for name, taken_ in times.items()
    ]
    with tempfile.TemporaryDirectory() as root:
        asked = _ask_all(root, made, sequences, sizes)
    rows += [
        (
            question,
            layout,
            spread([1000 * warm for warm in found.warm]),
            number(1000 * found.first),
            *found.megabytes,
        )
        for (question, layout), found in asked.items()
    ]
    return Theme(
        title="Layouts",
        method=(
            f"Written: {values / 1e6:.1f} M values, {sizes.rounds} alternations on one thread, with digest and "
            f"fsync; the fourth column is bytes a value. Asked: {sizes.shards * values / 1e6:,.0f} M exact values "
            f"in {sizes.shards} shards a layer ({sizes.network} LSTM after {sizes.updates} updates, the same "
            "values under other sequences' numbers), DuckDB's own number of threads, six signals where a slice is "
            "asked for; the fourth column is the first answer of a new connection in ms. Bytes as in Reading."
        ),
        header=(
            "what",
            "layout, steps x neurons",
            "M values/s or ms",
            "bytes/value or ms",
            "MB read",
            "MB needed",
        ),
        rows=rows,
        notes=[],
        raw={
            "seconds": times,
            "bytes": stored,
            "asked": {" | ".join(key): found._asdict() for key, found in asked.items()},
        },
    )


def _tiles(
    signals: dict[str, np.ndarray], sequences: Sequences, precision: str, shape: TileShape
) -> Iterator[Tile]:
    """One layer's tiles of any shape."""
    number = np.repeat(sequences.ids, sequences.lengths)
    step = (np.arange(len(number)) - np.repeat(sequences.offsets[:-1], sequences.lengths)).astype(np.int32)
    windows = max(1, shape.steps // WINDOW)
    for start in range(0, len(sequences), windows):
        stop = min(start + windows, len(sequences))
        here = slice(int(sequences.offsets[start]), int(sequences.offsets[stop]))
        steps = Steps(number[here], step[here], sequences.tokens[here])
        for first in range(0, len(signals[SIGNALS[0]]), shape.neurons):
            some = slice(first, first + shape.neurons)
            values = {name: round_mantissa(signal[some, here], precision) for name, signal in signals.items()}
            yield Tile(first, steps, values)


def _writers(
    root: str, made: Signals, sequences: Sequences, stored: dict[str, int]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each layout exact, and the shapes in use at every precision; each notes its bytes."""
    folders = iter(range(1_000_000))  # each shard is a new one

    def write(layout: Layout, name: str, precision: str) -> None:
        stored[name] = layout.write(f"{root}/{next(folders)}", made, sequences, precision)

    for layout in LAYOUTS:
        for precision in MANTISSA_BITS if layout.shape == TILE or layout.writer == "pyarrow" else ["exact"]:
            name = f"{layout}, {precision}"
            yield name, partial(write, layout, name, precision)


class Asked(NamedTuple):
    """One question's figures in one layout."""

    first: float  # seconds
    warm: list[float]
    read: list[int | None]
    needed: int  # bytes

    @property
    def megabytes(self) -> tuple[str, str]:
        """Read and needed."""
        read = [count for count in self.read if count is not None]
        return number(mean(read) / 1e6) if read else "–", number(self.needed / 1e6)


def _ask_all(root: str, made: Signals, sequences: Sequences, sizes: Sizes) -> dict[tuple[str, str], Asked]:
    connections = {str(layout): _fill(f"{root}/{layout}", layout, made, sequences, sizes) for layout in LAYOUTS}
    steps = sizes.shards * len(sequences.tokens)
    needed = {  # values; none are counted for keys
        "one neuron, all steps": len(SIGNALS) * steps,
        "one sequence, all neurons": WINDOW * sizes.network.values_per_step,
    }
    asked = {}
    for name, sql in QUESTIONS.items():
        questions = [sql.format(**place) for place in _places(sequences, sizes)]
        asks = {layout: partial(_ask, connection) for layout, connection in connections.items()}
        first = {layout: seconds(partial(ask, questions[0])) for layout, ask in asks.items()}
        warm = [
            alternate({layout: partial(ask, question) for layout, ask in asks.items()}, 1)
            for question in questions
        ]
        for layout, ask in asks.items():
            asked[name, layout] = Asked(
                first[layout],
                [times[layout][0] for times in warm],
                [bytes_read(partial(ask, question)) for question in questions],
                4 * needed.get(name, steps),
            )
    return asked


def _fill(
    root: str, layout: Layout, made: Signals, sequences: Sequences, sizes: Sizes
) -> duckdb.DuckDBPyConnection:
    """Write all shards; a connection that sees them as `activations`, with the settings of a lake."""
    for shard in range(sizes.shards):
        numbers = sequences.ids + np.int32(shard * len(sequences))
        copy = Sequences(numbers, sequences.offsets, sequences.tokens, sequences.determined)
        layout.write(root, made, copy, "exact", shard)
    files = [str(path) for path in sorted(Path(root, "activations").glob("**/*.parquet"))]
    connection = duckdb.connect()
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    connection.read_parquet(files, hive_partitioning=True).create_view("activations")
    return connection


def _places(sequences: Sequences, sizes: Sizes) -> list[dict[str, int]]:
    """Neurons and sequences all over the data."""
    count, all_sequences = 6, sizes.shards * len(sequences)
    return [
        {
            "layer": sizes.network.layers - 1,
            "neuron": sizes.network.neurons * place // count,
            "sequence": int(sequences.ids[0]) + all_sequences * place // count,
        }
        for place in range(count)
    ]


def _ask(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    rows: int = connection.execute(sql).to_arrow_table().num_rows
    return rows
