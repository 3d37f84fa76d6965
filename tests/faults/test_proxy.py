"""The proxy does to a request what it says, and nothing to the others."""

import http.client

import pytest

from tests.faults.proxy import FAULTS, Proxy, Rule
from tests.s3 import BUCKET, make_bucket

BODY = bytes(range(256)) * 400


@pytest.fixture
def store(localbucket: str) -> str:
    """A store that asks for no signature."""
    make_bucket(localbucket)
    return localbucket


class Client:
    """A connection that is kept, as S3 clients keep theirs."""

    def __init__(self, endpoint: str, timeout: float = 10) -> None:
        self.connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=timeout)

    def ask(self, method: str, key: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, f"/{BUCKET}/{key}", body, named)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def test_without_a_rule_everything_passes(store: str) -> None:
    with Proxy(store) as proxy:
        client = Client(proxy.endpoint)
        assert client.ask("PUT", "whole", BODY)[0] == 200
        assert client.ask("GET", "whole") == (200, BODY)
        assert client.ask("GET", "whole", Range="bytes=10-19") == (206, BODY[10:20])
        client.connection.request("HEAD", f"/{BUCKET}/whole")
        answer = client.connection.getresponse()
        assert (answer.getheader("Content-Length"), answer.read()) == (str(len(BODY)), b"")
        assert client.ask("GET", "none")[0] == 404
        assert client.ask("PUT", "whole", b"second", If_None_Match="*")[0] == 412
        assert client.ask("DELETE", "whole")[0] == 204
        assert proxy.requests == 7
        assert proxy.uploaded == len(BODY) + len(b"second")
        assert not proxy.struck


def test_chunked_bodies_arrive_whole(store: str) -> None:
    with Proxy(store) as proxy:
        client = Client(proxy.endpoint)
        client.connection.request("PUT", f"/{BUCKET}/chunks", iter([b"one", b"two"]), encode_chunked=True)
        answer = client.connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert client.ask("GET", "chunks") == (200, b"onetwo")


def test_every_kth_request_is_struck_and_told() -> None:
    rule = Rule("error-503", every=3, first=2, limit=2)
    assert [number for number in range(1, 12) if rule.strikes(number, 0)] == [2, 5, 8, 11]
    assert not rule.strikes(8, struck=2)


@pytest.mark.parametrize(("kind", "status"), [("error-500", 500), ("error-503", 503)])
def test_an_error_is_an_answer_of_s3(store: str, kind: str, status: int) -> None:
    with Proxy(store, Rule(kind, every=2)) as proxy:
        client = Client(proxy.endpoint)
        answered, body = client.ask("PUT", "error", BODY)
        assert answered == status
        assert b"<Error><Code>" in body
        assert client.ask("GET", "error")[0] == 404
        assert proxy.struck == [f"{kind} PUT /{BUCKET}/error"]


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("reset-before", False),
        ("reset-in-upload", False),
        ("kill-before", False),
        ("late-put", False),
        ("zombie", False),
        ("lost-answer", True),
        ("kill-after", True),
    ],
)
def test_a_struck_put_fails_and_is_kept_or_not(store: str, kind: str, kept: bool) -> None:
    with Proxy(store, Rule(kind, every=1, limit=1)) as proxy:
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            Client(proxy.endpoint).ask("PUT", f"put-{kind}", BODY)
        assert Client(proxy.endpoint).ask("GET", f"put-{kind}")[0] == (200 if kept else 404)
        proxy.deliver()
        assert len(proxy.delivered) == (kind in ("late-put", "zombie"))


@pytest.mark.parametrize("first", [True, False])
def test_a_late_put_loses_or_wins_against_the_next(store: str, first: bool) -> None:
    with Proxy(store, Rule("late-put", every=1, limit=1), late_first=first) as proxy:
        key = f"late-{first}"
        with pytest.raises(ConnectionError):
            Client(proxy.endpoint).ask("PUT", key, b"late", If_None_Match="*")
        assert Client(proxy.endpoint).ask("PUT", key, b"next", If_None_Match="*")[0] == (412 if first else 200)
        assert proxy.delivered == [(f"/{BUCKET}/{key}", 200 if first else 412)]
        assert Client(proxy.endpoint).ask("GET", key) == (200, b"late" if first else b"next")


@pytest.mark.parametrize("kind", ["reset-in-answer", "cut-answer"])
def test_a_struck_answer_ends_too_early(store: str, kind: str) -> None:
    with Proxy(store, Rule(kind, every=1, limit=1)) as proxy:
        client = Client(proxy.endpoint)
        assert client.ask("PUT", "answer", BODY)[0] == 200
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            client.ask("GET", "answer")
        assert Client(proxy.endpoint).ask("GET", "answer") == (200, BODY)


def test_a_slow_answer_is_whole(store: str) -> None:
    with Proxy(store, Rule("slow-body", every=1), client_timeout=0.1) as proxy:
        client = Client(proxy.endpoint)
        assert client.ask("PUT", "slow", BODY)[0] == 200
        assert client.ask("GET", "slow") == (200, BODY)
        assert proxy.struck


def test_a_store_that_says_nothing_lets_the_client_give_up(store: str) -> None:
    with Proxy(store, Rule("timeout", every=1, limit=1), client_timeout=0.2) as proxy:
        with pytest.raises(TimeoutError):
            Client(proxy.endpoint, timeout=0.2).ask("GET", "silence")
        assert Client(proxy.endpoint).ask("GET", "silence")[0] == 404


def test_every_kind_is_tried_here() -> None:
    assert set(FAULTS) == {
        *("error-500", "error-503", "timeout", "reset-before", "reset-in-upload", "reset-in-answer"),
        *("cut-answer", "slow-body", "lost-answer", "late-put", "kill-before", "kill-after", "zombie"),
    }
