"""A worker of a queue in memory, for the tests of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from engine.adapters.memory_queue import MemoryQueue
from engine.batch import Batch, Committed
from engine.config import FailureSettings, QueueSettings, ServiceSettings, Settings
from engine.errors import EngineError, MessageError
from engine.pipeline import FileProgress
from engine.pool.open import open_pool
from engine.ports import Delivery
from engine.service import Mode, Service, Summary
from engine.sources import SourceFile
from tests.batches import Stores, Watched, batch

__all__ = ["SETTINGS", "CountedQueue", "Serving", "Watch", "open_serving", "read"]


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


class CountedQueue(MemoryQueue):
    """Counts what it is asked for; ``before`` is called with the name of each operation, and may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []  # in order; on any thread
        self.before: Callable[[str], None] = lambda _: None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.before(what)

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        self._ask("receive")
        return await super().receive(wait_s, visibility_s)

    async def ack(self, delivery: Delivery) -> None:
        self._ask("ack")
        await super().ack(delivery)

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        self._ask(f"extend {visibility_s}")
        await super().extend(delivery, visibility_s)

    def receives(self) -> dict[str, int]:
        """How often each message that is left was received, by its body."""
        return {message.body: message.receive_count for message in self._messages.values()}


class Serving:
    """A service over watched stores, a queue and its dead-letter queue, with a pool of one worker thread."""

    def __init__(self, service: Service, queue: CountedQueue, dead: MemoryQueue, source: Watched, to: Watched) -> None:
        self.service, self.queue, self.dead, self.source, self.destination = service, queue, dead, source, to
        self.stop = asyncio.Event()
        assert isinstance(service.observer, Watch)
        self.watch = service.observer

    async def serve(self, mode: Mode = "drain", **changes: Any) -> Summary:
        """Serves, with another :class:`Service` in those of its attributes that are named."""
        return await replace(self.service, **changes).serve(mode, self.stop)


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


@asynccontextmanager
async def open_serving(settings: Settings = SETTINGS) -> AsyncIterator[Serving]:
    source, destination = Watched("source"), Watched("destination")
    stores = Stores(destination, source)
    queue, dead = CountedQueue(), MemoryQueue()

    async def open_queue() -> MemoryQueue:
        return queue

    async def open_dead_letters() -> MemoryQueue:
        return dead

    async with open_pool("threads", 1, 2, stores) as pool:
        service = Service(settings, open_queue, read, pool, stores, Watch(), open_dead_letters)
        yield Serving(service, queue, dead, source, destination)
