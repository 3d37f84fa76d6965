"""An object's own digest, so that what a killed writer left is told from what has rotted since.

A shard has it in its footer, a checkpoint's weights in their header. A manifest lists digests too, but only once a
piece is done; until then nobody else knows them. The digest is of the whole file with zeros in its own place.
"""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from schemas.fingerprint import blake3_of

DIGEST = "unrolled.blake3"  # a key of the footer's metadata, the last one
BLANK = "0" * 64
_OF_WEIGHTS = re.compile(rb'"unrolled\.blake3":"([0-9a-f]{64})"')


def footer_bytes(end: bytes) -> int:
    """How long a shard's footer is with its length and the magic word, by the shard's last bytes."""
    return int.from_bytes(end[-8:-4], "little") + 8


def footer_digest(end: bytes) -> str:
    """The BLAKE3 of a shard's footer; as the footer holds the shard's own digest, no two shards share one.

    Args:
        end: the shard's last bytes, at least its footer.
    """
    return blake3_of(end[-footer_bytes(end) :])


def with_digest(end: bytes, before: blake3) -> bytes:
    """The end of a shard, footer and all, with the digest where BLANK is.

    Args:
        end: its last bytes.
        before: the BLAKE3 of those before them; it stays as it is.
    """
    whole = before.copy()
    whole.update(end)
    head, _, tail = end.rpartition(BLANK.encode())
    return head + whole.hexdigest().encode() + tail


def is_whole(data: bytes) -> bool:
    """Whether a shard holds what its writer wrote, to the bit."""
    try:
        digest = (pq.read_metadata(pa.BufferReader(data)).metadata or {}).get(DIGEST.encode(), b"")
    except (pa.ArrowInvalid, OSError):
        return False
    head, found, tail = data.rpartition(digest) if digest else (b"", b"", b"")
    return bool(found) and _is_of(digest, head, tail)


def weights_with_digest(data: bytes) -> bytes:
    """A safetensors file with its digest among its metadata, which its readers pass over."""
    length = int.from_bytes(data[:8], "little")
    header = {"__metadata__": {DIGEST: BLANK}, **json.loads(data[8 : 8 + length])}
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    head, blank, tail = (len(told).to_bytes(8, "little") + told + data[8 + length :]).partition(BLANK.encode())
    return head + blake3_of(head + blank + tail).encode() + tail


def weights_are_whole(data: bytes) -> bool:
    """Whether a file is what `weights_with_digest` gave, to the bit."""
    found = _OF_WEIGHTS.search(data)
    return found is not None and _is_of(found[1], data[: found.start(1)], data[found.end(1) :])


def _is_of(digest: bytes, head: bytes, tail: bytes) -> bool:
    return blake3_of(head + BLANK.encode() + tail).encode() == digest
