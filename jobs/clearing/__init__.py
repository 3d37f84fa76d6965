"""Removing a run, and clearing up what no run needs."""
