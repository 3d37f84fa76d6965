"""The page of findings: made from tiny runs, and what it says of counts that are known."""

from pathlib import Path

import pytest

from pipeline.queries.question import claims
from tests.findings.__main__ import EXPERIMENTS, main
from tests.findings.asking import Finding, other_thresholds
from tests.findings.page import figure, reading, spread


@pytest.mark.slow
def test_the_page_is_made_from_runs(tmp_path: Path) -> None:
    """On networks that have learnt nothing: that everything is asked, not what it says."""
    out = tmp_path / "findings.md"
    main(["--quick", "--out", str(out)])
    text = out.read_text()
    for experiment in EXPERIMENTS:
        assert f"## {experiment}\n" in text
    for name, claim in claims().items():
        assert text.count(f"### {claim.claim}\n") == len(claim.tasks)
        assert text.count(f"({'../pipeline/queries/'}{name}.sql)") == len(claim.tasks)
    assert "| `count_a` | pearson |" in text
    assert "| `is_separator` | auc |" in text
    assert "| `slope_a` |" in text
    assert "Held in none of 2 networks" in text


# The reading of counts that are as high before training.
LITTLE = "it does not tell what was learnt"


def finding(held: int, before: int, elsewhere: list[int]) -> Finding:
    trained, untrained = ([{"held": n < count} for n in range(8)] for count in (held, before))
    return Finding("claims/counts", trained, untrained, elsewhere)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            finding(8, 0, [8, 8]),
            "Held in all 8 networks, and in none before training. Other thresholds change nothing.",
        ),
        (
            finding(0, 0, [0, 2]),
            "Held in none of 8 networks. With other thresholds in 0 to 2: they matter little.",
        ),
        (
            finding(6, 1, [2, 7]),
            "Held in 6 of 8 networks, and in 1 before training. With other thresholds in 2 to 7: they decide.",
        ),
        (
            finding(8, 5, []),
            f"Held in all 8 networks, and in 5 before training: {LITTLE}. It has no threshold.",
        ),
    ],
)
def test_a_reading_follows_from_the_counts(asked: Finding, said: str) -> None:
    assert reading(asked) == said


def test_other_thresholds_are_half_and_double_the_odds() -> None:
    assert other_thresholds({}) == []
    (low, high) = (one["closed"] for one in other_thresholds({"closed": 0.1}))
    assert (low, high) == pytest.approx((1 / 19, 2 / 11))
    both = other_thresholds({"fires": 0.5, "silent": 0.1})
    assert len(both) == 8
    assert {"fires": 0.5, "silent": 0.1} not in both


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.0, "0"),
        (0.99996, "0.99996"),
        (0.5, "0.500"),
        (0.0001, "0.0001"),
        (-2.25, "-2.250"),
        (1e-12, "0.000"),
    ],
)
def test_no_fraction_looks_whole(value: float, text: str) -> None:
    assert figure(value) == text


def test_what_is_undefined_is_counted() -> None:
    assert spread([0.5, None, 0.25, 0.75]) == "0.500 (0.250–0.750, 1 undefined)"
    assert spread([None, None]) == "undefined"
