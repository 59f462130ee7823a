"""The loop around the queue: take a message, hold its lease, run its batch, acknowledge it, give it back or set it
aside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from engine.batch import Batch, Committed, Effort, run_batch
from engine.config import Settings
from engine.disposal import Disposal
from engine.errors import EngineError, OwnAccessDenied, ShuttingDown, TransientError, Unavailable, ours
from engine.lease import Heartbeat, Lease, OpenQueue, clock
from engine.outage import Backoff, in_time, pause, probe, wait_for
from engine.pipeline import FileProgress
from engine.pool.open import Pool
from engine.ports import Delivery, Queue, S3Location, Stores
from engine.queue_check import warnings
from engine.sources import SourceFile

__all__ = ["Mode", "Observer", "Service", "Summary"]

log = structlog.get_logger()

_ANSWER_S = 3.0  # what an answer may take beyond its poll's wait, once told to stop

type Mode = Literal["forever", "once", "drain"]
type ReadMessage = Callable[[Delivery], Awaitable[Batch]]


class Observer(Protocol):
    """Is told what the service does, on its loop. Must not block or raise."""

    def batch_started(self, batch: Batch, files: Sequence[SourceFile]) -> None: ...

    def file_progress(self, progress: FileProgress) -> None: ...

    def batch_committed(self, batch: Batch, committed: Committed) -> None: ...

    def message_failed(self, delivery: Delivery, error: EngineError) -> None: ...


@dataclass(slots=True)
class Summary:
    """What a service has done since its start."""

    committed: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Turn:
    """One message in hand: its batch once it is known, and why it failed, if it did."""

    delivery: Delivery
    received_at: float
    batch: Batch | None = None
    failure: EngineError | None = None
    outage: bool = False  # it failed for our own side


@dataclass(frozen=True, slots=True)
class Service:
    """A worker of the queue; runs one batch at a time.

    Attributes:
        open_queue: makes a queue client for the loop it is called on.
        open_dead_letters: the same for the dead-letter queue, where there is one.
        read_message: turns a delivery into a batch; raises an EngineError for what cannot be one.
        stores: of the loop that calls :meth:`serve`.
    """

    settings: Settings
    open_queue: OpenQueue
    read_message: ReadMessage
    pool: Pool
    stores: Stores
    observer: Observer
    open_dead_letters: OpenQueue | None = None

    async def serve(self, mode: Mode, stop: asyncio.Event) -> Summary:
        """Works until told to stop.

        Args:
            mode: ``forever``; ``once`` ends after one message; ``drain`` when the queue gives none.
            stop: when set, no message is taken any more; the one in hand has ``service.grace_s`` to finish, then its
                unfinished files are given up and it is made visible again.

        Raises:
            EngineError: the queue cannot be used, for a reason that will not pass.
        """
        summary = Summary()
        settings = self.settings.queue
        queue = await self.open_queue()
        disposal = Disposal(queue, self.open_dead_letters, self.settings.failure, stop)
        try:
            await _look_at(queue, self.settings, stop)
            async with Heartbeat(self.open_queue, settings.visibility_s, stall_s=settings.stall_s) as heartbeat:
                while not stop.is_set():
                    delivery, received_at = await self._receive(queue, mode, stop)
                    if delivery is None:
                        if mode == "drain":
                            break
                        continue
                    if stop.is_set():  # it came with the last poll
                        await disposal.give_back(Lease(delivery, settings.visibility_s, received_at), 0)
                        break
                    turn = _Turn(delivery, received_at)
                    await self._handle(turn, heartbeat, disposal, stop, summary)
                    if mode == "once":
                        break
                    await self._wait_for_destination(turn, stop)
        finally:
            await disposal.aclose()
            await queue.aclose()
        return summary

    async def _receive(self, queue: Queue, mode: Mode, stop: asyncio.Event) -> tuple[Delivery | None, float]:
        """One poll that succeeded, and when it was sent.

        A poll that was sent is waited for, also when told to stop: it may bring a message. But a queue that does not
        answer is not. The message's lease counts from the sending, so a poll may take half of it at most.
        """
        settings = self.settings.queue
        wait_s = min(settings.wait_s, settings.visibility_s // 2, 1 if mode == "drain" else settings.wait_s)
        backoff = Backoff()
        while not stop.is_set():
            sent_at = clock()
            try:
                async with in_time(stop, wait_s + _ANSWER_S):
                    return await queue.receive(wait_s, settings.visibility_s), sent_at
            except TimeoutError:
                break
            except TransientError as error:
                log.warning("queue unavailable", error=str(error))
                await pause(backoff.next_s(), stop)
        return None, clock()

    async def _handle(
        self, turn: _Turn, heartbeat: Heartbeat, disposal: Disposal, stop: asyncio.Event, summary: Summary
    ) -> None:
        delivery = turn.delivery
        log.info("message received", message_id=delivery.message_id, receive_count=delivery.receive_count)
        ended: asyncio.Future[EngineError] = asyncio.get_running_loop().create_future()
        async with heartbeat.hold(delivery, turn.received_at, ended.set_result) as lease:
            try:
                await self._supervised(self._work(turn, lease), ended, stop)
            except EngineError as error:
                turn.failure = error
            except Exception as error:
                log.exception("internal error", message_id=delivery.message_id)
                turn.failure = EngineError(f"internal error: {type(error).__name__}: {error}")
            if turn.failure is None:
                summary.committed += 1
                await disposal.acknowledge(lease)
            else:
                summary.failed += 1
                self.observer.message_failed(delivery, turn.failure)
                batch_id = None
                if turn.batch is not None:
                    batch_id = turn.batch.batch_id
                    turn.outage = ours(turn.failure, configured=self._goes_where_configured(turn.batch))
                await disposal.failed(lease, turn.failure, batch_id, outage=turn.outage)

    async def _work(self, turn: _Turn, lease: Lease) -> None:
        batch = turn.batch = await self._read(turn.delivery, lease)
        with structlog.contextvars.bound_contextvars(batch_id=batch.batch_id, correlation_id=batch.correlation_id):
            log.info("batch started", mapping_id=batch.mapping.id, source=str(batch.source))
            started = time.monotonic()
            committed = await run_batch(
                batch,
                pool=self.pool,
                stores=self.stores,
                effort=Effort.of(self.settings),
                on_files=lambda files: self.observer.batch_started(batch, files),
                on_progress=self.observer.file_progress,
                hold=lease,
            )
            manifest = committed.manifest
            log.info(
                "batch committed before" if committed.before else "batch committed",
                files=len(manifest.files),
                files_resumed=committed.resumed,
                rows_read=manifest.rows_read,
                rows_written=manifest.rows_written,
                rows_rejected=manifest.rows_rejected,
                seconds=round(time.monotonic() - started, 3),
            )
            self.observer.batch_committed(batch, committed)

    async def _read(self, delivery: Delivery, lease: Lease) -> Batch:
        """The batch that the message asks for. Where our own mapping store, or the bucket of the message's document, is
        out or refuses us, the message waits in our hands."""
        backoff = Backoff()
        while True:
            try:
                return await self.read_message(delivery)
            except (Unavailable, OwnAccessDenied) as error:
                pause_s = backoff.next_s()
                log.warning("message cannot be read now", error=str(error), again_in_s=round(pause_s, 1))
                await asyncio.sleep(pause_s)
                lease.advanced()  # whose fault this is, is known: no stall

    async def _supervised(self, work: Awaitable[None], ended: asyncio.Future[EngineError], stop: asyncio.Event) -> None:
        """Runs ``work`` to its end, unless the lease ends or the grace after ``stop`` is over first."""
        task, on_stop = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {task, ended}
        try:
            await asyncio.wait(either | {on_stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and not ended.done():
                grace_s = self.settings.service.grace_s
                await asyncio.wait(either, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            elif ended.done():
                raise ended.result()
            else:
                raise ShuttingDown(f"told to stop, and not done within {self.settings.service.grace_s:g} s")
        finally:
            for each in (task, on_stop):
                each.cancel()
            await asyncio.gather(task, on_stop, return_exceptions=True)  # why we left is said already

    async def _wait_for_destination(self, turn: _Turn, stop: asyncio.Event) -> None:
        """Takes no further message while the destination that a batch failed for is out: those that wait on the
        queue must not count receives for it."""
        batch = turn.batch
        if batch is not None and turn.outage:
            await wait_for(lambda: probe(batch, self.stores), str(batch.destination), stop)

    def _goes_where_configured(self, batch: Batch) -> bool:
        where = batch.destination
        return isinstance(where, S3Location) and where.bucket == self.settings.destination.bucket


async def _look_at(queue: Queue, settings: Settings, stop: asyncio.Event) -> None:
    """Warns of what in the queue's own settings may lose messages, or handle them twice."""
    try:
        async with in_time(stop, 0):
            facts = await queue.facts()
    except TimeoutError:
        return
    except EngineError as error:
        if not isinstance(error, TransientError):
            log.warning("the queue's settings cannot be looked at", error=str(error))
        return
    for warning in warnings(facts, settings.queue):
        log.warning(warning, queue=settings.queue.url)
