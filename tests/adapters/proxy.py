"""A TCP proxy that misbehaves on purpose: cuts, silences or holds connections at a chosen byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["Fault", "FaultyProxy", "faulty_proxy"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection once ``after`` bytes went in ``direction``.

    ``close`` ends it in an orderly way (FIN), ``reset`` abruptly (RST), ``hold`` passes nothing on until
    :attr:`FaultyProxy.release` is set.
    """

    after: int
    how: Literal["close", "reset", "hold"] = "close"
    direction: Literal["answer", "request"] = "answer"


@dataclass(slots=True)
class FaultyProxy:
    """``faults`` apply to the connections in the order in which they are opened; None, and all further ones, are
    healthy. Lives on the test's loop."""

    upstream: str
    faults: Sequence[Fault | None]
    url: str = ""
    connections: int = 0
    answered: list[int] = field(default_factory=list)  # bytes of answers passed on, by connection
    held: asyncio.Event = field(default_factory=asyncio.Event)  # a connection has reached its ``hold``
    release: asyncio.Event = field(default_factory=asyncio.Event)
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)  # the client closed or reset a connection
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.answered.append(0)
        fault = self.faults[number] if number < len(self.faults) else None
        upstream = urlsplit(self.upstream)
        far_reader, far_writer = await asyncio.open_connection(upstream.hostname, upstream.port)
        try:
            request = asyncio.create_task(self._pump(reader, far_writer, number, fault, "request"))
            answer = asyncio.create_task(self._pump(far_reader, writer, number, fault, "answer"))
            done, rest = await asyncio.wait([request, answer], return_when=asyncio.FIRST_COMPLETED)
            if request in done:
                self.client_gone.set()
            for task in rest:
                task.cancel()
            await asyncio.gather(request, answer, return_exceptions=True)
        finally:
            for end in (writer, far_writer):
                if fault is not None and fault.how == "reset":
                    end.transport.abort()
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        number: int,
        fault: Fault | None,
        direction: Literal["answer", "request"],
    ) -> None:
        passed = 0
        limit = fault.after if fault is not None and fault.direction == direction else None
        with contextlib.suppress(ConnectionError):
            while data := await source.read(16 * 1024):
                cut = data if limit is None else data[: limit - passed]
                passed += len(cut)
                if direction == "answer":
                    self.answered[number] += len(cut)
                sink.write(cut)
                await sink.drain()
                if limit is not None and passed >= limit:
                    if fault is None or fault.how != "hold":
                        return
                    self.held.set()
                    await self.release.wait()
                    limit = None
                    sink.write(data[len(cut) :])


@asynccontextmanager
async def faulty_proxy(upstream: str, *faults: Fault | None) -> AsyncIterator[FaultyProxy]:
    """Runs a proxy in front of ``upstream`` (an http URL) on a free loopback port."""
    proxy = FaultyProxy(upstream, faults)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        proxy._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await proxy._serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy._tasks:
            task.cancel()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)
        await server.wait_closed()
