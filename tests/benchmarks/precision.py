"""Precision: what rounding the stored values does to answers, on the very same arrays.

Correlations with hypotheses, the neuron that follows each best, and the order of a neuron's greatest values.
"""

import tempfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.annotation.rows import annotation_rows
from pipeline.dumping.precision import MANTISSA_BITS, round_mantissa
from pipeline.dumping.unroll import Block, unroll
from pipeline.scoring.sums import Sums, Weighted
from schemas.experiment import Experiment
from schemas.parse import parse_experiment
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.measure import Theme, number
from tests.benchmarks.python_source import WINDOW, Network, python_source, read_split, trained, vocabulary_of
from tests.benchmarks.shards import joined, write_blocks

SIGNALS = CELL_SIGNALS["lstm"]
TOP = 20
STRONG = 0.5  # of |r|: a neuron that one would look at


class Sizes(NamedTuple):
    """How much is measured."""

    network: Network  # of the text
    updates: int
    train: int  # windows
    probe: int
    counting_updates: int


FULL = Sizes(Network(2, 128), 400, 10_000, 400, 1_500)
QUICK = Sizes(Network(1, 8), 5, 8_000, 8, 5)


class Subject(NamedTuple):
    """A dump and what is asked of it."""

    blocks: list[Block]
    signals: list[dict[str, np.ndarray]]  # for each layer, by name: (neurons, N)
    hypotheses: dict[str, np.ndarray]  # a value for each step, NaN where it says nothing


class Answers(NamedTuple):
    """What one precision answers: (layers, signals, …)."""

    r: np.ndarray  # (…, hypotheses, neurons): Pearson's r with a hypothesis
    top: np.ndarray  # (…, neurons, TOP): places of the greatest values


def run(*, quick: bool) -> Theme:
    """Both networks at every precision."""
    sizes = QUICK if quick else FULL
    subjects = {f"text, {sizes.network}": _text(sizes), "counting, 1 x 10": _counting(sizes)}
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    raw: dict[str, object] = {}
    for name, subject in subjects.items():
        exact = _answers(subject, "exact")
        for precision in MANTISSA_BITS:
            changed = _changed(exact, _answers(subject, precision))
            changed["bytes/value"] = _bytes(subject, precision)
            raw[f"{name}, {precision}"] = changed
            rows.append(_row(f"{name}, {precision}", changed))
            if precision != "exact":
                notes.append(_by_signal(f"{name}, {precision}", changed))
    return Theme(
        title="Precision",
        method=(
            f"The text is Python source in windows of {WINDOW}, through an LSTM after {sizes.updates} updates; "
            f"the counting network learnt for {sizes.counting_updates} updates. The same arrays are rounded by "
            "`round_mantissa`. r is Pearson's, "
            "over every layer, neuron and signal and each hypothesis, where it is defined on the exact values "
            f"({_named(subjects)}). The *best neuron* is the one of greatest |r| over all layers, for each "
            f"hypothesis and signal. The *top {TOP}* are the steps of a neuron's greatest cell states, earlier "
            "steps first where values are equal, as rounding makes many."
        ),
        header=(
            "network, precision",
            "bytes/value",
            "largest change of r",
            "largest of a strong r",
            "median change of r",
            "best neuron is another",
            f"same top {TOP}",
            f"same top {TOP} in order",
            f"of {TOP} stay, mean",
            "fewest",
        ),
        rows=rows,
        notes=[
            f"A change of r is absolute: r is between -1 and 1. An r is strong where |r| is over {STRONG}.",
            *notes,
        ],
        raw=raw,
    )


def _text(sizes: Sizes) -> Subject:
    corpus = {"train": sizes.train, "valid": 1, "probe": sizes.probe}
    experiment = python_source(sizes.network, corpus, {"steps": sizes.updates})
    names = ("line_position", "bracket_depth", "indent_depth", "in_string", "in_comment")
    return _subject(experiment, sizes.updates, names)


def _counting(sizes: Sizes) -> Subject:
    document = {
        "name": "counting",
        "task": {"name": "counting", "maximum": 10},
        "corpus": {"train": 20_000},
        "training": {"batch_size": 64, "learning_rate": 0.01, "steps": sizes.counting_updates},
    }
    return _subject(parse_experiment(document, "benchmark"), sizes.counting_updates, ("count_a", "remaining_b"))


def _subject(experiment: Experiment, updates: int, names: tuple[str, ...]) -> Subject:
    sequences, vocabulary = read_split(experiment, "probe"), vocabulary_of(experiment)
    model = trained(experiment, updates)
    blocks = list(unroll(model, sequences, "recurrent"))
    texts = {
        int(number): vocabulary.decode(sequences.tokens[start:stop])
        for number, start, stop in zip(sequences.ids, sequences.offsets, sequences.offsets[1:], strict=False)
    }
    hypotheses = {
        name: annotation_rows(find_hypothesis(name), texts)["value"]
        .to_numpy()
        .astype(np.float64)  # a NULL becomes NaN
        for name in names
    }
    return Subject(blocks, joined(blocks, model.architecture.layers), hypotheses)


