r"""Texts and their tokens: the vocabulary "\nXab" gives a the token 2."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from schemas.errors import UsageError
from schemas.fingerprint import canonical, sha256

LACKS = "which training never saw"
NETWORK_LACKS = "which the network's vocabulary lacks: leave its file out, or name the network's own tokenizer"

_SHOWN = 8  # texts, where a vocabulary is printed


@dataclass(frozen=True)
class Vocabulary:
    """What each token stands for: a character, or a piece of text where a network has a tokenizer of its own."""

    characters: Sequence[str]  # in the order of their tokens; they differ
    tokenizer: Callable[[str], Sequence[int]] | None = None  # None: a token a character
    lacks: str = LACKS  # what to say and type when a text holds something else
    unknown: str | None = None  # the character that others are read as; None: they are refused
    _tokens: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "characters", tuple(self.characters))
        object.__setattr__(self, "_tokens", {c: token for token, c in enumerate(self.characters)})
        if len(self._tokens) < len(self.characters):
            twin = next(c for token, c in enumerate(self.characters) if self._tokens[c] != token)
            raise ValueError(f"a vocabulary's characters differ, and {twin!r} is there twice")

    def __repr__(self) -> str:
        """Its first texts: a tokenizer's are tens of thousands."""
        more = ", …" if len(self) > _SHOWN else ""
        return f"<Vocabulary of {len(self)}: {', '.join(map(repr, self.characters[:_SHOWN]))}{more}>"

    def __len__(self) -> int:
        """Its number of tokens."""
        return len(self.characters)

    @cached_property
    def _by_code_point(self) -> np.ndarray:
        """The token of each code point, int32, -1 where there is none."""
        codes = {ord(text): token for text, token in self._tokens.items() if len(text) == 1}
        tokens = np.full(max(codes, default=0) + 2, -1, np.int32)
        tokens[list(codes)] = list(codes.values())
        return tokens

    @property
    def digest(self) -> str:
        """Of its texts, in order."""
        return sha256(canonical(self.characters).encode())

    def encode(self, text: str, where: str) -> np.ndarray:
        """The tokens of a text, int32 (steps,).

        Raises UsageError for a character, or a tokenizer's token, that the vocabulary lacks; `where` says whose
        text it is.
        """
        if self.tokenizer:
            return self.checked(_tokenized(self.tokenizer, text, where), f"{where}: the tokenizer")

        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        tokens = self._by_code_point.take(codes, mode="clip")  # the last place is no character's
        if self.unknown is not None:
            tokens = np.where(tokens < 0, np.int32(self._tokens[self.unknown]), tokens)
        elif len(tokens) and tokens.min() < 0:
            raise UsageError(f"{where} holds the character {text[int(tokens.argmin())]!r}, {self.lacks}")
        return tokens

    def checked(self, tokens: Sequence[int], where: str) -> np.ndarray:
        """Tokens as int32 (steps,). Raises UsageError when there are none, or some the vocabulary lacks."""
        try:
            given = np.asarray(tokens)
        except (TypeError, ValueError):
            given = np.empty((), object)

        if given.ndim != 1 or not len(given) or given.dtype.kind not in "iu":
            raise UsageError(
                f"{where} gave {str(tokens)[:60]!r}: a list of at least one token (a whole number) is needed"
            )

        strange = given[(given < 0) | (given >= len(self))]
        if len(strange):
            raise UsageError(
                f"{where} gave the token {strange[0]}, and the vocabulary has 0 to {len(self) - 1}: "
                "give the vocabulary that the network was trained with"
            )
        return given.astype(np.int32)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens (steps,)."""
        return "".join(self.characters[token] for token in tokens)


def _tokenized(tokenizer: Callable[[str], Sequence[int]], text: str, where: str) -> Sequence[int]:
    try:
        return tokenizer(text)
    except Exception as error:  # noqa: BLE001  # it is someone else's code
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{where}: the tokenizer fails with {reason}") from None


def parse_vocabulary(data: bytes, name: str) -> tuple[str, ...]:
    """The texts of a vocabulary file, in the order of their tokens.

    Three forms are read: {"characters": "…"} or {"characters": ["…", …]}, ours; a list of texts; {"text": token}.
    Raises UsageError that names the file and what is wrong with it.
    """
    try:
        document = json.loads(data)
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}") from None
    return vocabulary_of_document(document, name)


def vocabulary_of_document(document: object, name: str) -> tuple[str, ...]:
    """The texts in the order of their tokens, from any of the three forms as plain values; errors as above."""
    if isinstance(document, Mapping) and isinstance(document.get("characters"), str | list):
        document = document["characters"]
    if isinstance(document, Mapping):
        document = _by_token(document, name)

    if not isinstance(document, Sequence) or not document or any(not isinstance(text, str) for text in document):
        raise UsageError(f'{name} is no vocabulary: {{"characters": "…"}}, a list of texts, or {{"text": token}}')
    try:
        return tuple(Vocabulary(document).characters)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _by_token(document: Mapping[object, object], name: str) -> list[object]:
    """The texts of {"text": token}, in the order of their tokens."""
    tokens = {text: token for text, token in document.items() if isinstance(token, int)}
    if len(tokens) < len(document) or any(isinstance(token, bool) for token in tokens.values()):
        raise UsageError(f'{name} must give each text its token: {{"a": 0, "b": 1}}')

    missing = set(range(len(tokens))) - set(tokens.values())
    if missing:
        raise UsageError(f"{name} has {len(tokens)} texts and none for token {min(missing)}: tokens are 0, 1, 2 …")
    return sorted(tokens, key=tokens.__getitem__)


def format_vocabulary(characters: Sequence[str]) -> bytes:
    """A vocabulary file that `parse_vocabulary` reads: one text where every token is a character, else a list."""
    joined = "".join(characters)
    plain = joined if all(len(text) == 1 for text in characters) else list(characters)
    return (json.dumps({"characters": plain}) + "\n").encode()
