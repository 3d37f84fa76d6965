"""A number as people read it, in a terminal and in a notebook."""

import math


def shown_number(value: float) -> str:
    """Six digits, or as many as it takes for what is no whole number not to look like one: 0.9999999 is not 1."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    whole = not math.isfinite(value) or value.is_integer()
    return next(text for text in texts if whole or not float(text).is_integer())
