"""Hypotheses: small functions of the text that give a value for each step."""
