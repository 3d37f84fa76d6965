"""What a file system's error means for a person, and whether trying again may help."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from schemas.errors import StorageError, StorageUnavailableError, UnrolledError
from schemas.redact import redact

_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.ProfileNotFound,
)
_NETWORK = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, ConnectionError, TimeoutError)
_HELP = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
# Errors of a disk that go away by themselves. A full one does not.
_PASSING = {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ETIMEDOUT, errno.ESTALE}


@contextmanager
def explaining(doing: str) -> Iterator[None]:
    """Turn whatever a file system raises into a StorageError that begins with what was being done."""
    try:
        yield
    except (UnrolledError, FileNotFoundError, FileExistsError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, a person needs words
        # Its own cause may hold a request with its headers, so nothing is chained.
        raise storage_error(doing, error) from None


def storage_error(doing: str, error: Exception) -> StorageError:
    """The error to show for a file system's."""
    status = status_of(error)
    if isinstance(error, _CREDENTIALS):
        return StorageError(f"{doing}: no credentials ({_first_line(error)}); {_HELP}")

    if status in (401, 403) or isinstance(error, PermissionError):
        more = f" ({_first_line(error)})" if str(error) else ""
        return StorageError(f"{doing}: access is denied{more}")

    if status in (301, 400) and "region" in str(error).lower():
        return StorageError(f"{doing}: {_first_line(error)}; set AWS_REGION to the bucket's")

    passing = isinstance(error, _NETWORK) or (isinstance(error, OSError) and error.errno in _PASSING)
    if passing or (status is not None and ((status >= 500 and status != 501) or status in (408, 409, 429))):
        return StorageUnavailableError(f"{doing}: the store does not answer as it should ({_first_line(error)})")

    why = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
    return StorageError(f"{doing}: {why}")


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error of s3fs, None when there was no answer."""
    for cause in (error, error.__cause__):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return redact(lines[0]) if lines else type(error).__name__
