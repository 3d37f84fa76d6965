"""Measures of how a signal follows a hypothesis: the words of the command line and of `scores.measure`."""

MEASURES = ("pearson", "spearman", "slope", "r_squared", "auc", "eta_squared", "mutual_information")
