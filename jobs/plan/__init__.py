"""`--plan`: what a run would cost, from a trial and from ratios."""
