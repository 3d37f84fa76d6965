"""Networks: the cells with their equations, the character model, its files."""
