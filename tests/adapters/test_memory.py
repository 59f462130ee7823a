"""The in-memory store and queue: what only they can show."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.adapters.memory import MemoryQueue, MemoryStore, MemoryStores
from engine.errors import LeaseLost, TransientError
from engine.ports import Delivery, LocalLocation


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


def run_threads(count: int, work: object) -> None:
    assert callable(work)
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            asyncio.run(work(number))
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


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


def test_store_across_threads() -> None:
    """Of several threads that put a key only if it is absent, exactly one wins; uploads do not disturb each other."""
    stores = MemoryStores()
    ready = threading.Barrier(6)
    won: list[int] = []

    async def work(number: int) -> None:
        store = await stores().open(LocalLocation("shared"))
        ready.wait()
        if await store.put("manifest", str(number).encode(), only_if_absent=True) is not None:
            won.append(number)
        for item in range(50):
            upload = await store.begin(f"{number}/{item}")
            await upload.write(b"x" * item)
            await store.complete(await upload.finish())

    run_threads(6, work)
    assert len(won) == 1
    store = asyncio.run(stores.open(LocalLocation("shared")))
    assert asyncio.run(store.get("manifest")) == str(won[0]).encode()
    assert len(asyncio.run(listed(store))) == 301
    assert store.open_uploads() == ()


async def listed(store: MemoryStore) -> list[str]:
    return [info.key async for info in store.list("")]


async def test_finish_after_somebody_aborted() -> None:
    """An upload that was aborted from elsewhere cannot be finished or completed."""
    store = MemoryStore()
    upload = await store.begin("a")
    await upload.write(b"x")
    assert store.open_uploads() == ("a",)
    await store.abort_open("")
    with pytest.raises(TransientError):
        await upload.finish()
