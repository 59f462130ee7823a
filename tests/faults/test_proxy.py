"""Every fault, as a plain HTTP client sees it, in front of a real moto."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults import (
    DROP,
    LOSE_ANSWER,
    RESET,
    Alter,
    Cut,
    Delay,
    Drip,
    FaultProxy,
    Hold,
    Match,
    Refuse,
    Replay,
    Rule,
    Substitute,
    fault_proxy,
    replacing,
)
from tests.faults.rules import Do
from tests.moto import Aws

SIZE = 300_000
BODY = random.Random(7).randbytes(SIZE)
ANY = Match()
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/s3/aws4_request, Signature=0"}
"""moto looks for a signature and not at it."""


@dataclass(frozen=True, slots=True)
class Site:
    aws: Aws
    proxy: FaultProxy
    bucket: str

    def do(self, do: Do, match: Match = ANY, **limits: Any) -> Rule:
        return self.proxy.add(Rule(match, do, **limits))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.proxy.url).netloc, timeout=60)

    def ask(self, method: str, key: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            more = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/{self.bucket}/{key}", body, SIGNED | more)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self) -> socket.socket:
        parts = urlsplit(self.proxy.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=60)

    def objects(self) -> dict[str, bytes]:
        return self.aws.objects(self.bucket)


@pytest.fixture
def site(aws: Aws, bucket: str) -> Iterator[Site]:
    aws.put(bucket, "a", BODY)
    with fault_proxy(aws.endpoint_url) as proxy:
        yield Site(aws, proxy, bucket)


def test_without_rules_nothing_changes(site: Site) -> None:
    """Requests and answers pass whole, several on one connection; each call is told as what it was."""
    connection = site.connect()
    for method, key, body, expected in [
        ("PUT", "b", BODY * 10, b""),
        ("GET", "b", None, BODY * 10),
        ("HEAD", "a", None, b""),
        ("DELETE", "b", None, b""),
        ("GET", "a", None, BODY),
    ]:
        connection.request(method, f"/{site.bucket}/{key}", body, SIGNED)
        answer = connection.getresponse()
        assert answer.status < 300
        if method == "HEAD":
            assert answer.headers["Content-Length"] == str(SIZE)
        assert answer.read() == expected
    connection.close()
    site.proxy.wait_idle()
    assert site.objects() == {"a": BODY}
    assert [(call.operation, call.key, call.passed) for call in site.proxy.requests] == [
        ("PutObject", "b", 0),
        ("GetObject", "b", 10 * SIZE),
        ("HeadObject", "a", 0),
        ("DeleteObject", "b", 0),
        ("GetObject", "a", SIZE),
    ]
    assert all(call.status == call.upstream and call.done and not call.aborted for call in site.proxy.requests)
    assert site.proxy.connections == 1


def test_a_body_in_chunks(site: Site) -> None:
    """A request's body of unknown length arrives."""
    connection = site.connect()
    connection.request("PUT", f"/{site.bucket}/b", iter([b"one", b"two" * 50_000]), SIGNED, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert site.proxy.requests[0].headers["transfer-encoding"] == "chunked"
    assert site.objects()["b"] == b"one" + b"two" * 50_000


def test_a_body_that_waits_to_be_asked_for(site: Site) -> None:
    """``Expect: 100-continue`` is answered by the proxy, also where a rule refuses the request in the end."""
    rule = site.do(Refuse(412), after=1)
    host = urlsplit(site.proxy.url).netloc
    for status in (b"200", b"412"):
        with site.raw() as client, client.makefile("rb") as stream:
            head = f"PUT /{site.bucket}/b HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            client.sendall(head.encode())
            assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert stream.readline() == b"\r\n"
            client.sendall(b"body")
            assert stream.readline().split()[1] == status
    assert site.objects()["b"] == b"body"
    assert rule.hits == 1


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 1, 100_000, SIZE - 1])
def test_an_answer_is_cut_at_its_byte(site: Site, how: Any, after: int) -> None:
    """The client gets so many bytes of the body and then the end, orderly or abrupt."""
    rule = site.do(Cut("body", after, how), Match("GetObject"), times=1)
    connection = site.connect()
    connection.request("GET", f"/{site.bucket}/a", headers=SIGNED)
    answer = connection.getresponse()
    assert answer.read(after) == BODY[:after]
    with pytest.raises(ConnectionResetError if how == "reset" else http.client.IncompleteRead):
        answer.read()
    answer.close()
    connection.close()
    assert rule.hits == 1
    site.proxy.wait_idle()
    assert site.proxy.requests[0].passed == after
    assert site.ask("GET", "a") == (200, BODY)


@pytest.mark.parametrize("after", [0, 1, 30])
def test_an_answer_is_cut_in_its_head(site: Site, after: int) -> None:
    """The client gets part of a head, or none of it."""
    site.do(Cut("head", after, "close"), times=1)
    connection = site.connect()
    connection.request("GET", f"/{site.bucket}/a", headers=SIGNED)
    with connection.sock.makefile("rb") as stream:
        assert stream.read() == b"HTTP/1.1 200 OK\r\nServer: Werkzeug"[:after]
    connection.close()
    call = site.proxy.requests[0]
    assert (call.status, call.upstream, call.passed, call.faults) == (None, 200, 0, ["cut"])


