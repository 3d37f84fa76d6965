"""Text as SQL writes it."""


def quoted(text: str) -> str:
    """A text between quotes, those inside it doubled."""
    return "'" + text.replace("'", "''") + "'"
