"""The distinct texts that a network read, laid end to end, and what the roles ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Texts:
    """T different texts of N steps in all. A character is a token's text, so it may be several letters."""

    alphabet: tuple[str, ...]  # every character, in order
    codes: np.ndarray  # (N,) int64: the character read at each step, as its place in the alphabet
    offsets: np.ndarray  # (T + 1,) int64: text t is codes[offsets[t]:offsets[t + 1]]
    determined: np.ndarray  # (N,) bool: what has been read leaves one right next character

    def __len__(self) -> int:
        """Their number."""
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """Steps of each text, (T,) int64."""
        return np.diff(self.offsets)

    @cached_property
    def text(self) -> np.ndarray:
        """The text that each step belongs to, (N,) int64."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def position(self) -> np.ndarray:
        """Each step's place in its text, from 0, (N,) int64."""
        position: np.ndarray = np.arange(len(self.codes)) - self.offsets[self.text]
        return position

    @cached_property
    def following(self) -> np.ndarray:
        """The next character of each step, as its place in the alphabet, (N,) int64; -1 at a text's last step."""
        following = np.append(self.codes[1:], -1)
        following[self.offsets[1:] - 1] = -1
        return following

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each text holds each character, (T, characters) int64."""
        width = len(self.alphabet)
        return np.bincount(self.text * width + self.codes, minlength=len(self) * width).reshape(-1, width)

    def at(self, place: int) -> np.ndarray:
        """The character of each text at a place, (T,) int64; -1 where the text is shorter."""
        there = np.minimum(self.offsets[:-1] + place, len(self.codes) - 1)
        return np.where(place < self.lengths, self.codes[there], -1)

    def before(self, states: np.ndarray) -> np.ndarray:
        """The states one step before, 0 before a text's first step, of states (neurons, N)."""
        shifted = np.zeros_like(states)
        shifted[:, 1:] = states[:, :-1]
        shifted[:, self.offsets[:-1]] = 0
        return shifted


def lay_out(texts: Sequence[Sequence[str]], determined: Sequence[Sequence[bool]] | None = None) -> Texts:
    """Texts from their characters; each must come once.

    Args:
        texts: the characters of each; a string is one too.
        determined: for each step of each text; none is when it is left out.
    """
    alphabet = tuple(sorted({character for text in texts for character in text}))
    places = {character: place for place, character in enumerate(alphabet)}
    codes = np.array([places[character] for text in texts for character in text], np.int64)
    offsets = np.cumsum([0, *map(len, texts)])
    known = [flag for text in determined for flag in text] if determined else [False] * len(codes)
    return Texts(alphabet, codes, offsets, np.array(known, bool))
