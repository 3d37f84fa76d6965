"""S3 servers of two makes on the loopback address, each with a bucket for all tests."""

import logging
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.ports import free_port

BUCKET = "unrolled"
# What a store of one's own is reached by. The region and the keys may be anything here.
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests-that-nobody-may-see",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def moto_server() -> Iterator[str]:
    """Moto, in threads of this process; its data lives in memory."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def localbucket_server(folder: Path) -> Iterator[str]:
    """LocalBucket, in a process of its own; its data lies in a folder."""
    port = free_port()
    command = [sys.executable, "-m", "localbucket", "--port", str(port), str(folder / "buckets")]
    with (folder / "localbucket.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait(address)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def s3_environment(endpoint: str, bucket: str = BUCKET) -> Iterator[None]:
    """The usual AWS variables for a server, as a user would set them; a bucket made there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
            patch.setenv(name, value)
        make_bucket(endpoint, bucket)
        yield


def make_bucket(endpoint: str, bucket: str = BUCKET) -> None:
    """Make the tests' bucket; nothing when it is there."""
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise


def wait(address: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
