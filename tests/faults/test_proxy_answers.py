"""Answers that are not upstream's, or not as it gave them, as a plain HTTP client sees it."""

from __future__ import annotations

import time

import pytest

from tests.faults import Alter, Delay, Drip, Match, Refuse, Replay, Substitute, replacing
from tests.faults.proxied import BODY, SIGNED, Site

pytestmark = pytest.mark.one_build("gil")


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
