"""Known neurons come back with their roles."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.roles.certify import certificates
from pipeline.roles.counting import Failing
from pipeline.roles.role import Role
from pipeline.roles.texts import Texts, lay_out
from tests.handmade import Handmade, copying, counting


def texts_of(network: Handmade, separator: str) -> Texts:
    """Its texts; what comes after the separator is determined."""
    determined = [
        [text.index(separator) <= step < len(text) - 1 for step in range(len(text))] for text in network.texts
    ]
    return lay_out(network.texts, determined)


def roles_of(network: Handmade, separator: str) -> dict[str, list[Role]]:
    found = certificates(network.signals(), texts_of(network, separator))
    return dict(zip(network.neurons, found, strict=True))


@pytest.fixture(scope="module")
def counted() -> dict[str, list[Role]]:
    return roles_of(counting(), "Y")


@pytest.fixture(scope="module")
def copied() -> dict[str, list[Role]]:
    return roles_of(copying(), "X")


@pytest.mark.parametrize(
    ("neuron", "role"),
    [
        ("counter", "counter"),
        ("latch", "latch"),
        ("clock", "clock"),
        ("dead", "dead"),
        ("saturated", "saturated"),
        ("switch", "switch"),
        ("next", "copier"),
    ],
)
def test_each_neuron_of_the_counting_network_has_its_role(
    neuron: str, role: str, counted: dict[str, list[Role]]
) -> None:
    assert [found.name for found in counted[neuron]] == [role]


@pytest.mark.parametrize(
    ("neuron", "role"),
    [
        ("slot_1", "copier"),
        ("last_1", None),
        ("last_2", None),
        ("last_3", None),
        ("last_4", "copier"),
        ("begun", "dead"),
    ],
)
def test_each_neuron_of_the_copying_network_has_its_role(
    neuron: str, role: str, copied: dict[str, list[Role]]
) -> None:
    assert [found.name for found in copied[neuron]] == [role]


def test_the_decoy_follows_count_a_by_position_alone(counted: dict[str, list[Role]]) -> None:
    """Over the steps before the Y its r with the count is above 0.8, and it is called a clock all the same."""
    network = counting()
    texts = texts_of(network, "Y")
    counts = np.concatenate([np.cumsum([c == "a" for c in text]) for text in network.texts]).astype(float)
    before = np.concatenate([np.arange(len(text)) < text.index("Y") for text in network.texts])
    decoy = network.signals()["cell_state"][network.neurons.index("clock")]
    assert np.corrcoef(decoy[before], counts[before])[0, 1] > 0.8
    (clock,) = counted["clock"]
    assert clock.figures["explained"] == 1
    assert clock.figures["by_content"] == 0
    assert len(texts) > 4


def test_a_counter_has_its_certificate(counted: dict[str, list[Role]]) -> None:
    (counter,) = counted["counter"]
    figures = counter.figures
    assert figures["signal"] == "cell_state"
    assert figures["slopes"] == {"a": 1, "b": -1}
    assert figures["linearity"] == figures["beyond_position"] == 1
    assert figures["hidden_linearity"] < 0.9, "tanh of a count is no straight line"
    assert figures["blind"] == {"X": 0}
    assert figures["drift"] == 0
    assert figures["predicted_failing"] is None
    assert counter.evidence.startswith("counts a (+1.00) and b (-1.00): R² 1.000; 1.000 with position taken out")
    assert "blind to X (input gate 0.00)" in counter.evidence


def test_a_latch_has_its_certificate(counted: dict[str, list[Role]]) -> None:
    (latch,) = counted["latch"]
    longest = max(text.index("Y") for text in counting().texts)
    assert latch.figures["holds"] == {"A": 1, "B": -1}
    assert latch.figures["read_at"] == 1
    assert latch.figures["steps"] == longest - 1
    assert latch.figures["until"] == ["Y"]
    assert (latch.figures["forget_gate_holding"], latch.figures["forget_gate_after"]) == (1, 0)


def test_a_copier_says_whether_it_follows_a_slot_or_the_next_character(copied: dict[str, list[Role]]) -> None:
    """The first letter is what comes next at one of the three steps where a letter does."""
    slot, following = copied["slot_1"][0].figures, copied["last_4"][0].figures
    assert (slot["follows"], slot["slot"], slot["by_slot"]) == ("slot", 1, 1)
    assert slot["by_next_character"] == pytest.approx(1 / 3, abs=1e-3)
    assert (following["follows"], following["slot"], following["by_next_character"]) == ("next character", None, 1)
    assert following["by_slot"] == pytest.approx(1 / 3, abs=1e-3)


def test_a_switch_names_its_characters(counted: dict[str, list[Role]]) -> None:
    (switch,) = counted["switch"]
    assert switch.figures["characters"] == ["X", "Y"]
    assert (switch.figures["on"], switch.figures["off"]) == (1, -1)


def cells(*rows: list[list[float]]) -> dict[str, np.ndarray]:
    """A cell state for each neuron: its values at each text, end to end."""
    return {"cell_state": np.array([[value for text in row for value in text] for row in rows], np.float32)}


def only(signals: dict[str, np.ndarray], texts: list[str], failing: Failing | None = None) -> list[Role]:
    (found,) = certificates(signals, lay_out(texts), failing)
    return found


SIZES = range(1, 9)
ANBN = ["a" * n + "X" + "b" * n + "\n" for n in SIZES]


def up_and_down(n: int, up: float = 1.0, down: float = 1.0) -> list[float]:
    """A count of n a's and n b's, empty after the line's end."""
    return [*(up * k for k in range(1, n + 1)), up * n, *(up * n - down * k for k in range(1, n + 1)), 0]


