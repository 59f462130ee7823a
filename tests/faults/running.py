"""Runs a proxy in a thread of its own, so that tests without a loop, and real worker processes, can use it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tests.faults.leases import LeaseMode, LeaseTable
from tests.faults.operations import Call
from tests.faults.proxy import FaultProxy
from tests.faults.relay import Relay
from tests.faults.rules import Rule

__all__ = ["fault_proxy"]

type _Running = tuple[asyncio.AbstractEventLoop, asyncio.Event, int]


@contextmanager
def fault_proxy(
    upstream: str,
    *rules: Rule,
    leases: LeaseTable | LeaseMode | None = None,
    port: int = 0,
    keep: int = 20_000,
    seen: Callable[[Call], None] | None = None,
) -> Iterator[FaultProxy]:
    """A proxy on loopback in front of ``upstream`` (an http URL); when the block is left it and all it held are gone.

    Args:
        rules: the first rules; the first that strikes a call is the one that does.
        leases: a mode, for a table of its own, or a table that several proxies share.
        port: 0 for a free one.
        keep: so many of the latest calls are kept, to be looked at.
        seen: is told each call once it is done, on the proxy's thread.

    Raises:
        OSError: the port is taken.
        ExceptionGroup: on leaving: a rule's function raised.
    """
    table = LeaseTable(leases) if isinstance(leases, str) else leases
    proxy = FaultProxy(upstream, rules, leases=table, keep=keep, seen=seen)
    running: Future[_Running] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_run(proxy, port, running)), name="fault-proxy")
    thread.start()
    loop, stop, taken = running.result()
    proxy.url = f"http://127.0.0.1:{taken}"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    proxy.check()


async def _run(proxy: FaultProxy, port: int, running: Future[_Running]) -> None:
    relay = Relay(proxy)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    try:
        server = await loop.create_server(relay.client, "127.0.0.1", port)
    except OSError as error:
        running.set_exception(error)
        return
    running.set_result((loop, stop, server.sockets[0].getsockname()[1]))
    await stop.wait()
    server.close()
    await relay.aclose()
    server.abort_clients()
    await server.wait_closed()
