import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.matching.moments import Moments, correlations, moments_of

VALUES = st.integers(-9, 9).map(float)


@st.composite
def sides(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    steps = draw(st.integers(2, 30))
    return (
        draw(hnp.arrays(np.float64, (steps, 3), elements=VALUES)),
        draw(hnp.arrays(np.float64, (steps, 2), elements=VALUES)),
    )


def by_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        r: np.ndarray = np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :]
    return r


@given(sides())
def test_correlations_are_numpys_and_nan_where_a_side_never_changes(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = drawn
    r = correlations(moments_of(a, b))
    changes = np.outer((a != a[0]).any(0), (b != b[0]).any(0))
    assert (np.isnan(r) == ~changes).all()
    assert r[changes] == pytest.approx(by_numpy(a, b)[changes], abs=1e-12)


@given(sides(), st.data())
def test_moments_of_parts_add_up_to_those_of_the_whole(
    drawn: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    a, b = drawn
    cuts = sorted(data.draw(st.sets(st.integers(1, len(a) - 1), max_size=4)))
    parts = [moments_of(x, y) for x, y in zip(np.split(a, cuts), np.split(b, cuts), strict=True)]
    parts = data.draw(st.permutations(parts))
    forwards = parts[0]
    for part in parts[1:]:
        forwards = forwards.add(part)
    backwards = parts[-1]
    for part in parts[-2::-1]:
        backwards = part.add(backwards)
    for found in (forwards, backwards):
        assert_same(found, moments_of(a, b))


def assert_same(found: Moments, whole: Moments) -> None:
    assert found.steps == whole.steps
    assert found.product == pytest.approx(whole.product, abs=1e-9)
    for side, other in ((found.a, whole.a), (found.b, whole.b)):
        for own, theirs in zip(vars(side).values(), vars(other).values(), strict=True):
            assert own == pytest.approx(theirs, abs=1e-9)


def test_nothing_is_lost_far_from_0() -> None:
    """A state of 30,000 that moves by a thousandth: raw squares in float64 would leave four digits of r."""
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(4000, 3)), draw.normal(size=(4000, 2))
    b[:, 0] += a[:, 1]
    far = [moments_of(3e4 + 1e-3 * x, 3e4 + 1e-3 * y) for x, y in zip(np.split(a, 8), np.split(b, 8), strict=True)]
    found = far[0]
    for part in far[1:]:
        found = found.add(part)
    assert correlations(found) == pytest.approx(by_numpy(a, b), abs=1e-7)


def test_a_constant_in_parts_is_a_constant() -> None:
    a, b = np.full((6, 1), np.float32(0.1)), np.arange(6.0)[:, None]
    assert np.isnan(correlations(moments_of(a[:2], b[:2]).add(moments_of(a[2:], b[2:])))).all()


@pytest.mark.parametrize(("steps", "others"), [(3, 4), (0, 0)])
def test_sides_of_different_lengths_or_none_are_refused(steps: int, others: int) -> None:
    with pytest.raises(ValueError, match=f"{steps} and {others} steps"):
        moments_of(np.zeros((steps, 2)), np.zeros((others, 2)))
