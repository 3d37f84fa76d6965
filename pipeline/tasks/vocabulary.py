r"""Characters and their indices: the vocabulary "\nXab" gives a the token 2."""

from dataclasses import dataclass, field

import numpy as np

from schemas.errors import UsageError


@dataclass(frozen=True)
class Vocabulary:
    """The characters that training saw, sorted; a character's token is its place."""

    characters: str
    _tokens: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if list(self.characters) != sorted(set(self.characters)):
            raise ValueError("a vocabulary's characters are sorted and differ")
        object.__setattr__(self, "_tokens", {c: token for token, c in enumerate(self.characters)})

    def __len__(self) -> int:
        """Its number of characters."""
        return len(self.characters)

    def encode(self, text: str, where: str) -> np.ndarray:
        """The tokens of a text, int32 (characters,).

        Raises UsageError for a character that is not in the vocabulary; `where` says whose text it is.
        """
        try:
            return np.array([self._tokens[character] for character in text], dtype=np.int32)
        except KeyError as error:
            raise UsageError(
                f"{where} holds the character {error.args[0]!r}, which training never saw: give more training "
                'sequences or leave its file out (outside ASCII, task.not_ascii = "replace" helps too)'
            ) from None

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens (characters,)."""
        return "".join(self.characters[token] for token in tokens)
