import io

import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.rendering.passage import draw_passages, draw_scale, wrapped
from pipeline.rendering.picture import _draw_bars, _draw_hypothesis, draw_answer
from pipeline.rendering.terminal import (
    MIDDLE,
    NEGATIVE,
    POSITIVE,
    Scale,
    colour_of,
    coloured_text,
    format_table,
    scale_of,
)


def test_a_step_of_several_characters_colours_them_all() -> None:
    text = coloured_text(["ab", "\n", "", "cd"], [-2, 0, 1, 2], Scale(-2, 2), colour=False)
    assert text.splitlines() == ["ab⏎", "005", "cd", "99"]


def test_a_gate_runs_from_0_to_1_and_a_state_about_0() -> None:
    assert scale_of("forget_gate", 0.5) == scale_of("update_gate", 0.0) == Scale(0, 1)
    assert scale_of("cell_state", 3.0) == Scale(-3, 3)
    assert scale_of("hidden_state", 0.0) == Scale(-1, 1)


def test_colours_meet_at_white() -> None:
    state = Scale(-2, 2)
    assert [colour_of(value, state) for value in (-2, 0, 2)] == [NEGATIVE, MIDDLE, POSITIVE]
    assert [colour_of(value, Scale(0, 1)) for value in (0, 1)] == [MIDDLE, POSITIVE]


def test_negative_is_red_and_positive_is_blue() -> None:
    """As in "Exploring LSTMs"."""
    for value, strongest in ((-1.0, 0), (-0.3, 0), (0.3, 2), (1.0, 2)):
        colour = colour_of(value, Scale(-1, 1))
        assert colour[strongest] == max(colour) > sorted(colour)[1]
    assert colour_of(1.0, Scale(0, 1)) == POSITIVE, "an open gate"


def test_text_without_colour_shows_digits() -> None:
    text = coloured_text("ab\ncd", [-2, 0, 2, 1, -1], Scale(-2, 2), colour=False)
    assert text.splitlines() == ["ab⏎", "059", "cd", "72"]


def test_text_in_colour_keeps_every_character() -> None:
    text = coloured_text("aX\n", [-1, 0, 1], Scale(-1, 1), colour=True)
    assert text.count("\033[48;2;") == 3
    assert "\033[48;2;178;24;43m\033[38;5;15ma\033[0m" in text
    assert text.endswith("⏎\033[0m")


def test_a_table_is_aligned() -> None:
    table = pa.table({"name": ["a", "bcd"], "n": [1, None], "value": [0.5, 12345.678]})
    assert format_table(table).splitlines() == [
        "name  n  value",
        "────  ─  ───────",
        "a     1      0.5",
        "bcd      12345.7",
    ]
    assert format_table(table.slice(0, 0)).splitlines()[0] == "name  n  value"


def test_a_table_of_sentences_fits_its_room() -> None:
    table = pa.table(
        {"name": ["one", "a_name_of_some_length"], "says": ["a b " * 20, "x" * 50], "n": [1, 12345678]}
    )
    lines = format_table(table, room=60).splitlines()
    assert max(map(len, lines)) == 60
    assert lines[0].split() == ["name", "says", "n"]
    assert lines[2] == f"{'one':21}  {'a b ' * 6}a b  {1:8}"
    assert "".join(format_table(table.slice(1), room=60).split()).count("x") == 50
    assert format_table(table, room=500) == format_table(table)
    assert max(map(len, format_table(table, room=5).splitlines())) == 12 + 12 + 8 + 4, "as narrow as it gets"


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_an_answer_is_drawn(sized: bool, asked: bool) -> None:
    best = {"model": "m", "checkpoint": 7, "layer": 0, "neuron": 4, "signal": "cell_state"} if asked else None
    texts = [{"text": "aXb\n", "chars": list("aXb\n"), "values": [0.1, 0.5, -0.3, 0.0]}] if asked else []
    curve = [{"hypothesis_value": k, "mean": k, "low": k - 1, "high": k + 1} for k in range(3)]
    sizes = [{"model": "m", "size": k, "share": 1.0} for k in range(3)] if sized else []
    learning = [{"model": "m", "train_step": k, "bits_per_char": 2.0} for k in range(3)]
    data = draw_answer("run-1", best, texts, {"count_a": curve} if asked else {}, sizes, learning)
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG"
    assert picture.width > 1000
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"),
        (0.9999, "0.9999"),
        (0.99999996, "0.99999996"),
        (-0.9999999, "-0.9999999"),
        (1 - 2**-53, "0.9999999999999999"),
        (12.0000001, "12.0000001"),
        (123456.5, "123456.5"),
        (1e-9, "1e-09"),
        (0.123456789, "0.123457"),
        (2e10, "2e+10"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_no_fraction_is_shown_as_a_whole_number(value: float, shown: str) -> None:
    assert format_table(pa.table({"value": [value]})).splitlines()[2].strip() == shown


def test_a_yes_or_no_is_two_bars_and_a_gate_runs_from_0_to_1() -> None:
    """Whatever the values are: two pictures that differ in their heights alone have the same axes."""
    best = {"model": "m", "checkpoint": 7, "layer": 0, "neuron": 4, "signal": "forget_gate"}
    rows = [{"hypothesis_value": k, "mean": 0.4 + k / 10, "low": 0.35, "high": 0.6} for k in range(2)]
    texts = [{"text": "a", "chars": ["a"], "values": [0.4]}]
    axes = Figure().add_subplot()
    _draw_bars(axes, rows, ["no", "yes"])
    assert [bar.get_extents().height > 0 for bar in axes.patches] == [True, True]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["no", "yes"]

    pictures = [
        draw_answer("r", best, texts, {"is_x": rows}, [], [], scale=Scale(0, 1), yes_no=names)
        for names in ((), ["is_x"])
    ]
    assert pictures[0] != pictures[1]


def test_categories_are_bars_with_their_names() -> None:
    names = ["\n", "$a$", "b"]
    rows = [
        {"hypothesis_value": None, "category": name, "mean": 0.4 + place / 10, "low": 0.35, "high": 0.7}
        for place, name in enumerate(names)
    ]
    axes = Figure().add_subplot()
    _draw_hypothesis(axes, "forget_gate", "next_char", rows, yes_no=False)
    assert [
        bar.get_path().get_extents(bar.get_transform() - axes.transData).y1 for bar in axes.patches
    ] == pytest.approx([0.4, 0.5, 0.6])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["⏎", r"\$a\$", "b"]


def test_a_bar_tells_the_ends_of_the_scale() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    draw_scale(axes, Scale(-2.5, 2.5), "right")
    bar = figure.axes[-1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["-2.5", "0", "2.5"]


def test_lines_are_wrapped_behind_their_newlines() -> None:
    text = [(c, 0.0) for c in "ab\n\nabcdefg\nx"]
    assert ["".join(c for c, _ in line) for line in wrapped(text, 4)] == ["ab\n", "\n", "abcd", "efg\n", "x"]
    assert wrapped([], 4) == []


def test_a_passage_has_a_cell_a_character_in_its_colour() -> None:
    """Characters that the font lacks are drawn too, as a box."""
    texts = [[("a", -1.0), ("\N{FIRE}", 1.0), ("\n", 0.5)], [(" ", 1.0)] * 7]
    data = draw_passages("m L0/N0", texts, Scale(-1, 1), width=5)
    colours = {colour for _, colour in Image.open(io.BytesIO(data)).convert("RGB").getcolors(1 << 24) or []}
    assert {NEGATIVE, POSITIVE} <= colours
