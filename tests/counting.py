"""A proxy before a store that counts: a line for each request, and a delay that stands for the way to it.

`python -m tests.counting PORT UPSTREAM MILLISECONDS LOG` runs one; `counting_proxy` runs it in a process of its
own, so that it takes no turn from what is measured.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tests.ports import free_port
from tests.s3 import wait

# Of one connection alone, and so not handed on.
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class Request(NamedTuple):
    """One request and its answer."""

    method: str
    path: str  # with the bucket, without the query
    query: str
    status: int
    sent: int  # bytes of the answer


class Requests:
    """What went through a proxy since the last look."""

    def __init__(self, log: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self._log, self._seen = log, 0

    def take(self) -> list[Request]:
        """The requests since the last call."""
        lines = self._log.read_text().splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        return [Request(*json.loads(line)) for line in new]


@contextmanager
def counting_proxy(upstream: str, folder: Path, milliseconds: float = 0) -> Iterator[Requests]:
    """A proxy before a server; its log lies in a folder."""
    port = free_port()
    log = folder / f"requests-{port}.jsonl"
    log.touch()
    command = [sys.executable, "-m", "tests.counting", str(port), upstream, str(milliseconds), str(log)]
    proxy = subprocess.Popen(command)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        wait(endpoint)
        requests = Requests(log, endpoint)
        requests.take()
        yield requests
    finally:
        proxy.terminate()
        proxy.wait(10)


def serve(port: int, upstream: str, milliseconds: float, log: Path) -> None:
    """Hand on every request until the process is ended."""
    target = urlsplit(upstream)
    out = log.open("a", buffering=1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.onward = HTTPConnection(str(target.hostname), target.port)

        def finish(self) -> None:
            self.onward.close()
            super().finish()

        def hand_on(self) -> None:
            time.sleep(milliseconds / 1000)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            self.onward.request(self.command, self.path, body or None, given)
            answer = self.onward.getresponse()
            data = answer.read()

            # Before the answer goes out: who has one finds its line.
            path, _, query = self.path.partition("?")
            out.write(json.dumps([self.command, unquote(path), query, answer.status, len(data)]) + "\n")

            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            length = answer.headers["Content-Length"] if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = hand_on  # noqa: N815  # the library's own names

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
