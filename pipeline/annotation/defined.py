"""A hypothesis of the user's own: a Python function, compiled from source text that travels with the run."""

import math
import reprlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pipeline.annotation.dependence import source_of
from pipeline.annotation.hypotheses import Hypothesis
from pipeline.annotation.values import Values, names_categories
from schemas.errors import UsageError
from schemas.fingerprint import fingerprint
from schemas.score_settings import Definition

TRIED = "a (b)\n\n"  # what a function is tried on before anything is trained


def defined_hypothesis(definition: Definition) -> Hypothesis:
    """The hypothesis that a definition by a Python function makes.

    Raises UsageError when its file is no Python or has no such function. The hypothesis raises one when the
    function fails, or does not give a number, bool, text or None for each character, or mixes text and numbers.
    """
    function = _compiled(definition)

    def _checked_values(text: str) -> Values:
        try:
            values = list(function(text))
        except MemoryError:  # says more of this machine than of the function
            raise
        except Exception as error:  # noqa: BLE001  # it is someone else's code
            reason = f"{type(error).__name__}: {error}"
            raise UsageError(f"{_where(definition)} fails with {reason} on {text[:20]!r} …") from None
        if len(values) != len(text):
            raise UsageError(f"{_where(definition)} gives {len(values)} values for {len(text)} characters")
        checked = [_checked(value, definition) for value in values]
        names_categories(checked, _where(definition))
        return checked

    return Hypothesis(_checked_values, "yes_no" if definition.yes_no else None)


def definition_digest(definition: Definition) -> str:
    """What decides the values of a definition: of its Python file what the function depends on, and no more."""
    function = definition.python.rpartition(":")[2]
    source = source_of(function, definition.source) if function else ""
    return fingerprint({**definition.model_dump(), "source": source})


def try_definition(definition: Definition) -> None:
    """Raise UsageError for a function that fails on a short text, or on none."""
    hypothesis = defined_hypothesis(definition)
    for text in (TRIED, ""):
        hypothesis.of(text, "plain")


def _compiled(definition: Definition) -> Callable[[str], Any]:
    path, _, name = definition.python.rpartition(":")
    module = ModuleType("hypotheses_of_the_user")
    sys.modules[module.__name__] = module  # as an import does: dataclasses look there
    namespace = vars(module)

    try:
        exec(compile(definition.source, path, "exec"), namespace)  # noqa: S102  # the user's own file
    except Exception as error:  # noqa: BLE001  # it is someone else's code
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from None

    if not callable(namespace.get(name)):
        functions = [key for key, value in namespace.items() if callable(value) and key[0] != "_"]
        raise UsageError(f"{path} has no function {name!r}; it has {', '.join(functions) or 'none'}")
    function: Callable[[str], Any] = namespace[name]
    return function


def _checked(value: object, definition: Definition) -> float | str | None:
    if hasattr(value, "item"):  # of NumPy
        value = value.item()
    if value is None:
        return None
    given = value if isinstance(value, str) else _number(value)
    if given is None or (isinstance(given, str) and not _is_storable(given)):
        raise UsageError(f"{_where(definition)} gives {_shown(value)}: a number, bool, text or None is needed")
    if definition.yes_no and given not in (0, 1):
        raise UsageError(
            f"{_where(definition)} gives {_shown(value)}, and yes_no = true says that it gives 0 or 1"
        )
    return given


def _number(value: object) -> float | None:
    """A finite number as a float; None of anything else."""
    try:
        number = float(value) if isinstance(value, bool | int | float) else math.nan
    except OverflowError:  # of an int
        return None
    return number if math.isfinite(number) else None


def _is_storable(text: str) -> bool:
    """Whether it has a form in UTF-8: half of a surrogate pair has none."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _shown(value: object) -> str:
    """A value on one line, and not at any length."""
    return reprlib.repr(value)


def _where(definition: Definition) -> str:
    return f"{definition.name} ({definition.python})"
