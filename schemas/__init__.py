"""Nouns at rest: tables, stages, settings, documents. Importing it imports nothing else."""

FORMAT_VERSION = 7


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"Unrolled's package `schemas` has no {name!r}; a schemas.py of your own needs another name"
    )
