"""The in-memory queue: what only it can show."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.adapters.memory_queue import MemoryQueue
from engine.errors import LeaseLost
from engine.ports import Delivery
from tests.adapters.threads import run_threads


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_visibility_by_the_clock() -> None:
    """Visibility ends exactly when the clock says so; an extension counts from now; a late one has lost the lease."""
    clock = Clock()
    queue = MemoryQueue(clock)
    await queue.send("x")
    first = await queue.receive(0, 30)
    assert first is not None
    clock.now += 29.9
    assert await queue.receive(0, 30) is None
    await queue.extend(first, 30)
    clock.now += 29.9
    assert await queue.receive(0, 30) is None
    clock.now += 0.1
    with pytest.raises(LeaseLost):
        await queue.extend(first, 30)
    second = await queue.receive(0, 30)
    assert second is not None
    await queue.ack(first)
    assert len(queue) == 1
    await queue.ack(second)
    assert len(queue) == 0


async def test_a_fifo_queue_refuses_a_receipt_past_its_time() -> None:
    """As SQS does: a message whose visibility ended is not deleted, whoever has it by then; one that is gone is."""
    clock = Clock()
    queue = MemoryQueue(clock, fifo=True)
    await queue.send("x", group="g")
    first = await queue.receive(0, 30)
    assert first is not None
    clock.now += 30
    with pytest.raises(LeaseLost):
        await queue.ack(first)
    second = await queue.receive(0, 30)
    assert second is not None
    with pytest.raises(LeaseLost):
        await queue.ack(first)
    await queue.ack(second)
    await queue.ack(second)
    assert len(queue) == 0


async def test_a_group_is_free_when_its_message_times_out() -> None:
    """A message that is held no longer comes again before the others of its group; other groups never wait for it."""
    clock = Clock()
    queue = MemoryQueue(clock, fifo=True)
    for body, group in (("1", "g"), ("2", "g"), ("3", "h")):
        await queue.send(body, group=group)
    given = [await queue.receive(0, 30) for _ in range(3)]
    clock.now += 30
    given += [await queue.receive(0, 30) for _ in range(3)]
    assert [each and (each.body, each.receive_count) for each in given] == [
        *[("1", 1), ("3", 1), None],
        *[("1", 2), ("3", 2), None],
    ]


async def test_a_waiting_receive_gets_the_next_of_its_group() -> None:
    """A poll that waits wakes when the message that holds the group is deleted."""
    queue = MemoryQueue(fifo=True)
    for body in ("1", "2"):
        await queue.send(body, group="g")
    first = await queue.receive(0, 300)
    assert first is not None
    poll = asyncio.create_task(queue.receive(3600, 300))
    await asyncio.sleep(0)
    assert not poll.done()
    await queue.ack(first)
    second = await poll
    assert second is not None
    assert second.body == "2"


def test_queue_across_threads() -> None:
    """Loops of several threads share a queue: every message goes to exactly one of them, waiters included."""
    queue = MemoryQueue()
    taken: list[Delivery] = []
    ready = threading.Barrier(5)
    done = threading.Event()

    async def consume(_: int) -> None:
        ready.wait()
        while not done.is_set():
            delivery = await queue.receive(20, 300)
            assert delivery is not None
            if delivery.body == "stop":
                done.set()
                await queue.extend(delivery, 0)
                return
            await queue.ack(delivery)
            taken.append(delivery)

    async def work(number: int) -> None:
        if number:
            await consume(number)
            return
        ready.wait()
        for item in range(200):
            await queue.send(str(item))
        await queue.send("stop")  # the oldest comes first, so this comes last

    run_threads(5, work)
    assert sorted(int(delivery.body) for delivery in taken) == list(range(200))
