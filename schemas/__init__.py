"""Nouns at rest: tables, stages, settings, documents. Importing it imports nothing else."""

FORMAT_VERSION = 5
