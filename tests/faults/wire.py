"""HTTP/1.1 messages on asyncio streams, as far as a proxy needs them: heads, bodies in pieces, ends of connections."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "PIECE",
    "BadHttp",
    "Head",
    "How",
    "bodyless",
    "delivered",
    "end",
    "interrupted",
    "pieces",
    "read_head",
    "send",
    "whole",
]

PIECE = 64 * 1024
"""No more bytes of a body than this are held at a time, unless a rule needs it whole."""

type How = Literal["close", "reset"]
"""How a connection ends: orderly (FIN), or abruptly (RST)."""

_NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends RST


class BadHttp(Exception):
    """The other side does not speak HTTP/1.1, or ended in the middle of a message."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a message and its header fields, in order and as they were sent."""

    first: str
    fields: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The first field called so, in whatever case."""
        return next((value for field, value in self.fields if field.lower() == name.lower()), None)

    def chunked(self) -> bool:
        return "chunked" in (self.get("transfer-encoding") or "").lower()

    def with_fields(self, changes: Mapping[str, str | None]) -> Head:
        """The same with these fields in place of what had their names; None leaves a field out."""
        names = {name.lower() for name in changes}
        kept = tuple(field for field in self.fields if field[0].lower() not in names)
        return Head(self.first, kept + tuple((name, value) for name, value in changes.items() if value is not None))

    def encoded(self) -> bytes:
        lines = [self.first, *(f"{name}: {value}" for name, value in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None where the connection ended before one began.

    Raises:
        BadHttp: it ended within one, or this is none.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if not ended.partial:
            return None
        raise BadHttp("the connection ended within a head") from ended
    except asyncio.LimitOverrunError as error:
        raise BadHttp("a head without an end") from error
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines]
    if len(first.split(" ", 2)) < 2 or any(not colon for _, colon, _ in fields):
        raise BadHttp("not a head of HTTP/1.1")
    return Head(first, tuple((name, value.strip()) for name, _, value in fields))


def bodyless(method: str, status: int) -> bool:
    """Whether the answer to ``method`` has no body, whatever its fields say."""
    return method == "HEAD" or status in (204, 304)


async def pieces(reader: asyncio.StreamReader, head: Head, *, unframed: bool = False) -> AsyncIterator[bytes]:
    """The body that follows ``head``, without its framing; none is empty. What follows chunks is left out.

    Args:
        unframed: a body that no field frames goes on until the connection ends (an answer's), else there is none.

    Raises:
        BadHttp: the connection ended before the body did.
    """
    try:
        if head.chunked():
            while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                async for piece in _exactly(reader, size):
                    yield piece
                await reader.readexactly(2)
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
        elif (length := head.get("content-length")) is not None:
            async for piece in _exactly(reader, int(length)):
                yield piece
        elif unframed:
            while piece := await reader.read(PIECE):
                yield piece
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise BadHttp("the connection ended within a body") from error


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await reader.read(min(size, PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        yield piece


async def whole(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in body])


async def interrupted(
    body: AsyncIterator[bytes], after: int, strike: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """``body``, with ``strike`` awaited once ``after`` bytes have been taken; at the end of one that is no longer."""
    left = after
    struck = False
    async for piece in body:
        if struck or len(piece) < left:
            left -= len(piece)
            yield piece
            continue
        if left:
            yield piece[:left]
        await strike()
        struck = True
        if len(piece) > left:
            yield piece[left:]
    if not struck:
        await strike()


async def send(writer: asyncio.StreamWriter, body: AsyncIterator[bytes], *, chunked: bool) -> None:
    """Sends a body, each piece gone from our buffers before the next is taken."""
    async for piece in body:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def delivered(writer: asyncio.StreamWriter) -> None:
    """Waits until the other side's kernel has all that was sent, or the connection is no more.

    What a kernel still has to send goes with a reset. No event tells that it has nothing left: asked every millisecond.
    """
    connected: socket.socket = writer.get_extra_info("socket")
    left = array.array("i", [1])
    while left[0] and not writer.transport.is_closing():
        fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, left)
        await asyncio.sleep(0.001 if left[0] else 0)


def end(writer: asyncio.StreamWriter, how: How) -> None:
    """Ends a connection. A reset is one even where nothing was left unread."""
    if how == "reset":
        connected: socket.socket | None = writer.get_extra_info("socket")
        if connected is not None and connected.fileno() >= 0:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()
    writer.close()
