"""A proxy in front of a real moto, as a plain HTTP client sees it: what passes, whose turn it is, how it ends."""

from __future__ import annotations

import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.faults import DROP, Alter, Refuse, Rule, fault_proxy
from tests.faults.proxied import ANY, BODY, SIGNED, SIZE, Site
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")


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
