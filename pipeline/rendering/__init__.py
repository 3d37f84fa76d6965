"""Answers that people rather look at: coloured text and pictures."""
