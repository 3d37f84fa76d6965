"""What can go wrong, each with its exit code. A message says what is wrong and what to type."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class UnrolledError(Exception):
    """An error that a person can act on; shown as one or two lines, without a traceback."""

    exit_code = 1


class UsageError(UnrolledError, ValueError):
    """A wrong word, setting or input."""

    exit_code = 2


class PiecesFailedError(UnrolledError):
    """Some pieces of a stage failed, so its manifest is withheld; the same command resumes it."""

    exit_code = 3


class LeaseError(UnrolledError):
    """Another driver works on the run."""

    exit_code = 4


class AuditError(UnrolledError):
    """What was computed, or what is stored, does not obey the cell's own equations."""

    exit_code = 3


class StorageError(UnrolledError):
    """The lake cannot be read or written, or holds bytes that do not match their digest."""

    exit_code = 5


class StorageUnavailableError(StorageError):
    """The store did not answer, or asked to be left alone for a while: trying again may help."""


class IncompleteWarning(UserWarning):
    """An answer has fewer rows than it will have: a run that it is about is not finished."""


class NotReadyError(UnrolledError):
    """Something that a run needs is missing, or the store at its root is not fit for a lake."""

    exit_code = 5


def unknown(kind: str, word: Any, known: Iterable[Any], short: Iterable[str] = ()) -> UsageError:
    """The error for an unknown name or number: the nearest known name, then all of them in their order.

    `short` are other names that would do, not listed but told when one of them is the nearest.
    """
    names = sorted(known)
    words = [*short, *(name for name in names if isinstance(name, str))]
    hint = did_you_mean(word, words) if isinstance(word, str) else ""
    return UsageError(f"unknown {kind} {word!r}: {hint}known: {', '.join(map(str, names)) or 'none'}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word as a question, with a space behind it; empty when none is near."""
    near = nearest(word, known)
    return f"did you mean {near!r}? " if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like one that is not known; empty when none is like it."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)), "")


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
