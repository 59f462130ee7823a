"""The loop around the queue acknowledges what is committed and gives back what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from engine.adapters.memory import MemoryQueue, MemoryStore, MemoryStores
from engine.batch import Batch, Committed, SourceFile
from engine.config import FailureSettings, QueueSettings, ServiceSettings, Settings
from engine.errors import EngineError, MessageError, TransientError
from engine.pipeline import FileProgress
from engine.pool.open import open_pool
from engine.ports import Delivery
from engine.service import Service
from tests.batches import DESTINATION, SOURCE, batch, fill, keys


class Watch:
    """Remembers what the service tells."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.committed: list[bool] = []
        self.failed: list[EngineError] = []
        self.rows = 0
        self.begun = asyncio.Event()

    def batch_started(self, batch: Batch, files: Sequence[SourceFile]) -> None:
        self.started.append(batch.batch_id)
        self.begun.set()

    def file_progress(self, progress: FileProgress) -> None:
        self.rows = max(self.rows, progress.counts.rows_read)

    def batch_committed(self, batch: Batch, committed: Committed) -> None:
        self.committed.append(committed.before)

    def message_failed(self, delivery: Delivery, error: EngineError) -> None:
        self.failed.append(error)


class World:
    def __init__(self, service: Service, queue: MemoryQueue, source: MemoryStore, destination: MemoryStore) -> None:
        self.service, self.queue, self.source, self.destination = service, queue, source, destination
        self.stop = asyncio.Event()
        assert isinstance(service.observer, Watch)
        self.watch = service.observer


SETTINGS = Settings(
    queue=QueueSettings(url="http://queue", wait_s=1, visibility_s=30),
    failure=FailureSettings(backoff_s=(600, 900)),
    service=ServiceSettings(grace_s=0),
)


async def read(delivery: Delivery) -> Batch:
    """Bodies are file keys; ``bad`` cannot be read, ``bug`` meets a bug, ``slow`` never comes to an end."""
    if delivery.body == "bug":
        raise RuntimeError("a bug")
    if delivery.body == "bad":
        raise MessageError("not a message")
    if delivery.body == "slow":
        await asyncio.Event().wait()
    return batch(delivery.body.split(","), batch_id=delivery.body[:10].replace("/", "-"), root=f"{delivery.body}/")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    stores = MemoryStores()
    queue = MemoryQueue()

    async def open_queue() -> MemoryQueue:
        return queue

    async with open_pool("threads", 1, 2, stores) as pool:
        service = Service(SETTINGS, open_queue, read, pool, stores, Watch())
        yield World(service, queue, await stores.open(SOURCE), await stores.open(DESTINATION))


async def test_drain_commits_and_acknowledges(world: World) -> None:
    """Drain takes every message, commits each batch, deletes each message and ends when the queue is empty."""
    names = await fill(world.source, 3)
    for name in names:
        await world.queue.send(name)
    summary = await world.service.serve("drain", world.stop)
    assert (summary.committed, summary.failed, len(world.queue)) == (3, 0, 0)
    assert world.watch.committed == [False] * 3
    assert world.watch.rows == 3
    assert len([key for key in await keys(world.destination) if key.endswith("manifest.json")]) == 3


async def test_once_waits_for_a_message_and_ends_after_it(world: World) -> None:
    """Once goes on polling until a message comes, handles it, and leaves the next one on the queue."""
    serving = asyncio.create_task(world.service.serve("once", world.stop))
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)
    summary = await serving
    assert (summary.committed, len(world.queue)) == (1, 1)


async def test_a_redelivered_message_is_deleted_without_work(world: World) -> None:
    """A message whose batch is committed already is acknowledged; nothing is read again."""
    (name,) = await fill(world.source, 1)
    for _ in range(2):
        await world.queue.send(name)
    summary = await world.service.serve("drain", world.stop)
    assert (summary.committed, len(world.queue)) == (2, 0)
    assert world.watch.committed == [False, True]
    assert len(world.watch.started) == 1


async def test_failures_are_given_back_with_a_delay(world: World) -> None:
    """A missing file, an unreadable message and a bug fail their messages, which wait out of sight; others go on."""
    names = await fill(world.source, 1)
    for body in ("in/gone.csv", "bad", "bug", names[0]):
        await world.queue.send(body)
    summary = await world.service.serve("drain", world.stop)
    assert (summary.committed, summary.failed, len(world.queue)) == (1, 3, 3)
    assert [error.code for error in world.watch.failed] == ["batch-failed", "message-error", "internal-error"]
    assert await world.queue.receive(0, 30) is None


async def test_stop_ends_the_work_in_hand_and_gives_its_message_back(world: World) -> None:
    """Told to stop, with no grace left, the batch in hand is given up and its message is visible at once."""
    await world.queue.send("slow")
    reading = asyncio.Event()

    async def slow(delivery: Delivery) -> Batch:
        reading.set()
        return await read(delivery)

    service = Service(SETTINGS, world.service.open_queue, slow, world.service.pool, world.service.stores, world.watch)
    serving = asyncio.create_task(service.serve("forever", world.stop))
    await reading.wait()
    world.stop.set()
    summary = await serving
    assert (summary.committed, summary.failed) == (0, 1)
    assert world.watch.failed[0].code == "shutting-down"
    delivery = await world.queue.receive(0, 30)
    assert delivery is not None
    assert delivery.receive_count == 2


async def test_stop_while_polling_ends(world: World) -> None:
    """Told to stop while a poll runs, the service waits for the poll and ends without work."""
    serving = asyncio.create_task(world.service.serve("forever", world.stop))
    world.stop.set()
    summary = await serving
    assert (summary.committed, summary.failed) == (0, 0)


class Flaky(MemoryQueue):
    """Cannot be reached for the first receives."""

    failures = 2

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        if self.failures:
            self.failures -= 1
            raise TransientError("down")
        return await super().receive(wait_s, visibility_s)


async def test_a_queue_that_is_down_is_asked_again(world: World) -> None:
    """A queue that cannot be reached is not an empty one: it is polled again after a pause, and nothing is lost."""
    queue = Flaky()
    (name,) = await fill(world.source, 1)
    await queue.send(name)

    async def open_queue() -> MemoryQueue:
        return queue

    soon = SETTINGS.model_copy(update={"failure": FailureSettings(backoff_s=(0.01, 1))})
    service = Service(soon, open_queue, read, world.service.pool, world.service.stores, world.watch)
    summary = await service.serve("drain", world.stop)
    assert (summary.committed, queue.failures, len(queue)) == (1, 0, 0)
