"""Fewer mantissa bits in a float32, for smaller shards that every reader still sees as FLOAT."""

import numpy as np

MANTISSA_BITS = {"exact": 23, "half": 10, "bfloat16": 7}


def round_mantissa(values: np.ndarray, precision: str) -> np.ndarray:
    """Round float32 values to a precision's mantissa bits, ties to even; infinities and NaN stay.

    The relative error of a normal value is at most 2 ** -(bits + 1): 0.05 % for half, 0.4 % for bfloat16. The
    exponent keeps its 8 bits, so nothing overflows that did not before (save within half a unit of the largest).
    """
    dropped = MANTISSA_BITS["exact"] - MANTISSA_BITS[precision]
    if dropped == 0:
        return values

    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits >> np.uint32(dropped)
    rounded &= np.uint32(1)  # of an odd last kept bit, so that a tie goes up to an even one
    rounded += np.uint32((1 << (dropped - 1)) - 1)
    rounded += bits
    rounded &= np.uint32(-(1 << dropped) & 0xFFFFFFFF)

    finite = np.isfinite(values)
    if not finite.all():
        return np.where(finite, rounded.view(np.float32), values)
    return rounded.view(np.float32)
