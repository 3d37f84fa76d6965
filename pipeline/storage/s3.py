"""S3: its settings, create-only writes that know their own attempt, and errors in words.

    UNROLLED_S3_ENDPOINT              a store that is not AWS, as http://127.0.0.1:9000    (AWS_ENDPOINT_URL)
    UNROLLED_S3_REGION                                                                     (AWS_REGION)
    UNROLLED_S3_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY, …_SESSION_TOKEN                        (the usual AWS places)
    UNROLLED_S3_ADDRESSING            path or virtual                                      (the store's default)
    UNROLLED_S3_TIMEOUT               seconds without an answer before a request is tried again (60)

Each process reads them from its own surroundings: they are never stored, and never sent to a worker.
"""

import errno
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, cast

import fsspec
from fsspec.asyn import sync

from pipeline.storage.failures import explaining, status_of
from pipeline.storage.local import TEMPORARY
from pipeline.storage.store import Leftover
from schemas.errors import UsageError

PART = 16 * 2**20  # bytes of a part: 10,000 of them are allowed, and none below 5 MiB but the last
ATTEMPT = "unrolled-attempt"
# A request is tried so often by the client, with growing pauses, and by s3fs again when its body breaks off.
CLIENT_ATTEMPTS, BODY_ATTEMPTS = 3, 3
# Where botocore found credentials, by its own word for it.
PLACES = {
    "env": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "assume-role": "a role that the AWS profile takes",
    "assume-role-with-web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "sso": "single sign-on",
    "custom-process": "the AWS profile's credential_process",
    "container-role": "the container's role",
    "iam-role": "the machine's role",
}
CONFLICTS = 5  # two writers at the very same moment: AWS answers 409 and asks for another try


@dataclass(frozen=True)
class S3Connection:
    """How a store is reached. What is None is left to the AWS places."""

    endpoint: str | None
    region: str | None
    key: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    token: str | None = field(repr=False)
    path_style: bool  # https://endpoint/bucket rather than https://bucket.endpoint


def s3_options(environment: Mapping[str, str] = os.environ, seconds: float | None = None) -> dict[str, object]:
    """What s3fs is told, by the settings above.

    Args:
        environment: where the settings are read.
        seconds: without an answer until a request is given up, which is tried once; None: as the settings say.

    Raises:
        UsageError: a setting makes no sense.
    """
    addressing = environment.get("UNROLLED_S3_ADDRESSING", "auto")
    if addressing not in ("auto", "path", "virtual"):
        raise UsageError(f"UNROLLED_S3_ADDRESSING is {addressing!r}: path or virtual")

    timeout = environment.get("UNROLLED_S3_TIMEOUT", "60")
    try:
        patience = float(timeout) if seconds is None else seconds
    except ValueError:
        raise UsageError(f"UNROLLED_S3_TIMEOUT is {timeout!r}: a number of seconds") from None

    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    endpoint = environment.get("UNROLLED_S3_ENDPOINT") or next(
        (environment[name] for name in names if environment.get(name)), None
    )
    # Named here though botocore would find it: s3fs keeps one client for the same options.
    region = environment.get("UNROLLED_S3_REGION") or environment.get("AWS_REGION")

    return {
        "endpoint_url": endpoint,
        "key": environment.get("UNROLLED_S3_ACCESS_KEY_ID"),
        "secret": environment.get("UNROLLED_S3_SECRET_ACCESS_KEY"),
        "token": environment.get("UNROLLED_S3_SESSION_TOKEN"),
        "client_kwargs": {"region_name": region} if region else {},
        "config_kwargs": {
            "read_timeout": patience,
            "connect_timeout": min(10.0, patience),
            "retries": {"mode": "standard", "total_max_attempts": 1 if seconds else CLIENT_ATTEMPTS},
            "max_pool_connections": 64,
            "s3": {"addressing_style": addressing},
        },
    }


