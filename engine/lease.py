"""The lease on a message: its visibility timeout, extended from a thread of its own so that a busy loop keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

from engine.errors import EngineError, LeaseLost
from engine.ports import Delivery, Queue

__all__ = ["Heartbeat", "Lease"]

type OpenQueue = Callable[[], Awaitable[Queue]]


class Lease:
    """One receive of a message, ours until the deadline.

    The deadline counts from the *sending* of the last extension that succeeded, on this machine's monotonic clock: what
    the queue says later about a stale receipt proves nothing.
    """

    def __init__(self, delivery: Delivery, visibility_s: float, received_at: float) -> None:
        self.delivery = delivery
        self._visibility_s = visibility_s
        # Written by the heartbeat thread, read by any: a float's replacement is atomic, and late news only makes
        # check() stricter.
        self._deadline = received_at + visibility_s

    def renewed(self, sent_at: float) -> None:
        self._deadline = sent_at + self._visibility_s

    def remaining(self) -> float:
        """Seconds until the deadline; negative past it."""
        return self._deadline - time.monotonic()

    def check(self) -> None:
        """Raises LeaseLost past the deadline."""
        if self.remaining() <= 0:
            raise LeaseLost(
                f"message {self.delivery.message_id}: its visibility timeout ran out before it could be extended;"
                " another worker may have it"
            )


class Heartbeat:
    """A thread that keeps leases alive, with an event loop and a queue client of its own.

    Args:
        open_queue: makes the client; called on the thread's loop.
        visibility_s: what each extension asks for; one is sent every third of it.
    """

    def __init__(self, open_queue: OpenQueue, visibility_s: int) -> None:
        self._open_queue = open_queue
        self._visibility_s = visibility_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._queue: Queue | None = None  # owned by the thread

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._on_thread(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    @asynccontextmanager
    async def hold(self, delivery: Delivery, received_at: float, on_lost: Callable[[], None]) -> AsyncIterator[Lease]:
        """Extends the lease until the body is left.

        Args:
            received_at: ``time.monotonic()`` before the receive was sent.
            on_lost: called once, on the caller's loop, when the deadline passes. The body must stop then.
        """
        caller = asyncio.get_running_loop()
        lease = Lease(delivery, self._visibility_s, received_at)
        beating = asyncio.run_coroutine_threadsafe(
            self._beat(lease, lambda: caller.call_soon_threadsafe(on_lost)), self._loop
        )
        try:
            yield lease
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wrap_future(beating)

    async def _beat(self, lease: Lease, lost: Callable[[], object]) -> None:
        wait_s = lease.remaining() - self._visibility_s * 2 / 3  # a third of it after the receive was sent
        while True:
            await asyncio.sleep(max(0.0, min(wait_s, lease.remaining())))
            if lease.remaining() <= 0:
                lost()
                return
            sent_at = time.monotonic()
            try:
                async with asyncio.timeout(lease.remaining()):
                    if self._queue is None:
                        self._queue = await self._open_queue()
                    await self._queue.extend(lease.delivery, self._visibility_s)
            except (EngineError, TimeoutError):
                wait_s = self._visibility_s / 15  # soon again: a few more tries fit before the deadline
            else:
                lease.renewed(sent_at)
                wait_s = self._visibility_s / 3

    async def _close(self) -> None:
        if self._queue is not None:
            await self._queue.aclose()

    async def _on_thread(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
