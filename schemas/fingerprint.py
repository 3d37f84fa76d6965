"""A short digest of a value. Only what has one canonical form is accepted; anything else is refused."""

import hashlib
import json
import math

from blake3 import blake3


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, shortest floats.

    Raises TypeError for a value without a canonical form (a function, an object, a NaN): give the plain
    values that it stands for instead.
    """
    _refuse(value, "value")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(value: object) -> str:
    """Eight hexadecimal digits of SHA-256 over the canonical text.

    Among a hundred runs of one name, two share a fingerprint with odds of one in a million.
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:8]


def blake3_of(data: bytes) -> str:
    """The digest of a stored object's bytes, as `b3sum` prints it: a quarter of SHA-256's time (decision 19)."""
    return blake3(data).hexdigest()


def sha256(data: bytes) -> str:
    """The digest of what is no stored object: a text, a vocabulary, the weights that were given."""
    return hashlib.sha256(data).hexdigest()


def _refuse(value: object, where: str) -> None:
    if value is None or isinstance(value, bool | int | str):
        return

    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where} is {value}, which has no canonical form")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; only text keys have a canonical form")
            _refuse(item, f"{where}.{key}")
    else:
        raise TypeError(f"{where} is a {type(value).__name__}, which has no canonical form; give plain values")
