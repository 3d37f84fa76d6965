"""What `tests/handmade.py` says of its neurons, on paper."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.handmade import Handmade, copying, counting


def states(network: Handmade, text: str) -> dict[str, list[float]]:
    cells = network.signals((text,))["cell_state"]
    return {
        name: np.round(row.astype(float), 5).tolist() for name, row in zip(network.neurons, cells, strict=True)
    }


def test_the_counting_network_does_what_its_table_says() -> None:
    found = states(counting(), "BaXaYbb\n")
    assert found["counter"] == [0, 1, 1, 2, 2, 1, 0, 0]
    assert found["latch"] == [-1, -1, -1, -1, 0, 0, 0, 0]
    assert found["clock"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], abs=1e-5)
    assert set(found["dead"]) == {0}
    assert found["saturated"][:4] == pytest.approx([1, 1.7, 1.99, 2.393], abs=1e-5)
    assert found["switch"] == [-1, -1, 1, -1, 1, -1, -1, -1]
    assert found["next"] == [0, 0, 0, 0, -1, -1, 1, 0]


@pytest.mark.parametrize("text", ["AaYb\n", "AaaaaaaaaYbbbbbbbb\n"])
def test_the_next_neuron_knows_the_last_b_of_any_length(text: str) -> None:
    found = states(counting(), text)["next"]
    start = text.index("Y")
    assert found[:start] == [0] * start
    assert found[start:] == [*[-1] * (len(text) - start - 2), 1, 0]


def test_the_copying_network_does_what_its_table_says() -> None:
    found = states(copying(), "acbXacb\n")
    assert found == {
        "slot_1": [1] * 8,
        "last_1": [1, -1, 0, 0, 1, -1, 0, 0],
        "last_2": [0, 1, -1, 0, 0, 1, -1, 0],
        "last_3": [0, 0, 1, -1, 0, 0, 1, -1],
        "last_4": [0, 0, 0, 1, -1, 0, 0, 1],
        "begun": [1] * 8,
    }


@pytest.mark.parametrize("make", [counting, copying])
def test_texts_are_different_and_signals_lie_end_to_end(make: Callable[[], Handmade]) -> None:
    network = make()
    assert len(set(network.texts)) == len(network.texts) >= 27
    signals = network.signals()
    assert {values.shape for values in signals.values()} == {(len(network.neurons), sum(map(len, network.texts)))}
    first = network.signals(network.texts[:1])
    for name, values in first.items():
        np.testing.assert_array_equal(signals[name][:, : values.shape[1]], values)
