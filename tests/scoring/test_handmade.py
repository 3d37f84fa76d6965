"""A network whose neurons are known: what follows the text is told from what only follows the position."""

import numpy as np
import pytest

from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.scoring.columns import Asked
from pipeline.scoring.texts import distinct_texts
from tests.handmade import counting
from tests.scoring.made import Row, one, scored

HYPOTHESES = ("count_ignoring_x", "state_is_A", "next_is_b")


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    network = counting()
    lengths = [len(text) for text in network.texts]
    sequence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    token = np.concatenate([network.tokens(text).numpy() for text in network.texts]).astype(np.int32)
    texts = distinct_texts(sequence, token)

    place = texts.rows_of(sequence, step)
    signals = np.empty((len(network.neurons), len(place)), np.float32)
    signals[:, place] = network.signals()["cell_state"]
    asked = {}
    for name in HYPOTHESES:
        hypothesis = find_hypothesis(name)
        values = np.full(len(place), np.nan)
        said = [value for text in network.texts for value in hypothesis.of(text, "plain")]
        values[place] = np.array(said, float)
        asked[name] = Asked(values, hypothesis.kind or "number")
    return scored(texts, signals, asked)


def figures(rows: dict[str, list[Row]], hypothesis: str, neuron: str) -> dict[str, float]:
    measure = "pearson" if hypothesis == "count_ignoring_x" else "auc"
    return one(rows[hypothesis], counting().neurons.index(neuron), measure)


def test_the_counter_and_the_latch_are_far_from_chance(rows: dict[str, list[Row]]) -> None:
    for hypothesis, neuron in (("count_ignoring_x", "counter"), ("state_is_A", "latch")):
        found = figures(rows, hypothesis, neuron)
        assert found["value"] > 0.9
        assert found["held_out"] > 0.9
        assert found["p_value"] < 1e-3, neuron


def test_the_decoy_is_unmasked(rows: dict[str, list[Row]]) -> None:
    """Its r with the count is high, as high as another text's annotation gives, and nothing without position."""
    decoy, counter = (figures(rows, "count_ignoring_x", neuron) for neuron in ("clock", "counter"))
    assert decoy["value"] > 0.75
    assert decoy["null_value"] == pytest.approx(decoy["value"], abs=0.01)
    assert decoy["p_value"] == 1
    assert counter["value"] > counter["null_value"] + 0.1


def test_what_never_varies_has_no_measure(rows: dict[str, list[Row]]) -> None:
    assert figures(rows, "state_is_A", "dead")["value"] is None
