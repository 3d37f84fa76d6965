"""Speed and memory of the main path, against the plain tool for the same work. `make bench` writes their page.

Two sides of a comparison run alternately in one process, so that both meet the same noise: read the ratios.
Nothing here is a test: a slow machine fails no benchmark.
"""
