"""Documents of `_meta`, each with the digest of what it says, so that a damaged one is never believed."""

import json
from typing import TypeVar

from blake3 import blake3
from pydantic import BaseModel, ValidationError

from schemas.errors import StorageError
from schemas.fingerprint import blake3_of, canonical

Document = TypeVar("Document", bound=BaseModel)
_DIGEST = "blake3"
_STATE = b"unrolled state 1"


def seal(document: BaseModel) -> bytes:
    """A document as JSON, with the BLAKE3 of its canonical text as one more key."""
    says = document.model_dump(mode="json")
    return (json.dumps({**says, _DIGEST: _digest(says)}, indent=1) + "\n").encode()


def unseal(kind: type[Document], data: bytes) -> Document:
    """The document of some bytes. Raises StorageError when they are damaged."""
    try:
        says = json.loads(data)
        if says.pop(_DIGEST) == _digest(says):
            return kind.model_validate(says)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        pass
    raise StorageError("its digest does not match") from None


def seal_state(data: bytes) -> bytes:
    """A state to resume from, behind its digest."""
    return _STATE + blake3(data).digest() + data


def unseal_state(sealed: bytes) -> bytes | None:
    """The state, None when it is damaged: the work is then begun again."""
    start, digest, data = sealed[: len(_STATE)], sealed[len(_STATE) : len(_STATE) + 32], sealed[len(_STATE) + 32 :]
    return data if start == _STATE and digest == blake3(data).digest() else None


def _digest(says: dict[str, object]) -> str:
    return blake3_of(canonical(says).encode())
