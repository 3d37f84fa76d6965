"""Roles of neurons, each with its evidence: a counter, a latch, a copier, a switch, a clock, dead or saturated."""
