"""Calls that end too early, late or never, as a plain HTTP client sees it."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults import DROP, LOSE_ANSWER, RESET, Cut, Hold, Match
from tests.faults.proxied import BODY, SIGNED, SIZE, Site

pytestmark = pytest.mark.one_build("gil")


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
