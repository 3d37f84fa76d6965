"""A warning at the line that asked, rather than at the line of ours that noticed."""

import sys
import warnings
from pathlib import Path

_OURS = tuple(str(Path(__file__).parents[2] / name) + "/" for name in ("pipeline", "jobs", "schemas"))


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line that is not ours, however often: Python tells each line's warning only once."""
    frame = sys._getframe(1)  # noqa: SLF001  # inspect's stack reads the source of every frame
    while frame.f_back and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    place = frame.f_globals.get("__name__", "")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, place, registry={})
