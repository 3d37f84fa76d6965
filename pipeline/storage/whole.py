"""A shard's own digest, in its footer, so that what a killed writer left is told from what has rotted since.

A manifest lists a shard's digest too, but only once its piece is done; until then nobody else knows it. The digest
is of the whole file with zeros in its own place.
"""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq

DIGEST = "unrolled.sha256"  # a key of the footer's metadata, the last one
BLANK = "0" * 64


def footer_bytes(end: bytes) -> int:
    """How long a shard's footer is with its length and the magic word, by the shard's last bytes."""
    return int.from_bytes(end[-8:-4], "little") + 8


def footer_digest(end: bytes) -> str:
    """The SHA-256 of a shard's footer; as the footer holds the shard's own digest, no two shards share one.

    Args:
        end: the shard's last bytes, at least its footer.
    """
    return hashlib.sha256(end[-footer_bytes(end) :]).hexdigest()


def with_digest(end: bytes, before: "hashlib._Hash") -> bytes:
    """The end of a shard, footer and all, with the digest where BLANK is.

    Args:
        end: its last bytes.
        before: the SHA-256 of those before them; it stays as it is.
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
    return bool(found) and hashlib.sha256(head + BLANK.encode() + tail).hexdigest().encode() == digest
