"""A TCP proxy that misbehaves on purpose: cuts, silences or holds connections at a chosen byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["Fault", "FaultyProxy", "faulty_proxy"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection once ``after`` bytes went in one direction.

    ``close`` ends it in an orderly way (FIN), ``reset`` abruptly (RST), ``hold`` passes nothing on until
    :attr:`FaultyProxy.release` is set.

    The faults of answers strike the connections in the order in which they are opened; those of requests strike, in
    order, whichever connection sends so many bytes.
    """

    after: int
    how: Literal["close", "reset", "hold"] = "close"
    direction: Literal["answer", "request"] = "answer"


class FaultyProxy:
    """Between a client and ``upstream`` (an http URL); all on the test's loop."""

    def __init__(self, upstream: str, faults: tuple[Fault | None, ...]) -> None:
        self.url = ""
        self.connections = 0
        self.answered = 0  # bytes of answers passed on
        self.held = asyncio.Event()  # a connection has reached its ``hold``
        self.release = asyncio.Event()
        self.client_gone = asyncio.Event()  # the client closed or reset a connection
        self._ends: list[asyncio.StreamWriter] = []
        self._upstream = urlsplit(upstream)
        self._answer_faults = [fault for fault in faults if fault is None or fault.direction == "answer"]
        self._request_faults = [fault for fault in faults if fault is not None and fault.direction == "request"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection until either side, or a fault, ends it."""
        self.connections += 1
        fault = self._answer_faults.pop(0) if self._answer_faults else None
        far_reader, far_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        self._ends += [writer, far_writer]
        requests = asyncio.create_task(self._requests(reader, far_writer))
        answers = asyncio.create_task(self._answers(far_reader, writer, fault))
        reset = False
        try:
            done, _ = await asyncio.wait([requests, answers], return_when=asyncio.FIRST_COMPLETED)
            struck = next((fault for task in done if (fault := task.result()) is not None), None)
            reset = struck is not None and struck.how == "reset"
            if requests in done and struck is None:
                self.client_gone.set()
        finally:
            for task in (requests, answers):
                task.cancel()
            for end in (writer, far_writer):
                if reset:
                    end.transport.abort()
                end.close()
            await asyncio.gather(requests, answers, return_exceptions=True)

    async def aclose(self) -> None:
        """Resets what is still open."""
        for end in self._ends:
            end.transport.abort()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> Fault | None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := await source.read(16 * 1024):
                passed += len(data)
                sink.write(data)
                await sink.drain()
                if self._request_faults and passed >= self._request_faults[0].after:
                    fault = self._request_faults.pop(0)
                    if fault.how != "hold":
                        return fault
                    await self._hold()
        return None

    async def _answers(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, fault: Fault | None
    ) -> Fault | None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := await source.read(16 * 1024):
                cut = data if fault is None else data[: fault.after - passed]
                passed += len(cut)
                self.answered += len(cut)
                sink.write(cut)
                await sink.drain()
                if fault is not None and passed >= fault.after:
                    if fault.how != "hold":
                        return fault
                    fault = None
                    await self._hold()
                    sink.write(data[len(cut) :])
        return None

    async def _hold(self) -> None:
        self.held.set()
        await self.release.wait()


@asynccontextmanager
async def faulty_proxy(upstream: str, *faults: Fault | None) -> AsyncIterator[FaultyProxy]:
    """Runs a proxy in front of ``upstream`` on a free loopback port."""
    proxy = FaultyProxy(upstream, faults)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(proxy.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await proxy.aclose()
        server.abort_clients()
        await server.wait_closed()
