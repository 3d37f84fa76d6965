import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.dumping.precision import MANTISSA_BITS, round_mantissa

FLOATS = hnp.arrays(np.float32, st.integers(0, 30), elements=st.floats(width=32))


@given(FLOATS)
def test_bfloat16_is_torchs(values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    expected = torch.from_numpy(finite.copy()).bfloat16().float().numpy()
    np.testing.assert_array_equal(round_mantissa(finite, "bfloat16"), expected)


@given(hnp.arrays(np.float32, 20, elements=st.floats(0.0001220703125, 60000, width=32)))
def test_half_is_numpys_float16_in_its_range(values: np.ndarray) -> None:
    np.testing.assert_array_equal(round_mantissa(values, "half"), values.astype(np.float16).astype(np.float32))


@given(FLOATS, st.sampled_from(list(MANTISSA_BITS)))
def test_rounding_is_close_idempotent_and_keeps_what_is_no_number(values: np.ndarray, precision: str) -> None:
    rounded = round_mantissa(values, precision)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(round_mantissa(rounded, precision), rounded)
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(values))
    np.testing.assert_array_equal(np.signbit(rounded), np.signbit(values))
    normal = np.isfinite(values) & np.isfinite(rounded) & (np.abs(values) >= np.finfo(np.float32).tiny)
    error = np.abs(rounded[normal].astype(float) - values[normal]) / np.abs(values[normal].astype(float))
    assert (error <= 2.0 ** -(MANTISSA_BITS[precision] + 1)).all()


def test_exact_is_untouched() -> None:
    values = np.array([1 / 3], np.float32)
    assert round_mantissa(values, "exact") is values
    assert round_mantissa(values, "half")[0] == pytest.approx(0.33325195)
