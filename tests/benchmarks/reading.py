"""Reading: one neuron over all sequences, and one sequence over all neurons; bytes read against bytes needed.

The lake is made by the stages themselves. Each question is asked with its values in the text, and as parameters,
as the shipped questions do. *First* is the first question to a lake that has just been opened; *warm* are those
after it. The shards have just been written, so the system's cache holds them in either case.
"""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import pipeline
from jobs.main_path import run_stages
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from pipeline.queries.lake import Lake
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.bytes_read import bytes_read, foretold_bytes
from tests.benchmarks.measure import Theme, number, seconds, spread
from tests.benchmarks.python_source import WINDOW, Network, python_source

SIGNALS = CELL_SIGNALS["lstm"]
VALID = 32  # sequences
PLACES = 8  # neurons of one tile, and sequences all over the split: how much is read depends on the place


class Sizes(NamedTuple):
    """How much is measured."""

    lakes: int  # opened afresh; every place is asked for in each
    network: Network
    updates: int
    train: int  # windows
    probe: int


FULL = Sizes(3, Network(2, 128), 200, 10_000, 520)
QUICK = Sizes(1, Network(2, 8), 3, 8_000, 8)


class Question(NamedTuple):
    """A question, asked at several places."""

    name: str
    sql: str  # with {neuron} and the like where a value goes
    places: list[Mapping[str, int]]
    by: str  # the column whose statistics tell which row groups to read
    layers: str  # folders that can hold the answer, as a glob

    def ask(self, lake: Lake, place: Mapping[str, int], *, parameters: bool) -> int:
        """The rows of the answer."""
        if parameters:
            answer = lake.fetch(self.sql.format(**{name: f"${name}" for name in place}), place)
        else:
            answer = lake.fetch(self.sql.format(**place))
        rows: int = answer.num_rows
        return rows


class Answered(NamedTuple):
    """One question's figures."""

    first: list[float]  # seconds
    warm: list[float]
    read: list[int | None]  # bytes, by place
    foretold: list[int]
    needed: int


def run(*, quick: bool) -> Theme:
    """Both slices of one dump."""
    sizes = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as root:
        _make_lake(root, sizes)
        opening = [seconds(partial(pipeline.open, root)) for _ in range(3 * sizes.lakes)]
        answered = {
            question.name + (", as parameters" if parameters else ""): _answer(
                root, question, sizes.lakes, parameters=parameters
            )
            for question in _questions(sizes)
            for parameters in (False, True)
        }
    values = sizes.probe * WINDOW * sizes.network.values_per_step
    return Theme(
        title="Reading",
        method=(
            f"{values / 1e6:.1f} M values ({sizes.probe} sequences of {WINDOW} steps, {sizes.network} LSTM after "
            f"{sizes.updates} updates, precision exact), dumped by the stages, asked through "
            "`pipeline.open(root).fetch(…)` with DuckDB's own number of threads: all six signals, in order. "
            f"{sizes.lakes} fresh lakes; in each, {PLACES} places asked for twice (the {PLACES} neurons of one "
            f"tile; {PLACES} sequences all over the split). Bytes read are the system's count for this process "
            "(rchar), by place; bytes needed are 4 a value, and none for keys; their ratio is that of the mean."
        ),
        header=("question", "first, ms", "warm, ms", "MB read", "MB needed", "read / needed"),
        rows=[_row(name, figures) for name, figures in answered.items()],
        notes=[
            f"Opening the lake takes {spread([1000 * taken for taken in opening])} ms.",
            *(
                f"Packed columns of the row groups whose statistics match, {name}: "
                f"{number(mean(found.foretold) / 1e6)} MB."
                for name, found in answered.items()
                if "parameters" not in name
            ),
        ],
        raw={"opening": opening, **{name: found._asdict() for name, found in answered.items()}},
    )


def _make_lake(root: str, sizes: Sizes) -> None:
    corpus = {"train": sizes.train, "valid": VALID, "probe": sizes.probe}
    experiment = python_source(sizes.network, corpus, {"steps": sizes.updates, "evaluations": 1})
    run_stages(open_run(experiment, root), LocalRunner(), ["generate", "train", "dump"])


def _questions(sizes: Sizes) -> list[Question]:
    layer = sizes.network.layers - 1
    tile = sizes.network.neurons // 2 // PLACES * PLACES  # its first neuron
    begin = sizes.train + VALID  # the first probe sequence
    signals = ", ".join(SIGNALS)
    return [
        Question(
            "one neuron, all sequences",
            f"select sequence, step, {signals} from activations "
            "where layer = {layer} and neuron = {neuron} order by sequence, step",
            [{"layer": layer, "neuron": tile + place} for place in range(PLACES)],
            "neuron",
            f"layer={layer}",
        ),
        Question(
            "one sequence, all neurons",
            f"select layer, neuron, step, {signals} from activations "
            "where sequence = {sequence} order by layer, neuron, step",
            [{"sequence": begin + sizes.probe * place // PLACES} for place in range(PLACES)],
            "sequence",
            "layer=*",
        ),
    ]


def _answer(root: str, question: Question, lakes: int, *, parameters: bool) -> Answered:
    ask = partial(question.ask, parameters=parameters)
    first: list[float] = []
    warm: list[float] = []
    for _ in range(lakes):
        lake = pipeline.open(root)
        first.append(seconds(partial(ask, lake, question.places[0])))
        warm += [seconds(partial(ask, lake, place)) for place in 2 * question.places]
    shards = list(Path(root, "activations").glob(f"*/*/*/{question.layers}/*.parquet"))
    columns = {*SIGNALS, "sequence", "step", "neuron"}
    return Answered(
        first,
        warm,
        [bytes_read(partial(ask, lake, place)) for place in question.places],
        [foretold_bytes(shards, columns, question.by, place[question.by]) for place in question.places],
        needed=4 * len(SIGNALS) * ask(lake, question.places[0]),
    )


def _row(name: str, found: Answered) -> tuple[str, ...]:
    # Where the system does not count, what the footers foretell: at most that is read.
    read = [told if counted is None else counted for counted, told in zip(found.read, found.foretold, strict=True)]
    return (
        name,
        spread([1000 * taken for taken in found.first]),
        spread([1000 * taken for taken in found.warm]),
        spread([count / 1e6 for count in read]),
        number(found.needed / 1e6),
        number(mean(read) / found.needed),
    )
