"""How far beyond its training sizes a model is right."""