class S3Store:
    """Create-only writes below a bucket's prefix."""

    def __init__(self, files: fsspec.AbstractFileSystem, root: str, attempts: int = BODY_ATTEMPTS) -> None:
        files.retries = attempts
        self._files, self._root = files, root

    def begin(self, path: str) -> "Upload":
        """An object to write piece by piece."""
        return Upload(self._files, f"{self._root}/{path}")

    def replace(self, path: str, data: bytes) -> None:
        """Write over whatever has the name."""
        bucket, key, _ = self._files.split_path(f"{self._root}/{path}")
        self._files.call_s3("put_object", Bucket=bucket, Key=key, Body=data)

    def leftovers(self, older_than: float) -> Iterator[Leftover]:
        """Uploads that were begun and not finished, and probes. The age is by the store's own clock."""
        bucket, prefix, _ = self._files.split_path(f"{self._root}/")
        yield from self._probes(bucket, prefix, older_than)

        marks: dict[str, str] = {}
        while True:
            try:
                answer = self._files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marks)
            except OSError as error:
                if status_of(error) == 501:  # a store that cannot say
                    return
                raise

            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            for upload in answer.get("Uploads", []):
                if (now - upload["Initiated"]).total_seconds() >= older_than:
                    yield Leftover(upload["Key"][len(prefix) :], None, upload["UploadId"])

            if not answer.get("IsTruncated"):
                return
            marks = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def _probes(self, bucket: str, prefix: str, older_than: float) -> Iterator[Leftover]:
        answer = self._files.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{prefix}{TEMPORARY}/")
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

        for item in answer.get("Contents", []):
            if (now - item["LastModified"]).total_seconds() >= older_than:
                yield Leftover(item["Key"][len(prefix) :], item["Size"])

    def discard(self, leftover: Leftover) -> None:
        """Abort an upload, which frees its parts; remove a probe."""
        bucket, key, _ = self._files.split_path(f"{self._root}/{leftover.path}")
        if leftover.upload is None:
            self._files.call_s3("delete_object", Bucket=bucket, Key=key)
            return
        with suppress(FileNotFoundError):  # it was finished or aborted meanwhile
            self._files.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=leftover.upload)

    def endpoint(self) -> str:
        """The address that requests go to; nothing is sent."""
        self._files.connect()
        return str(self._files.s3.meta.endpoint_url)

    def credentials_place(self) -> str | None:
        """Where credentials were found: the place's name, nothing of what lies there. None: nowhere.

        Raises StorageError when there is half of them, or the place cannot be read.
        """
        files = self._files
        with explaining("cannot look for credentials"):
            if files.key:
                return "UNROLLED_S3_ACCESS_KEY_ID and UNROLLED_S3_SECRET_ACCESS_KEY"
            files.connect()
            credentials = sync(files.loop, files.session.get_credentials)
        return PLACES.get(credentials.method, str(credentials.method)) if credentials else None

    def connection(self) -> S3Connection:
        """How the store is reached, with the credentials that the AWS places give just now."""
        files = self._files
        files.connect()
        client = files.s3
        frozen = {} if files.key else sync(files.loop, _credentials, files.session)
        return S3Connection(
            endpoint=files.endpoint_url,
            region=client.meta.region_name,
            key=files.key or frozen.get("access_key"),
            secret=files.secret or frozen.get("secret_key"),
            token=files.token or frozen.get("token"),
            path_style=_is_path_style(files.config_kwargs["s3"]["addressing_style"], files.endpoint_url),
        )


class Upload:
    """An object on its way: small ones in one request, large ones part by part while they are written."""

    def __init__(self, files: fsspec.AbstractFileSystem, path: str) -> None:
        self._files = files
        bucket, key, _ = files.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        self._attempt = uuid.uuid4().hex
        self._data = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, object]] = []

    def write(self, data: bytes) -> None:
        """Add bytes; a part that is full is sent."""
        self._data += data
        while len(self._data) >= PART:
            self._send(bytes(self._data[:PART]))
            del self._data[:PART]

    def commit(self) -> bool:
        """Let the object appear, unless there is one."""
        for _ in range(CONFLICTS):
            try:
                self._finish()
            except Exception as error:
                # An answer may be lost after the store took the object, and our own second try is then refused.
                if self._is_there():
                    self._upload = None
                    return True

                if status_of(error) == 412:
                    self.discard()
                    return False

                if status_of(error) != 409 or self._upload:
                    raise
                time.sleep(0.2)
            else:
                self._upload = None
                return True
        raise OSError(errno.EBUSY, "two writers met again and again")

    def discard(self) -> None:
        """Abort what was begun."""
        self._data.clear()
        if self._upload:
            upload, self._upload = self._upload, None
            with suppress(FileNotFoundError):
                self._call("abort_multipart_upload", UploadId=upload)

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            begun = self._call("create_multipart_upload", Metadata={ATTEMPT: self._attempt})
            self._upload = begun["UploadId"]
        number = len(self._parts) + 1
        sent = self._call("upload_part", UploadId=self._upload, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _finish(self) -> None:
        if self._upload is None:
            metadata = {ATTEMPT: self._attempt}
            self._call("put_object", Body=bytes(self._data), Metadata=metadata, IfNoneMatch="*")
            return
        if self._data:
            self._send(bytes(self._data))
            self._data.clear()
        parts = {"Parts": self._parts}
        self._call("complete_multipart_upload", UploadId=self._upload, MultipartUpload=parts, IfNoneMatch="*")

    def _is_there(self) -> bool:
        """Whether the object is there by this very attempt."""
        try:
            answer = self._call("head_object")
        except Exception:  # noqa: BLE001  # the first error is the one to tell
            return False
        return cast("dict[str, str]", answer["Metadata"]).get(ATTEMPT) == self._attempt

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        answer: dict[str, Any] = self._files.call_s3(method, **self._object, **arguments)
        return answer


async def _credentials(session: Any) -> dict[str, str | None]:
    credentials = await session.get_credentials()
    if credentials is None:
        return {}
    frozen = await credentials.get_frozen_credentials()
    return {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "token": frozen.token}


def _is_path_style(addressing: str, endpoint: str | None) -> bool:
    return addressing == "path" or (addressing == "auto" and endpoint is not None)
