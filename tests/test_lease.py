"""The heartbeat keeps a message ours while work goes on, and says so when it no longer can."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from engine.adapters.memory import MemoryQueue
from engine.errors import LeaseLost, TransientError
from engine.lease import Heartbeat, Lease
from engine.ports import Delivery

DELIVERY = Delivery("m1", "r1", "{}")


class Extended(MemoryQueue):
    """Tells a loop when it has been extended often enough; on which thread, and whether it was closed."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.loop, self.enough = asyncio.get_running_loop(), asyncio.Event()
        self.left = times
        self.threads: set[str] = set()
        self.closed = False

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.left -= 1
        if self.left == 0:
            self.loop.call_soon_threadsafe(self.enough.set)

    async def aclose(self) -> None:
        self.closed = True


class Down(Extended):
    """Cannot extend."""

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        await super().extend(delivery, visibility_s)
        raise TransientError("down")


async def test_extends_from_its_own_thread_until_released() -> None:
    """Extensions go on from the heartbeat's thread, also while the caller's loop is blocked; its client is closed."""
    queue = Extended(times=4)
    blocked = threading.Event()

    async def open_queue() -> Extended:
        return queue

    async with Heartbeat(open_queue, visibility_s=1) as heartbeat:
        async with heartbeat.hold(DELIVERY, time.monotonic(), lambda: None) as lease:
            blocked.wait(0.7)  # the loop cannot run: two extensions fall due meanwhile
            assert queue.left <= 2
            await queue.enough.wait()
            lease.check()
        left = queue.left
    assert queue.threads == {"heartbeat"}
    assert queue.closed
    assert queue.left == left


async def test_a_lease_that_cannot_be_extended_is_lost_once() -> None:
    """When no extension succeeds until the deadline, the holder is told once, on its loop, after several tries."""
    queue = Down(times=3)
    lost: list[str] = []
    told = asyncio.Event()

    async def open_queue() -> Down:
        return queue

    def on_lost() -> None:
        lost.append(threading.current_thread().name)
        told.set()

    async with (
        Heartbeat(open_queue, visibility_s=1) as heartbeat,
        heartbeat.hold(DELIVERY, time.monotonic(), on_lost) as lease,
    ):
        await told.wait()
        with pytest.raises(LeaseLost, match="m1"):
            lease.check()
    assert lost == [threading.current_thread().name]
    assert queue.enough.is_set()


async def test_leases_follow_each_other_on_one_thread() -> None:
    """The thread and its client serve one lease after another."""
    queue = Extended(times=2)
    opened: list[int] = []

    async def open_queue() -> Extended:
        opened.append(1)
        return queue

    async with Heartbeat(open_queue, visibility_s=1) as heartbeat:
        for _ in range(2):
            async with heartbeat.hold(DELIVERY, time.monotonic(), lambda: None):
                pass
        async with heartbeat.hold(DELIVERY, time.monotonic(), lambda: None):
            await queue.enough.wait()
    assert opened == [1]


def test_the_deadline_counts_from_the_sending() -> None:
    """A renewal moves the deadline to the moment it was sent plus the timeout, not to when its answer came."""
    now = time.monotonic()
    lease = Lease(DELIVERY, visibility_s=100, received_at=now - 99)
    assert lease.remaining() <= 1
    lease.renewed(now - 50)
    assert 49 <= lease.remaining() <= 50
    lease.renewed(now - 101)
    with pytest.raises(LeaseLost):
        lease.check()
