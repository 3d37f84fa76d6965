"""Secrets, told by how they look or by the variable that holds them, and hidden wherever text is shown.

    AKIAIOSFODNN7EXAMPLE                        ***
    s3://key:secret@bucket/lake                 s3://***@bucket/lake
    https://token@example.org/x                 https://***@example.org/x
    …?X-Amz-Signature=0f3c…&X-Amz-Expires=60    …?X-Amz-Signature=***&X-Amz-Expires=60

Nothing of ours holds one by design; this is for what libraries put into their errors and logs.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from schemas.errors import UsageError

HIDDEN = "***"
SHORTEST = 8  # characters of a variable's value or a token: less is a switch or a number, not a secret

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN(?!IZ|S)|ACCESS_?KEY|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE
)
_PLACE_NAME = re.compile(r"(FILE|PATH|DIR|URI|URL|PROVIDER)$", re.IGNORECASE)  # tells where one lies
_SIGNS = r"x-(?:amz|goog)-(?:signature|credential|security-token)|signature"
_PAIR = r"(?:password|passwd|secret|access_?key|api_?key|private_?key)[\w-]*"
_KEY = r"(?<![a-z0-9])token"
_TABLE_COLUMN = r"[a-z_]\w*\.[a-z_]"  # a.token=b.token in SQL: `token` is a column of ours
_IN_QUOTES = r"['\"]?\s*[:=]\s*b?['\"]"  # from a name to the value: 'name': b'…, name = "…
_BARE = r"[^\s,;&'\"<>)}\]]"

# Each keeps its first group and hides the rest.
_PATTERNS = [
    # Access key ids of AWS, lasting and temporary.
    re.compile(r"()(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    # A header up to its end: the quote that closes it, or the line.
    re.compile(rf"(\bauthorization{_IN_QUOTES})[^'\"\n]+", re.IGNORECASE),
    re.compile(r"(\bauthorization\s*+[:=]\s*+)(?!['\"])[^\n]+", re.IGNORECASE),
    re.compile(r"(\bBearer\s+)[\w.~+/=-]{16,}"),
    # What signs a request: in a URL, as a header, in the text of a header.
    re.compile(rf"(\b(?:{_SIGNS}){_IN_QUOTES})[^'\"\n]+", re.IGNORECASE),
    re.compile(rf"(\b(?:{_SIGNS})\s*[:=]\s*){_BARE}+", re.IGNORECASE),
    re.compile(rf"([?&]sig=){_BARE}+"),
    # scheme://user:password@host. A secret key of AWS may hold slashes; elsewhere 9000/… is a port and a path.
    re.compile(r"(\bs3[an]?://)[^\s/@:'\"]*:[^\s'\"]*(?=@)", re.IGNORECASE),
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@:'\"]*:(?!\d{1,5}[/?#])[^\s'\"]*(?=@)", re.IGNORECASE),
    # scheme://token@host. Short ones are users' names, and Azure's addresses have a container there.
    re.compile(r"(\bs3[an]?://)[^\s/@:'\"]+(?=@)", re.IGNORECASE),
    re.compile(
        rf"(\b(?!abfss?:|wasbs?:)[a-z][a-z0-9+.-]{{0,20}}://)[^\s/@:'\"]{{{SHORTEST},}}(?=@)", re.IGNORECASE
    ),
    # name=value, name = "value", 'name': 'value'.
    re.compile(rf"({_PAIR}{_IN_QUOTES})[^'\"\n]+", re.IGNORECASE),
    re.compile(rf"({_PAIR}\s*=\s*)(?!None\b){_BARE}+", re.IGNORECASE),
    re.compile(rf"({_KEY}{_IN_QUOTES})[^'\"\n]{{{SHORTEST},}}", re.IGNORECASE),
    re.compile(rf"({_KEY}=)(?!{_TABLE_COLUMN}){_BARE}{{{SHORTEST},}}", re.IGNORECASE),
]


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text with its secrets hidden; without any, the text as it is.

    Args:
        text: what is about to be shown, logged or stored.
        environment: variables; the values of those whose names tell of a secret are hidden wherever they stand.
    """
    for value in secret_values(environment):
        text = text.replace(value, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, rather than the place of one."""
    return bool(_SECRET_NAME.search(name)) and not _PLACE_NAME.search(name)


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """What variables with such names hold, as it is and as it stands in a URL; the longest first."""
    values = {value for name, value in environment.items() if is_secret_name(name) and len(value) >= SHORTEST}
    return sorted(values | {quote(value, safe="") for value in values}, key=lambda value: (-len(value), value))


def refuse_secret(value: object, where: str) -> None:
    """Raise UsageError when a text, or one inside a list or section, holds a secret that would be stored.

    Args:
        value: a setting, a section of them, or an address.
        where: what to call it in the message.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            refuse_secret(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_secret(inner, where)
    elif isinstance(value, str) and redact(value) != value:
        raise UsageError(
            f"{where} holds a secret ({redact(value)}), which a lake would show to all its readers: leave it out; "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where unrolled runs"
        )
