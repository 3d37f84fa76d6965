"""The lake at rest: the one room where files are opened."""
