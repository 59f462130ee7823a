"""The heartbeat keeps a message ours while work goes on, and says so when it no longer can."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.adapters.memory_queue import MemoryQueue
from engine.errors import EngineError, LeaseCeiling, LeaseLost, Stalled, TransientError
from engine.lease import Heartbeat, Lease, NoLease, clock
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
        async with heartbeat.hold(DELIVERY, clock(), lambda _: None) as lease:
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

    def on_lost(_: EngineError) -> None:
        lost.append(threading.current_thread().name)
        told.set()

    async with (
        Heartbeat(open_queue, visibility_s=1) as heartbeat,
        heartbeat.hold(DELIVERY, clock(), on_lost) as lease,
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
            async with heartbeat.hold(DELIVERY, clock(), lambda _: None):
                pass
        async with heartbeat.hold(DELIVERY, clock(), lambda _: None):
            await queue.enough.wait()
    assert opened == [1]


def test_the_deadline_counts_from_the_sending() -> None:
    """A renewal moves the deadline to the moment it was sent plus the timeout, not to when its answer came."""
    now = clock()
    lease = Lease(DELIVERY, visibility_s=100, received_at=now - 99)
    assert lease.remaining() <= 1
    lease.renewed(now - 50, 100)
    assert 49 <= lease.remaining() <= 50
    lease.renewed(now - 101, 100)
    with pytest.raises(LeaseLost):
        lease.check()


class Spy(Extended):
    """Remembers what it was asked for, and answers as the test says."""

    def __init__(self, times: int = 1000, answer: EngineError | None = None) -> None:
        super().__init__(times)
        self.asked: list[int] = []
        self.answer = answer
        self.hangs = 0  # so many of the first calls are never answered

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        self.asked.append(visibility_s)
        if len(self.asked) <= self.hangs:
            await asyncio.Event().wait()
        await super().extend(delivery, visibility_s)
        if self.answer is not None:
            raise self.answer


def heartbeat_of(queue: Spy, visibility_s: int, **limits: float) -> Heartbeat:
    async def open_queue() -> Spy:
        return queue

    return Heartbeat(open_queue, visibility_s, **limits)


async def ends(heartbeat: Heartbeat, *, busy: bool = False) -> tuple[list[EngineError], Lease]:
    """Holds a lease until it ends; all that the holder was told, and the lease."""
    told: list[EngineError] = []
    end = asyncio.Event()
    waiting = asyncio.create_task(end.wait())

    def on_end(error: EngineError) -> None:
        told.append(error)
        end.set()

    async with heartbeat, heartbeat.hold(DELIVERY, clock(), on_end) as lease:
        while busy and not end.is_set():
            lease.advanced()
            await asyncio.wait([waiting], timeout=0.02)
        await waiting
    return told, lease


async def test_a_refusal_ends_the_lease_at_once() -> None:
    """The queue's own word that the message is not ours is enough: one call, one end, and nothing passes a check."""
    queue = Spy(answer=LeaseLost("no longer ours"))
    told, lease = await ends(heartbeat_of(queue, 3))
    assert told == [queue.answer]
    assert len(queue.asked) == 1
    assert lease.remaining() > 0  # it is not the time that ended it
    with pytest.raises(LeaseLost, match="no longer ours"):
        lease.check()


async def test_a_stall_ends_the_lease() -> None:
    """A batch of which nothing advances is told so, while its message is still ours to give back."""
    told, lease = await ends(heartbeat_of(Spy(), 30, stall_s=0.2))
    assert [type(error) for error in told] == [Stalled]
    assert "0.2 s (queue.stall_s)" in told[0].message
    assert lease.remaining() > 0
    assert lease.refused is None


async def test_whoever_advances_is_held_until_the_ceiling() -> None:
    """Extension goes on past any number of stall times while bytes advance, and ends, with its reason, before the queue
    would end it."""
    queue = Spy()
    told, lease = await ends(heartbeat_of(queue, 2, stall_s=1, ceiling_s=2.5), busy=True)
    assert [type(error) for error in told] == [LeaseCeiling]
    assert len(queue.asked) >= 3
    assert lease.remaining() > 0
    with pytest.raises(LeaseCeiling):
        lease.check()


async def test_no_extension_reaches_beyond_twelve_hours() -> None:
    """SQS refuses what would keep a message for more than 12 hours from its receive: less is asked for, and counted."""
    queue = Spy()
    heartbeat = heartbeat_of(queue, 300)
    received_at = clock() - 43_200 + 90.9
    lease = Lease(DELIVERY, 300, received_at)
    lease.renewed(clock(), 300)
    assert await heartbeat._extend(lease, received_at)
    assert queue.asked == [90]
    assert lease.remaining() <= 90
    heartbeat._loop.close()


async def test_an_extension_that_hangs_leaves_time_for_others() -> None:
    """A connection that died without a word costs one try, not the lease."""
    queue = Spy(times=1)
    queue.hangs = 1
    told: list[EngineError] = []
    async with heartbeat_of(queue, 3) as heartbeat, heartbeat.hold(DELIVERY, clock(), told.append) as lease:
        await queue.enough.wait()
        lease.check()
    assert told == []
    assert len(queue.asked) == 2


async def test_a_message_that_was_given_back_is_not_extended() -> None:
    """Neither an extension nor an end follows: the next receive may have it by now."""
    queue = Spy()
    told: list[EngineError] = []
    heartbeat = heartbeat_of(queue, 3)
    received_at = clock() - 1.5  # an extension is due
    lease = Lease(DELIVERY, 3, received_at)
    lease.given_back = True
    await heartbeat._beat(lease, received_at, told.append)
    assert (queue.asked, told) == ([], [])
    heartbeat._loop.close()


def test_the_last_tenth_is_not_enough() -> None:
    """Nothing is made visible with less than a tenth of the timeout left, though the message is still ours."""
    lease = Lease(DELIVERY, visibility_s=100, received_at=clock() - 89)
    lease.check()
    lease = Lease(DELIVERY, visibility_s=100, received_at=clock() - 91)
    assert lease.ended() is None
    with pytest.raises(LeaseLost, match="m1: its visibility timeout is about to run out"):
        lease.check()


def test_reasons_in_their_order() -> None:
    """A refusal outweighs the deadline, that the ceiling, and that a stall; each is named."""
    lease = Lease(DELIVERY, visibility_s=100, received_at=clock() - 50, stall_s=40, ceiling_s=45)
    seen = [lease.ended()]
    lease.renewed(clock() - 200, 100)
    seen.append(lease.ended())
    lease.refused = LeaseLost("refused")
    seen.append(lease.ended())
    fresh = Lease(DELIVERY, visibility_s=100, received_at=clock() - 50, stall_s=40)
    seen.append(fresh.ended())
    fresh.advanced()
    seen.append(fresh.ended())
    assert [type(error) for error in seen] == [LeaseCeiling, LeaseLost, LeaseLost, Stalled, type(None)]
    assert seen[2] is lease.refused


def test_without_a_lease_nothing_ends() -> None:
    """A batch that no message stands behind may go on for ever."""
    NoLease().check()
    NoLease().advanced()
