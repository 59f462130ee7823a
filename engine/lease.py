"""The lease on a message: its visibility timeout, extended from a thread of its own so that a busy loop keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, Self

from engine.errors import EngineError, LeaseCeiling, LeaseLost, Stalled
from engine.ports import Delivery, Queue

__all__ = ["CEILING_S", "Heartbeat", "Hold", "Lease", "NoLease", "OnEnd", "OpenQueue", "clock"]

type OpenQueue = Callable[[], Awaitable[Queue]]
type OnEnd = Callable[[EngineError], None]

CEILING_S = 43_200 - 600
"""SQS keeps a message invisible for 12 hours from its receive, whatever is asked. Ten minutes are left to stop in."""

_MARGIN = 0.1  # of the visibility timeout: what must be left of it to make something visible
_TRY = 1 / 6  # of the visibility timeout: what one extension gets, so that a dead connection leaves time for others


def clock() -> float:
    """Seconds that also pass while the machine is suspended: the queue's clock does not stop for us."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Hold(Protocol):
    """What a batch needs of the lease on its message."""

    def check(self) -> None:
        """Called before each step that makes something visible. Raises where that may be somebody else's by now."""

    def advanced(self) -> None:
        """Called whenever the batch has come further. Quick."""


class NoLease:
    """The :class:`Hold` of a batch that no message stands behind."""

    def check(self) -> None: ...

    def advanced(self) -> None: ...


class Lease:
    """One receive of a message, ours until the deadline.

    The deadline counts from the *sending* of the last extension that succeeded, on this machine's clock: what the
    queue says later about a stale receipt proves nothing.

    ``_deadline`` and ``refused`` are written by the heartbeat thread, the others by the batch's loop; each is read by
    both. Replacing a reference is atomic, and late news only makes :meth:`ended` stricter.

    Args:
        received_at: :func:`clock` before the receive was sent.
    """

    def __init__(
        self,
        delivery: Delivery,
        visibility_s: float,
        received_at: float,
        *,
        stall_s: float = float("inf"),
        ceiling_s: float = CEILING_S,
    ) -> None:
        self.delivery = delivery
        self.refused: LeaseLost | None = None  # the queue's own word that the message is not ours
        self.given_back = False  # set before the message is: no extension may follow that
        self._visibility_s = visibility_s
        self._stall_s = stall_s
        self._ceiling = received_at + ceiling_s
        self._deadline = received_at + visibility_s
        self._advanced_at = received_at

    def renewed(self, sent_at: float, visibility_s: float) -> None:
        """An extension by ``visibility_s`` that was sent at ``sent_at`` has succeeded."""
        self._deadline = sent_at + visibility_s

    def advanced(self) -> None:
        """The batch has come further: a byte was read, an object completed."""
        self._advanced_at = clock()

    def remaining(self) -> float:
        """Seconds until the deadline; negative past it."""
        return self._deadline - clock()

    def next_end(self) -> float:
        """When the lease ends if nothing happens until then."""
        return min(self._deadline, self._ceiling, self._advanced_at + self._stall_s)

    def ended(self) -> EngineError | None:
        """Why the batch must stop; None while it may go on."""
        now, name = clock(), f"message {self.delivery.message_id}"
        if self.refused is not None:
            return self.refused
        if now >= self._deadline:
            return LeaseLost(
                f"{name}: its visibility timeout ran out before it could be extended; another worker may have it"
            )
        if now >= self._ceiling:
            return LeaseCeiling(
                f"{name}: a queue keeps a message invisible for 12 hours at most; the files that are done are kept,"
                " and the next receive goes on with the others"
            )
        if now >= self._advanced_at + self._stall_s:
            return Stalled(f"{name}: no byte has advanced for {self._stall_s:g} s (queue.stall_s)")
        return None

    def check(self) -> None:
        """Called before anything is made visible or deleted. Raises the reason where the lease has ended, and
        LeaseLost where it may end before what follows has reached the store."""
        if (error := self.ended()) is not None:
            raise error
        if self.remaining() < self._visibility_s * _MARGIN:
            raise LeaseLost(
                f"message {self.delivery.message_id}: its visibility timeout is about to run out and was not extended"
            )


class Heartbeat:
    """A thread that keeps leases alive, with an event loop and a queue client of its own.

    Args:
        open_queue: makes the client; called on the thread's loop.
        visibility_s: what each extension asks for; one is sent every third of it.
        stall_s: seconds without :meth:`Lease.advanced` after which a lease is extended no longer.
    """

    def __init__(
        self,
        open_queue: OpenQueue,
        visibility_s: int,
        *,
        stall_s: float = float("inf"),
        ceiling_s: float = CEILING_S,
    ) -> None:
        self._open_queue = open_queue
        self._visibility_s = visibility_s
        self._stall_s = stall_s
        self._ceiling_s = ceiling_s
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
    async def hold(self, delivery: Delivery, received_at: float, on_end: OnEnd) -> AsyncIterator[Lease]:
        """Extends the lease until the body is left, or until it ends.

        Args:
            received_at: :func:`clock` before the receive was sent.
            on_end: called once, on the caller's loop, with the reason for which the batch must stop.
        """
        caller = asyncio.get_running_loop()
        lease = Lease(delivery, self._visibility_s, received_at, stall_s=self._stall_s, ceiling_s=self._ceiling_s)
        beating = asyncio.run_coroutine_threadsafe(
            self._beat(lease, received_at, lambda error: caller.call_soon_threadsafe(on_end, error)), self._loop
        )
        try:
            yield lease
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wrap_future(beating)

    async def _beat(self, lease: Lease, received_at: float, end: Callable[[EngineError], object]) -> None:
        due = received_at + self._visibility_s / 3
        while (error := lease.ended()) is None:
            await asyncio.sleep(max(0.0, min(due, lease.next_end()) - clock()))
            if lease.given_back:
                return
            if clock() >= due and lease.ended() is None:
                extended = await self._extend(lease, received_at)
                # After a failure soon again: a few more tries fit before the deadline.
                due = clock() + self._visibility_s / (3 if extended else 15)
        end(error)

    async def _extend(self, lease: Lease, received_at: float) -> bool:
        sent_at = clock()
        # Never beyond the 12 hours, which SQS would refuse. The batch ends before that is short of a third.
        visibility_s = min(self._visibility_s, int(received_at + 43_200 - sent_at))
        try:
            async with asyncio.timeout(min(lease.remaining(), self._visibility_s * _TRY)):
                if self._queue is None:
                    self._queue = await self._open_queue()
                await self._queue.extend(lease.delivery, visibility_s)
        except LeaseLost as error:
            lease.refused = error
        except (EngineError, TimeoutError):
            return False
        else:
            lease.renewed(sent_at, visibility_s)
        return True

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
