"""An S3 proxy on the loopback address that does to requests what networks and stores do to them.

    with Proxy("http://127.0.0.1:5000", Rule("error-503", every=5, first=2)) as proxy:
        ...                     # requests to proxy.endpoint; the 2nd, 7th, 12th … are answered with 503
    proxy.struck                # ["error-503 PUT /bucket/key", …]

Which requests are struck is decided by counting alone: the same requests in the same order meet the same faults.
"""

import http.client
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

READS, WRITES = ("GET", "HEAD"), ("PUT", "POST", "DELETE")
HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection", "content-length"}
UPSTREAM_SECONDS = 60
DRIBBLES = 8  # pieces of a slow body


@dataclass(frozen=True)
class Rule:
    """Which requests are struck: of those that the kind can strike, every `every`-th from the `first`-th on."""

    kind: str
    every: int
    first: int = 1
    limit: int = 1_000_000  # how often at most
    path: str = ""  # a part of the path, else any
    but: str = "\0"  # not when this is in the path

    def strikes(self, number: int, struck: int) -> bool:
        """Whether the request of this number, counted from 1, is struck."""
        return struck < self.limit and number >= self.first and (number - self.first) % self.every == 0


class Answer(NamedTuple):
    """What the store said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Late:
    """A PUT that the network still holds: its client was told that it failed."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Proxy:
    """Stands before `upstream` while it is entered."""

    upstream: str
    rule: Rule | None = None
    client_timeout: float = 2  # seconds after which the client gives up: what "timeout" outlasts
    late_first: bool = False  # a late PUT overtakes the PUT that follows it, instead of coming after it
    on_strike: Callable[[], None] = lambda: None  # called by the kinds that kill
    requests: int = 0
    uploaded: int = 0
    downloaded: int = 0
    struck: list[str] = field(default_factory=list)
    delivered: list[tuple[str, int]] = field(default_factory=list)  # late PUTs, and the store's status
    _eligible: int = 0
    _late: list[Late] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def endpoint(self) -> str:
        """What clients are given."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def quiet(self) -> None:
        """No fault from here on."""
        self.rule = None

    def deliver(self, path: str | None = None) -> None:
        """Let the PUTs arrive that the network holds, all or those of a path."""
        with self._lock:
            due = [late for late in self._late if path in (None, late.path)]
            self._late = [late for late in self._late if late not in due]
        for late in due:
            self.delivered.append((late.path, self.ask("PUT", late.path, late.headers, late.body).status))

    def hold(self, late: Late) -> None:
        """Keep a PUT for later."""
        with self._lock:
            self._late.append(late)

    def fault_for(self, method: str, path: str) -> str | None:
        """Count a request; the kind of fault that it meets."""
        with self._lock:
            self.requests += 1
            rule = self.rule
            if (
                rule is None
                or method not in FAULTS[rule.kind].methods
                or rule.path not in path
                or rule.but in path
            ):
                return None
            self._eligible += 1
            if not rule.strikes(self._eligible, len(self.struck)):
                return None
            self.struck.append(f"{rule.kind} {method} {path}")
            return rule.kind

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the store says to a request."""
        target = urlsplit(self.upstream)
        upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=UPSTREAM_SECONDS)
        try:
            # The client's own Host goes through: it is signed.
            upstream.putrequest(method, path, skip_host="host" in {name.lower() for name in headers})
            for name, value in headers.items():
                upstream.putheader(name, value)
            if body or method in WRITES:
                upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        with self._lock:
            self.uploaded += len(body)
            self.downloaded += len(data)
        return Answer(answer.status, answer.getheaders(), data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive; 100-continue is answered by the base class
    server: _Server
    timeout = UPSTREAM_SECONDS
    disable_nagle_algorithm = True  # else a head waits 40 ms for its body

    def serve(self) -> None:
        """Meet the request with its fault, or pass it on."""
        fault = self.server.proxy.fault_for(self.command, self.path)
        if fault:
            FAULTS[fault].strike(self)
        else:
            self.pass_on()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815  # names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nothing: `struck` is the log."""

    @property
    def proxy(self) -> Proxy:
        return self.server.proxy

    def pass_on(self) -> None:
        body = self.body()
        if self.command == "PUT" and self.proxy.late_first:
            self.proxy.deliver(self.path)
        answer = self.forward(body)
        if self.command == "PUT":
            self.proxy.deliver(self.path)
        self.reply(answer)

    def body(self) -> bytes:
        """The request's body, its transfer chunks joined."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def passed_headers(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() not in HOP}

    def forward(self, body: bytes) -> Answer:
        return self.proxy.ask(self.command, self.path, self.passed_headers(), body)

    def reply(self, answer: Answer) -> None:
        self.reply_head(answer)
        self.wfile.write(answer.body)

    def reply_head(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
            elif name.lower() == "content-length" and self.command == "HEAD":
                length = value  # of the object, which HEAD does not send
        if answer.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()

    def reset(self) -> None:
        """Drop the connection with a reset, not with a goodbye."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True


def _error(status: int, code: str) -> Callable[[_Handler], None]:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Injected</Message></Error>'

    def strike(handler: _Handler) -> None:
        handler.body()
        body = b"" if handler.command == "HEAD" else text.encode()
        handler.reply(Answer(status, [("Content-Type", "application/xml")], body))

    return strike


def _timeout(handler: _Handler) -> None:
    """Take the request and say nothing until the client has given up."""
    handler.body()
    end = time.monotonic() + 5 * handler.proxy.client_timeout
    while time.monotonic() < end:
        gone, _, _ = select.select([handler.connection], [], [], 0.05)
        if gone and not handler.connection.recv(1, socket.MSG_PEEK):
            break
    handler.reset()


def _reset_before(handler: _Handler) -> None:
    handler.reset()


def _reset_in_upload(handler: _Handler) -> None:
    handler.rfile.read(int(handler.headers.get("Content-Length", 0)) // 2)
    handler.reset()


def _reset_in_answer(handler: _Handler) -> None:
    answer = handler.forward(handler.body())
    handler.reply_head(answer)
    handler.wfile.write(answer.body[: len(answer.body) // 2])
    handler.reset()


def _cut_answer(handler: _Handler) -> None:
    """A connection that ends in order, but too early."""
    answer = handler.forward(handler.body())
    handler.reply_head(answer)
    handler.wfile.write(answer.body[: len(answer.body) // 2])
    handler.close_connection = True


def _slow_body(handler: _Handler) -> None:
    """A body in drops, each of them before the client gives up."""
    answer = handler.forward(handler.body())
    handler.reply_head(answer)
    size = max(1, -(-len(answer.body) // DRIBBLES))
    for start in range(0, len(answer.body), size):
        time.sleep(handler.proxy.client_timeout / 16)
        handler.wfile.write(answer.body[start : start + size])


def _lost_answer(handler: _Handler) -> None:
    """The store has done it, and the client is not told."""
    handler.forward(handler.body())
    handler.reset()


def _late_put(handler: _Handler) -> None:
    """Tell the client that it failed, and let it arrive later."""
    handler.proxy.hold(Late(handler.path, handler.passed_headers(), handler.body()))
    handler.reset()


def _kill_before(handler: _Handler) -> None:
    """The client dies before the store has heard of it."""
    handler.body()
    handler.proxy.on_strike()
    handler.reset()


def _kill_after(handler: _Handler) -> None:
    """The client dies when the store has done it."""
    handler.forward(handler.body())
    handler.proxy.on_strike()
    handler.reset()


def _zombie(handler: _Handler) -> None:
    """The client dies, and what it sent arrives when another has taken over."""
    handler.proxy.hold(Late(handler.path, handler.passed_headers(), handler.body()))
    handler.proxy.on_strike()
    handler.reset()


class Fault(NamedTuple):
    """A kind of fault: the methods that it strikes, and what it does to a request."""

    methods: tuple[str, ...]
    strike: Callable[[_Handler], None]


FAULTS: dict[str, Fault] = {
    "error-500": Fault((*READS, *WRITES), _error(500, "InternalError")),
    "error-503": Fault((*READS, *WRITES), _error(503, "SlowDown")),
    "timeout": Fault((*READS, *WRITES), _timeout),
    "reset-before": Fault((*READS, *WRITES), _reset_before),
    "reset-in-upload": Fault(("PUT",), _reset_in_upload),
    "reset-in-answer": Fault(("GET",), _reset_in_answer),
    "cut-answer": Fault(("GET",), _cut_answer),
    "slow-body": Fault(("GET",), _slow_body),
    "lost-answer": Fault(WRITES, _lost_answer),
    "late-put": Fault(("PUT",), _late_put),
    "kill-before": Fault(("PUT",), _kill_before),
    "kill-after": Fault(("PUT",), _kill_after),
    "zombie": Fault(("PUT",), _zombie),
}