def test_where_the_count_is_the_position_neither_is_told() -> None:
    """Texts of a's alone: what counts them and what counts steps are the same."""
    texts = ["a" * n for n in range(5, 11)]
    (found,) = only(cells([[float(k + 1) for k in range(len(text))] for text in texts]), texts)
    assert found.name == "counter or clock"
    assert found.figures["beyond_position"] is None
    assert "the count is the position in all these texts" in found.evidence


@pytest.mark.parametrize(
    ("state", "role"),
    [
        (up_and_down, "counter"),
        (lambda n: [0.1 * (step + 1) for step in range(2 * n + 2)], "clock"),
        (lambda n: [min(step + 1, 4) / 4 for step in range(2 * n + 2)], "clock"),
        (lambda n: [*(float(k) for k in range(1, n + 1)), *[float(n)] * (n + 1), 0.0], "counter"),
    ],
    ids=["up and down", "rising for ever", "rising to an end", "up, and held"],
)
def test_the_b_phase_tells_a_counter_from_a_clock(state: Callable[[int], list[float]], role: str) -> None:
    (found,) = only(cells([state(n) for n in SIZES]), ANBN)
    assert found.name == role


def test_a_line_position_is_counted_from_the_line_end_on() -> None:
    """Every character counts alike, but a line's end resets: the count is not the position."""
    drawn = np.random.default_rng(0)
    lines = ["".join(drawn.choice(list("abc"), drawn.integers(2, 9))) for _ in range(120)]
    texts = ["\n".join(lines[start : start + 10])[:50] for start in range(0, 120, 10)]
    states = [[float(len(text[: step + 1].rpartition("\n")[2])) for step in range(len(text))] for text in texts]
    (found,) = only(cells(states), texts)
    assert found.name == "counter"
    assert found.figures["slopes"] == {"a": 1, "b": 1, "c": 1}
    assert found.figures["resets"] == ["\n"]