@pytest.mark.parametrize("after", [0, 1, SIZE // 2])
def test_a_request_is_cut_at_its_byte(site: Site, after: int) -> None:
    """A body that is cut on its way is carried out by nobody."""
    site.do(Cut("request", after, "reset"), times=1)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        site.ask("PUT", "a", b"x" * SIZE)
    call = site.proxy.requests[0]
    assert (call.status, call.forwarded) == (None, 1 if after else 0)
    assert site.objects() == {"a": BODY}
    assert site.ask("PUT", "a", b"new")[0] == 200


def test_reset_before_and_after(site: Site) -> None:
    """RESET: the client sees a reset and nothing was done. LOSE_ANSWER: it sees the same and it was done."""
    site.do(RESET, times=1)
    site.do(LOSE_ANSWER, times=1)
    with pytest.raises(ConnectionResetError):
        site.ask("PUT", "b", b"one")
    assert "b" not in site.objects()
    with pytest.raises(ConnectionResetError):
        site.ask("PUT", "b", b"two")
    assert site.objects()["b"] == b"two"
    assert [(call.forwarded, call.upstream, call.status) for call in site.proxy.requests] == [
        (0, None, None),
        (1, 200, None),
    ]


@pytest.mark.parametrize(("at", "after"), [("request", 0), ("request", SIZE // 2), ("head", 0), ("body", 100_000)])
def test_held_until_released(site: Site, at: Any, after: int) -> None:
    """A call waits at its byte until the rule lets it go, and is then as if nothing had been."""
    rule = site.do(Hold(at, after), times=1)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(site.ask, *(("PUT", "b", BODY) if at == "request" else ("GET", "a")))
        rule.wait_hit()
        assert not asked.done()
        assert "b" not in site.objects()
        assert site.ask("GET", "a") == (200, BODY)  # the others go on
        rule.release()
        assert asked.result(60) == ((200, b"") if at == "request" else (200, BODY))
    assert ("b" in site.objects()) is (at == "request")


def test_dropped(site: Site) -> None:
    """A class of calls is never answered; that the client left is noted, and nothing was forwarded."""
    rule = site.do(DROP, Match("PutObject"))
    connection = site.connect()
    connection.request("PUT", f"/{site.bucket}/b", b"x", SIGNED)
    rule.wait_hit()
    connection.close()
    site.proxy.wait_idle()
    call = site.proxy.requests[0]
    assert (call.aborted, call.forwarded, call.status) == (True, 0, None)
    assert site.ask("GET", "a") == (200, BODY)
    assert "b" not in site.objects()


def test_a_client_that_goes_takes_its_request_along(site: Site) -> None:
    """A client that leaves in the middle of its answer is noted, and upstream is left too."""
    rule = site.do(Hold("body", 1000))
    connection = site.connect()
    connection.request("GET", f"/{site.bucket}/a", headers=SIGNED)
    answer = connection.getresponse()
    assert answer.read(1000) == BODY[:1000]
    rule.wait_hit()
    answer.close()
    connection.close()
    site.proxy.wait_idle()
    assert site.proxy.requests[0].aborted


def test_removing_a_rule_releases_what_it_holds(site: Site) -> None:
    """A removed rule strikes no more, and holds nothing any longer."""
    rule = site.do(Hold())
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(site.ask, "GET", "a")
        rule.wait_hit()
        site.proxy.remove(rule)
        assert asked.result(60) == (200, BODY)
    assert site.ask("GET", "a") == (200, BODY)
    assert rule.matched == 1


def test_delayed_and_dripping(site: Site) -> None:
    """An answer is late, and slow: both rules strike, for a delay leaves the others their turn."""
    site.do(Delay(0.2))
    site.do(Drip(1_000_000))
    begun = time.monotonic()
    assert site.ask("GET", "a") == (200, BODY)
    assert time.monotonic() - begun > 0.4
    assert site.proxy.requests[0].faults == ["delay", "drip"]


def test_refused(site: Site) -> None:
    """An error is given without asking upstream, the whole request having been read; a HEAD has no body."""
    site.do(Refuse(503), Match("PutObject"))
    site.do(Refuse(500, "Oops", "a < b"), Match("GetObject"))
    site.do(Refuse(404), Match("HeadObject"))
    connection = site.connect()
    for method, status, told in [
        ("PUT", 503, b"<Code>SlowDown</Code>"),
        ("GET", 500, b"<Code>Oops</Code><Message>a &lt; b</Message>"),
        ("HEAD", 404, b""),
    ]:
        connection.request(method, f"/{site.bucket}/a", b"x" * 2_000_000 if method == "PUT" else None, SIGNED)
        answer = connection.getresponse()
        assert answer.status == status
        assert told in answer.read()
    connection.close()
    assert site.proxy.connections == 1
    assert [call.forwarded for call in site.proxy.requests] == [0, 0, 0]


def test_replayed(site: Site) -> None:
    """A request is carried out twice, and the second answer is the one that is given."""
    site.do(Replay(), Match("PutObject"))
    assert site.ask("PUT", "b", b"x", if_none_match="*")[0] == 412
    assert site.objects()["b"] == b"x"
    assert site.proxy.requests[0].forwarded == 2


def test_altered(site: Site) -> None:
    """Bytes of the answer's body and fields of its head change; its length follows."""
    site.aws.put(site.bucket, "text", b"one two one")
    site.do(replacing(b"one", b"three"), times=1)
    site.do(Alter(headers={"ETag": '"other"', "Last-Modified": None}), times=1)
    site.do(Alter(lambda body: body[::-1], {"Content-Length": "5"}), times=1)
    assert site.ask("GET", "text") == (200, b"three two three")
    connection = site.connect()
    connection.request("HEAD", f"/{site.bucket}/text", headers=SIGNED)
    answer = connection.getresponse()
    assert (answer.headers["ETag"], answer.headers["Last-Modified"]) == ('"other"', None)
    assert answer.headers["Content-Length"] == "11"
    connection.close()
    assert site.ask("GET", "text") == (200, b"eno o")


def test_substituted(site: Site) -> None:
    """The request is carried out, and the client is told something else."""
    site.do(Substitute(200, b"<html>", {"Content-Type": "text/html"}))
    assert site.ask("PUT", "b", b"x") == (200, b"<html>")
    assert site.objects()["b"] == b"x"


def test_the_first_rule_that_strikes_is_the_one_that_does(site: Site) -> None:
    """Rules have their turn in the order in which they came; one that spares a call leaves it to the next."""
    first = site.do(Refuse(500), after=1, times=1)
    second = site.do(Refuse(503))
    assert [site.ask("GET", "a")[0] for _ in range(3)] == [503, 500, 503]
    assert (first.hits, second.hits) == (1, 2)


def test_upstream_that_is_away(site: Site) -> None:
    """With nobody behind it the proxy ends the connection without an answer, and goes on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with fault_proxy(nobody) as proxy:
        for _ in range(2):
            with pytest.raises(http.client.RemoteDisconnected):
                Site(site.aws, proxy, site.bucket).ask("GET", "a")
        proxy.wait_idle()
        assert [(call.status, call.aborted) for call in proxy.requests] == [(None, False)] * 2


def test_a_proxy_that_goes_and_comes_back(site: Site) -> None:
    """Another may take the port of one that is gone, and none that of one which runs."""
    with fault_proxy(site.aws.endpoint_url) as proxy:
        port = urlsplit(proxy.url).port or 0
        assert Site(site.aws, proxy, site.bucket).ask("GET", "a") == (200, BODY)
        with pytest.raises(OSError, match="in use"), fault_proxy(site.aws.endpoint_url, port=port):
            pass
    with pytest.raises(ConnectionRefusedError):
        Site(site.aws, proxy, site.bucket).ask("GET", "a")
    with fault_proxy(site.aws.endpoint_url, port=port) as proxy:
        assert Site(site.aws, proxy, site.bucket).ask("GET", "a") == (200, BODY)


def test_many_clients_at_once(site: Site) -> None:
    """Calls do not wait for each other, and each is counted."""
    barrier = threading.Barrier(16)

    def one(number: int) -> tuple[int, bytes]:
        barrier.wait()
        return site.ask("PUT", f"many/{number}", BODY)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == [(200, b"")] * 16
    site.proxy.wait_idle()
    calls = site.proxy.calls("PutObject")
    assert sorted(call.key or "" for call in calls) == sorted(f"many/{number}" for number in range(16))
    assert not [call for call in calls if call.aborted]  # though each client left as soon as it had its answer


def test_only_the_latest_calls_are_kept(aws: Aws, bucket: str) -> None:
    """A proxy that runs for hours keeps so many calls and no more; whoever wants all is told each."""
    seen: list[str | None] = []
    with fault_proxy(aws.endpoint_url, keep=2, seen=lambda call: seen.append(call.key)) as proxy:
        for number in range(4):
            Site(aws, proxy, bucket).ask("PUT", str(number), b"")
        assert [call.key for call in proxy.requests] == ["2", "3"]
    assert seen == ["0", "1", "2", "3"]


def test_leaving_ends_what_is_held(aws: Aws, bucket: str) -> None:
    """A test that ends with a call still held leaves no thread and no connection."""
    with ThreadPoolExecutor() as pool:
        with fault_proxy(aws.endpoint_url, Rule(ANY, DROP)) as proxy:
            asked = pool.submit(Site(aws, proxy, bucket).ask, "GET", "a")
            proxy.rules[0].wait_hit()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            asked.result(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "fault-proxy"]


def test_a_rule_that_raises_is_told(aws: Aws, bucket: str) -> None:
    """A mistake in a rule's function fails the test that made it."""
    aws.put(bucket, "a", b"x")
    with (
        pytest.raises(ExceptionGroup, match="the proxy failed") as raised,
        fault_proxy(aws.endpoint_url, Rule(ANY, Alter(lambda body: body.decode("nonsense").encode()))) as proxy,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        Site(aws, proxy, bucket).ask("GET", "a")
    assert raised.group_contains(LookupError)
