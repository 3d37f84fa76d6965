"""SQL on S3: a lake copied to a store on the loopback address, asked by httpfs and by our own file system.

The store is LocalBucket, in a process of its own, behind a proxy that counts requests and adds the time that the
way to a store takes. A *call* opens the lake and asks one question. Before the *first* call the cache on disk is
empty; the *second* finds what the first left there, and nothing in memory: the lake is opened afresh.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pipeline
from jobs.main_path import run_stages
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from pipeline.queries.engine import SETTING
from pipeline.queries.lake import Lake
from pipeline.storage.folder import Folder
from tests.benchmarks.measure import Theme, number, seconds, spread
from tests.benchmarks.python_source import WINDOW, python_source
from tests.benchmarks.reading import FULL, QUICK, SIGNALS, VALID, Sizes
from tests.counting import Requests, counting_proxy
from tests.s3 import BUCKET, localbucket_server, s3_environment

STAGES = ["generate", "train", "dump", "annotate", "score"]
WAYS = ("httpfs", "fsspec")
DELAYS = (0, 20)  # milliseconds a request
CALLS = ("first", "second")

Ask = Callable[[Lake], object]


class Asked(NamedTuple):
    """One question's figures by one way, over rounds."""

    seconds: list[float]
    requests: list[int]
    bytes: list[int]


def run(*, quick: bool) -> Theme:
    """Every question, by every way, at every delay."""
    sizes = QUICK if quick else FULL
    rounds = 1 if quick else 5
    found: dict[str, dict[str, Asked]] = {}
    with tempfile.TemporaryDirectory() as folder:
        here = f"{folder}/lake"
        run_id = _make_lake(here, sizes)
        questions = _questions(sizes, run_id)
        local = {name: _on_disk(here, ask, rounds) for name, ask in questions.items()}
        (Path(folder) / "store").mkdir()
        with localbucket_server(Path(folder) / "store") as server:
            there = f"s3://{BUCKET}/lake"
            with s3_environment(server):
                _copy(here, there)
            for delay in DELAYS[-1:] if quick else DELAYS:
                with _behind(server, Path(folder), delay) as requests:
                    for name, ask in questions.items():
                        found[f"{name}, {delay} ms"] = _by_every_way(there, requests, ask, rounds)
    values = sizes.probe * WINDOW * sizes.network.values_per_step
    return Theme(
        title="SQL on S3",
        method=(
            f"{values / 1e6:.1f} M values ({sizes.probe} sequences of {WINDOW} steps, {sizes.network} LSTM), "
            "dumped by the stages to disk and copied to LocalBucket. A call is `pipeline.open(root)` and one "
            f"question: medians of {rounds}, in milliseconds, with the number of requests and the MB of their "
            "answers. After each question is the delay that the proxy adds to a request. First: nothing is "
            "cached on disk; second: the lake is opened afresh, with the cache that the first call left."
        ),
        header=("question", "disk, ms", *(f"{way}, {call}" for way in WAYS for call in CALLS)),
        rows=[_row(name, local[name.rsplit(",", 1)[0]], asked) for name, asked in found.items()],
        notes=["What is read again from one open lake comes from memory with both methods: no request at all."],
        raw={"disk": local, **{name: {k: v._asdict() for k, v in asked.items()} for name, asked in found.items()}},
    )


def _make_lake(root: str, sizes: Sizes) -> str:
    corpus = {"train": sizes.train, "valid": VALID, "probe": sizes.probe}
    experiment = python_source(
        sizes.network,
        corpus,
        {"steps": sizes.updates, "evaluations": 1},
        score={"hypotheses": ["line_position"]},
    )
    made = open_run(experiment, root)
    run_stages(made, LocalRunner(), STAGES)
    return made.id


def _questions(sizes: Sizes, run_id: str) -> dict[str, Ask]:
    signals = ", ".join(SIGNALS)
    place = {"layer": sizes.network.layers - 1, "neuron": sizes.network.neurons // 2}
    sequence = {"sequence": sizes.train + VALID + sizes.probe // 2}
    neuron = (
        f"select sequence, step, {signals} from activations where layer = $layer and neuron = $neuron order by all"
    )
    neurons = f"select layer, neuron, step, {signals} from activations where sequence = $sequence order by all"
    means = ", ".join(f"avg({signal})" for signal in SIGNALS)
    return {
        "one neuron, all steps": lambda lake: lake.fetch(neuron, place),
        "top neurons": lambda lake: lake.ask("top_neurons", run=run_id, hypothesis="line_position"),
        "one sequence, all neurons": lambda lake: lake.fetch(neurons, sequence),
        "mean of every signal": lambda lake: lake.fetch(f"select {means} from activations"),
    }


def _copy(here: str, there: str) -> None:
    source, target = Folder(here), Folder(there)
    for path in source.list():
        target.create(path, source.read(path))


@contextmanager
def _behind(server: str, folder: Path, delay: float) -> Iterator[Requests]:
    with counting_proxy(server, folder, delay) as requests, s3_environment(requests.endpoint):
        os.environ["UNROLLED_CACHE"] = str(folder / "cache")
        try:
            yield requests
        finally:
            del os.environ["UNROLLED_CACHE"], os.environ[SETTING]


def _call(root: str, ask: Ask) -> None:
    ask(pipeline.open(root))


def _on_disk(root: str, ask: Ask, rounds: int) -> list[float]:
    _call(root, ask)
    return [seconds(partial(_call, root, ask)) for _ in range(rounds)]


def _by_every_way(root: str, requests: Requests, ask: Ask, rounds: int) -> dict[str, Asked]:
    """By way and call; the ways take turns, and a round that warms up is left out."""
    found = {f"{way}, {call}": Asked([], [], []) for way in WAYS for call in CALLS}
    for turn in range(rounds + 1):
        for way in WAYS if turn % 2 else WAYS[::-1]:
            os.environ[SETTING] = way
            shutil.rmtree(os.environ["UNROLLED_CACHE"], ignore_errors=True)
            for call in CALLS:
                requests.take()
                taken = seconds(partial(_call, root, ask))
                made = requests.take()
                if turn:
                    figures = found[f"{way}, {call}"]
                    figures.seconds.append(taken)
                    figures.requests.append(len(made))
                    figures.bytes.append(sum(request.sent for request in made))
    return found


def _row(name: str, local: list[float], asked: dict[str, Asked]) -> tuple[str, ...]:
    return (name, spread([1000 * taken for taken in local]), *(_cell(figures) for figures in asked.values()))


def _cell(figures: Asked) -> str:
    """As 189 (180–210) ms, 22 requests, 8.7 MB."""
    taken = spread([1000 * taken for taken in figures.seconds])
    return f"{taken} ms, {median(figures.requests):.0f} requests, {number(median(figures.bytes) / 1e6)} MB"