def test_drift_and_the_first_failing_size_by_hand() -> None:
    """Each b takes 1.04 of what an a adds: after n the state is -0.04 n, and before the last b 1.04 more.

    The middle of both over n = 1..8 is (-0.04 * 4.5) + 1.04 / 2 = 0.34. The state before the last b is
    1.04 - 0.04 n, which falls below it beyond n = 17.5.
    """
    (found,) = only(cells([up_and_down(n, 1.0, 1.04) for n in SIZES]), ANBN, Failing(17, 40))
    assert found.figures["slopes"] == {"a": 1, "b": -1.04}
    assert found.figures["predicted_failing"] == 18
    assert (found.figures["observed_failing"], found.figures["largest_tried"]) == (17, 40)
    told = "comes back to one level; predicted to fail first at n = 18, observed: 17"
    assert found.evidence.endswith(told)


def test_a_count_that_does_not_come_back_is_told() -> None:
    """Each b takes 0.8: after 8 of each the state is 1.6, and before the last b of 1 it was 1."""
    (found,) = only(cells([up_and_down(n, 1.0, 0.8) for n in SIZES]), ANBN, Failing(None, 40))
    assert found.name == "counter"
    assert (found.figures["tells_the_last"], found.figures["predicted_failing"]) == (False, None)
    assert found.evidence.endswith("does not come back to one level")


def test_a_slope_that_falls_off_is_a_drift() -> None:
    """Half a step from the seventh a on: -50 % at counts above 6, against 2 to 4."""

    def state(n: int) -> list[float]:
        rising = [min(k, 6) + max(0, k - 6) / 2 for k in range(1, n + 1)]
        return [*rising, rising[-1], *rising[-2::-1], 0.0, 0.0]

    (found,) = only(cells([state(n) for n in SIZES]), ANBN)
    assert found.name == "counter"
    assert found.figures["drift"] == pytest.approx(-0.5, abs=1e-6)


def test_a_latch_that_characters_anywhere_set() -> None:
    """Inside brackets it is 1, outside 0."""
    drawn = np.random.default_rng(1)
    inside = [["".join(drawn.choice(list("abcd"), drawn.integers(1, 9))) for _ in range(6)] for _ in range(12)]
    texts = ["(" + "(".join(")".join(parts[start : start + 2]) for start in (0, 2, 4)) for parts in inside]
    states = [np.cumsum([(c == "(") - (c == ")") for c in text]).astype(float).tolist() for text in texts]
    (found,) = only(cells(states), texts)
    assert found.name == "latch"
    assert found.figures["holds"] == {"(": 1, ")": 0}


@pytest.mark.parametrize(("apart", "is_held"), [(1.0, True), (0.1, False)])
def test_a_trace_is_not_held(apart: float, is_held: bool) -> None:
    """Where nothing else varies at a position, the smallest difference is explained whole."""
    texts = [f"{state}{'x' * n}Y\n" for state in "AB" for n in SIZES]
    states = [[(text[0] == "A") * apart * (c != "\n") + (c == "Y") for c in text] for text in texts]
    assert ("latch" in [found.name for found in only(cells(states), texts)]) is is_held


def test_noise_has_no_role() -> None:
    drawn = np.random.default_rng(2)
    steps = sum(map(len, ANBN))
    values = drawn.normal(size=(40, steps)).astype(np.float32)
    found = certificates({"cell_state": values, "hidden_state": np.tanh(values)}, lay_out(ANBN))
    assert [role.name for roles in found for role in roles] == [None] * 40
    assert found[0][0].evidence.startswith("explained by count 0.")


@pytest.mark.parametrize(("values", "role"), [([0.0, 0.0, 0.0, 0.0, 2.5], "saturated"), ([0.0] * 5, "dead")])
def test_a_relu_ends_at_0_alone(values: list[float], role: str) -> None:
    """Beside a neuron that goes beyond 1, and so shows that this is no tanh."""
    drawn = np.random.default_rng(3)
    steps = sum(map(len, ANBN))
    own = np.zeros(steps) if role == "dead" else np.where(np.arange(steps) % 23 == 7, values[-1], 0.0)
    hidden = np.stack([own, drawn.uniform(0, 3, steps)]).astype(np.float32)
    found = certificates({"hidden_state": hidden}, lay_out(ANBN))
    assert [held.name for held in found[0]] == [role]
