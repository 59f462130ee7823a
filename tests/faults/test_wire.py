"""HTTP/1.1 messages, without a network: heads, bodies in any framing and any split, points at which a fault strikes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.faults.wire import BadHttp, Head, interrupted, pieces, read_head, whole

pytestmark = pytest.mark.one_build("gil")


def fed(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_a_head_keeps_order_case_and_repetition() -> None:
    """What is passed on is what was sent, byte for byte."""
    raw = b"PUT /b/%C3%BC HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nx-a: 2: 3\r\n\r\n"
    head = await read_head(fed(raw))
    assert head is not None
    assert head.encoded() == raw
    assert (head.get("HOST"), head.get("x-A"), head.get("none")) == ("h:1", "1", None)
    assert head.with_fields({"X-a": "9", "Host": None}).fields == (("X-a", "9"),)


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\nHost", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
async def test_what_is_no_head(raw: bytes) -> None:
    """Half a head, or what is none, is told from the end of a connection."""
    with pytest.raises(BadHttp):
        await read_head(fed(raw))
    assert await read_head(fed(b"")) is None


@pytest.mark.parametrize(
    ("fields", "raw", "body"),
    [
        ((("Content-Length", "5"),), b"hellonext", b"hello"),
        ((("Transfer-Encoding", "chunked"),), b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\nnext", b"hello"),
        ((), b"next", b""),
    ],
)
async def test_a_body_ends_where_its_framing_says(fields: tuple[tuple[str, str], ...], raw: bytes, body: bytes) -> None:
    """By length, by chunks with extensions and trailers, or not there at all; the next message is left alone."""
    reader = fed(raw)
    assert await whole(pieces(reader, Head("GET / HTTP/1.1", fields))) == body
    assert await reader.read() == b"next"


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        ((("Content-Length", "5"),), b"hell"),
        ((("Transfer-Encoding", "chunked"),), b"5\r\nhello\r\n"),
        ((("Transfer-Encoding", "chunked"),), b"five\r\nhello"),
    ],
)
async def test_a_body_cut_short_is_no_body(fields: tuple[tuple[str, str], ...], raw: bytes) -> None:
    """The end of a connection within a body never passes for the body's end."""
    with pytest.raises(BadHttp):
        await whole(pieces(fed(raw), Head("HTTP/1.1 200 OK", fields), unframed=True))


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=6), st.integers(0, 60))
@settings(max_examples=examples(500))
def test_a_fault_strikes_at_its_byte(parts: list[bytes], after: int) -> None:
    """However a body is split, exactly the bytes before the point have passed when it strikes, once; none is lost."""
    passed = b""
    struck: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def strike() -> None:
        struck.append(passed)

    async def run() -> None:
        nonlocal passed
        async for piece in interrupted(body(), after, strike):
            assert piece
            passed += piece

    asyncio.run(run())
    assert passed == b"".join(parts)
    assert struck == [passed[:after]]
