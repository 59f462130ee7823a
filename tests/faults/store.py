"""A small HTTP server that keeps one S3 object, and answers GETs wrongly on purpose, one fault a request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

__all__ = ["BadStore", "Fault", "Framing", "Ignored", "Request", "bad_store"]

type Framing = Literal["length", "chunked", "until_close"]
type Ignored = Literal["range", "if-match"]

_DRIP_S = 0.01


@dataclass(frozen=True, slots=True)
class Fault:
    """How one GET is answered. The default is the right answer.

    Attributes:
        cut: bytes of the body after which ``how`` happens; None: all of it, and the connection is kept.
        how: ``close`` ends the connection (FIN), ``reset`` aborts it (RST), ``hold`` says nothing more and ends it
            once :attr:`BadStore.release` is set or the client has gone, ``drip`` sends one byte every 10 ms from there
            on, ``garble`` sends what no chunk can begin with, once :attr:`BadStore.release` is set.
        framing: how the end of the body is told: Content-Length, chunks, or the end of the connection.
        claimed: a Content-Length other than the true one.
        etag: an ETag other than the true one; ``""``: none.
        status: an error to answer with, under the S3 code ``code``; ``cut`` is within the error's text then.
        ignores: headers of the request that the answer takes no notice of.
        head_drips: the head of the answer comes one byte every 10 ms.
    """

    cut: int | None = None
    how: Literal["close", "reset", "hold", "drip", "garble"] = "close"
    framing: Framing = "length"
    claimed: int | None = None
    etag: str | None = None
    status: int = 0
    code: str = ""
    ignores: tuple[Ignored, ...] = ()
    head_drips: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. Header values are as sent, None where there was none."""

    method: str
    range: str | None
    if_match: str | None
    version_id: str | None


class BadStore:
    """The server's state; belongs to the test's loop, as the server does."""

    def __init__(self, body: bytes, faults: tuple[Fault, ...]) -> None:
        self.url = ""
        self.body = body
        self.etag = "e1"
        self.faults = list(faults)  # of the next GETs, in order; right answers follow
        self.head_length = True  # a HEAD's answer tells the size
        self.requests: list[Request] = []
        self.release = asyncio.Event()
        self.opened = 0  # connections, ever
        self.connections: set[asyncio.StreamWriter] = set()  # open ones
        self.closed = asyncio.Condition()  # notified after a connection ended

    @property
    def gets(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]

    async def wait_for_connections(self, most: int) -> None:
        """Waits until at most ``most`` connections are open."""
        async with self.closed:
            await self.closed.wait_for(lambda: len(self.connections) <= most)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection until either side ends it."""
        self.opened += 1
        self.connections.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._request(reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            async with self.closed:
                self.connections.discard(writer)
                self.closed.notify_all()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        method, target, _ = first.split()
        version = parse_qs(urlsplit(target).query).get("versionId", [None])[0]
        request = Request(method, headers.get("range"), headers.get("if-match"), version)
        self.requests.append(request)
        if method == "HEAD":
            length = f"Content-Length: {len(self.body)}\r\n" if self.head_length else "Transfer-Encoding: chunked\r\n"
            writer.write(f'HTTP/1.1 200 OK\r\nETag: "{self.etag}"\r\n{length}\r\n'.encode())
            return True
        fault = self.faults.pop(0) if self.faults else Fault()
        return await self._get(request, fault, reader, writer)

    async def _get(
        self, request: Request, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head, body = self._answer(request, fault)
        if fault.head_drips:
            await _drip(writer, head)
        else:
            writer.write(head)
        if fault.cut is None:
            writer.write(_framed(body, fault) + (b"0\r\n\r\n" if fault.framing == "chunked" else b""))
            await writer.drain()
            return fault.framing != "until_close"
        writer.write(_framed(body[: fault.cut], fault))
        await writer.drain()
        if fault.how == "reset":
            writer.transport.abort()
        elif fault.how == "garble":
            await self.release.wait()
            writer.write(b"not a size\r\n")
            await writer.drain()
            await reader.read()
        elif fault.how == "hold":
            await self._hold(reader)
        elif fault.how == "drip":
            await _drip(writer, body[fault.cut :])
        return False

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        waits = [asyncio.create_task(self.release.wait()), asyncio.create_task(reader.read())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _answer(self, request: Request, fault: Fault) -> tuple[bytes, bytes]:
        if fault.status:
            return _error(fault.status, fault.code)
        etag = self.etag if fault.etag is None else fault.etag
        if request.if_match is not None and request.if_match != f'"{self.etag}"' and "if-match" not in fault.ignores:
            return _error(412, "PreconditionFailed")
        body, status = self.body, "200 OK"
        headers = [f'ETag: "{etag}"'] if etag else []
        if request.range is not None and "range" not in fault.ignores:
            start = int(request.range.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                return _error(416, "InvalidRange")
            status = "206 Partial Content"
            headers.append(f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        if fault.framing == "length":
            headers.append(f"Content-Length: {len(body) if fault.claimed is None else fault.claimed}")
        elif fault.framing == "chunked":
            headers.append("Transfer-Encoding: chunked")
        else:
            headers.append("Connection: close")
        return _head(status, headers), body


def _head(status: str, headers: list[str]) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def _error(status: int, code: str) -> tuple[bytes, bytes]:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return _head(f"{status} Wrong", [f"Content-Length: {len(text)}", "Content-Type: application/xml"]), text


def _framed(body: bytes, fault: Fault) -> bytes:
    """``body``, without what ends it; chunks are of uneven sizes."""
    if fault.framing != "chunked" or not body:
        return body
    middle = len(body) // 3
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:middle], body[middle:]) if piece)


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for number in range(len(data)):
        writer.write(data[number : number + 1])
        await writer.drain()
        await asyncio.sleep(_DRIP_S)  # this is the fault itself


@asynccontextmanager
async def bad_store(body: bytes, *faults: Fault) -> AsyncIterator[BadStore]:
    """Runs a server that keeps ``body`` under every key, on a free loopback port."""
    store = BadStore(body, faults)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(store.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    store.url = f"http://{host}:{port}"
    try:
        yield store
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.abort_clients()
        await server.wait_closed()