def _answers(subject: Subject, precision: str) -> Answers:
    correlations, tops = [], []
    for signals in subject.signals:
        for name in SIGNALS:
            values = round_mantissa(signals[name], precision)  # (neurons, steps)
            correlations.append([_r(values, hypothesis) for hypothesis in subject.hypotheses.values()])
            # A stable sort keeps the earlier step first among equals.
            tops.append(np.argsort(-values, axis=1, kind="stable")[:, :TOP])
    shape = (len(subject.signals), len(SIGNALS))
    r, top = np.array(correlations), np.array(tops)
    return Answers(r.reshape(*shape, *r.shape[1:]), top.reshape(*shape, *top.shape[1:]))


def _r(values: np.ndarray, hypothesis: np.ndarray) -> np.ndarray:
    """As the score stage does it."""
    said = ~np.isnan(hypothesis)
    answers = hypothesis[said]
    return Sums.of(values[:, said], Weighted.of([answers], np.ones(len(answers)))).measure("pearson")[:, 0]


def _changed(exact: Answers, rounded: Answers) -> dict[str, object]:
    """What differs between the answers, and by how much."""
    defined = ~np.isnan(exact.r)
    difference, strong = np.abs(rounded.r - exact.r)[defined], np.abs(exact.r[defined]) > STRONG
    lost = int(np.isnan(difference).sum())  # signals that rounding makes constant
    best = _best(exact.r) != _best(rounded.r)
    kept = _kept(exact.top, rounded.top)
    same_order = (exact.top == rounded.top).all(-1)
    return {
        "largest change of r": float(np.nanmax(difference)),
        "strong": int(strong.sum()),
        "largest change of a strong r": float(difference[strong].max(initial=0.0)),
        "median change of r": float(np.nanmedian(difference)),
        "r undefined by rounding": lost,
        "best neurons": int(best.size),
        "best neurons changed": int(best.sum()),
        "by signal": {
            name: {
                "neurons": int(kept[:, index].size),
                "same set": float((kept[:, index] == TOP).mean()),
                "same order": float(same_order[:, index].mean()),
                "kept, mean": float(kept[:, index].mean()),
                "kept, fewest": int(kept[:, index].min()),
            }
            for index, name in enumerate(SIGNALS)
        },
    }


def _best(r: np.ndarray) -> np.ndarray:
    """The place of the neuron of greatest |r| over all layers, (signals, hypotheses)."""
    layers, signals, hypotheses, neurons = r.shape
    by_neuron = np.moveaxis(np.abs(r), 0, 2).reshape(signals, hypotheses, layers * neurons)
    best: np.ndarray = np.nan_to_num(by_neuron, nan=-1.0).argmax(-1)
    return best


def _kept(exact: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """How many of the exact places are among the rounded ones."""
    kept: np.ndarray = (exact[..., :, None] == rounded[..., None, :]).any(-1).sum(-1)
    return kept


def _bytes(subject: Subject, precision: str) -> float:
    """Bytes of a stored value."""
    values = sum(signal.size for signals in subject.signals for signal in signals.values())
    with tempfile.TemporaryDirectory() as root:
        written = write_blocks(root, subject.blocks, len(subject.signals), precision)
    return written / values


def _row(name: str, changed: Mapping[str, object]) -> tuple[str, ...]:
    cells = _of_signal(changed, "cell_state")
    return (
        name,
        _small(changed["bytes/value"]),
        _small(changed["largest change of r"]),
        _small(changed["largest change of a strong r"]),
        _small(changed["median change of r"]),
        f"{changed['best neurons changed']} of {changed['best neurons']}",
        f"{cells['same set']:.1%}",
        f"{cells['same order']:.1%}",
        f"{cells['kept, mean']:.2f}",
        f"{cells['kept, fewest']:.0f}",
    )


def _of_signal(changed: Mapping[str, object], signal: str) -> dict[str, float]:
    by_signal = changed["by signal"]
    assert isinstance(by_signal, dict)
    found: dict[str, float] = by_signal[signal]
    return found


def _small(value: object) -> str:
    assert isinstance(value, float)
    return number(value) if value >= 0.01 or value == 0 else f"{value:.1e}"


def _by_signal(name: str, changed: Mapping[str, object]) -> str:
    stay = ", ".join(f"{signal} {_of_signal(changed, signal)['kept, mean']:.1f}" for signal in SIGNALS)
    constant = changed["r undefined by rounding"]
    return f"{name}: of {TOP} stay, by signal: {stay}. Rounding leaves {constant} r undefined."


def _named(subjects: Mapping[str, Subject]) -> str:
    return "; ".join(
        f"{name}, {subject.signals[0]['cell_state'].shape[1]:,} steps: {', '.join(subject.hypotheses)}"
        for name, subject in subjects.items()
    )
