"""The loop around the queue: take a message, hold its lease, run its batch, acknowledge or give it back."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from engine.batch import Batch, Committed, SourceFile, run_batch
from engine.config import Settings
from engine.core.limits import Limits
from engine.errors import BatchFailed, EngineError, Failure, LeaseLost, ShuttingDown, TransientError
from engine.lease import Heartbeat, Lease, OpenQueue
from engine.pipeline import FileProgress
from engine.pool.open import Pool
from engine.ports import Delivery, Queue, Stores

__all__ = ["Mode", "Observer", "Service", "Summary"]

log = structlog.get_logger()

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


@dataclass(frozen=True, slots=True)
class Service:
    """A worker of the queue; runs one batch at a time.

    Attributes:
        open_queue: makes a queue client for the loop it is called on.
        read_message: turns a delivery into a batch; raises an EngineError for what cannot be one.
        stores: of the loop that calls :meth:`serve`.
    """

    settings: Settings
    open_queue: OpenQueue
    read_message: ReadMessage
    pool: Pool
    stores: Stores
    observer: Observer

    async def serve(self, mode: Mode, stop: asyncio.Event) -> Summary:
        """Works until told to stop.

        Args:
            mode: ``forever``; ``once`` ends after one message; ``drain`` when the queue gives none.
            stop: when set, no message is taken any more; the one in hand has ``service.grace_s`` to finish, then its
                uploads are discarded and it is made visible again.

        Raises:
            EngineError: the queue cannot be used, for a reason that will not pass.
        """
        summary = Summary()
        queue = await self.open_queue()
        try:
            async with Heartbeat(self.open_queue, self.settings.queue.visibility_s) as heartbeat:
                while not stop.is_set():
                    delivery, received_at = await self._receive(queue, mode, stop)
                    if delivery is not None and stop.is_set():
                        await self._give_back(queue, delivery, 0)
                    elif delivery is not None:
                        await self._handle(queue, heartbeat, delivery, received_at, stop, summary)
                    if (mode == "once" and delivery is not None) or (mode == "drain" and delivery is None):
                        break
        finally:
            await queue.aclose()
        return summary

    async def _receive(self, queue: Queue, mode: Mode, stop: asyncio.Event) -> tuple[Delivery | None, float]:
        """One poll that succeeded, and when it was sent.

        A poll that was sent is waited for, also when told to stop: it may bring a message. Its lease counts from the
        sending, so a poll may take half of it at most.
        """
        settings = self.settings.queue
        wait_s = min(settings.wait_s, settings.visibility_s // 2, 1 if mode == "drain" else settings.wait_s)
        while not stop.is_set():
            sent_at = time.monotonic()
            try:
                return await queue.receive(wait_s, settings.visibility_s), sent_at
            except TransientError as error:
                log.warning("queue unavailable", error=str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self.settings.failure.backoff_s[0])
        return None, time.monotonic()

    async def _handle(
        self,
        queue: Queue,
        heartbeat: Heartbeat,
        delivery: Delivery,
        received_at: float,
        stop: asyncio.Event,
        summary: Summary,
    ) -> None:
        log.info("message received", message_id=delivery.message_id, receive_count=delivery.receive_count)
        lost = asyncio.Event()
        async with heartbeat.hold(delivery, received_at, lost.set) as lease:
            try:
                await self._supervised(self._work(delivery, lease), lost, stop)
                lease.check()
                await queue.ack(delivery)
            except EngineError as error:
                summary.failed += 1
                await self._failed(queue, delivery, error)
            except Exception as error:
                log.exception("internal error", message_id=delivery.message_id)
                summary.failed += 1
                await self._failed(queue, delivery, EngineError(f"internal error: {type(error).__name__}: {error}"))
            else:
                summary.committed += 1
                log.info("message acknowledged", message_id=delivery.message_id)

    async def _work(self, delivery: Delivery, lease: Lease) -> None:
        batch = await self.read_message(delivery)
        with structlog.contextvars.bound_contextvars(batch_id=batch.batch_id, correlation_id=batch.correlation_id):
            log.info("batch started", mapping_id=batch.mapping.id, source=str(batch.source))
            committed = await run_batch(
                batch,
                pool=self.pool,
                stores=self.stores,
                policy=self.settings.pool.assign,
                limits=Limits.of(self.settings.limits),
                on_files=lambda files: self.observer.batch_started(batch, files),
                on_progress=self.observer.file_progress,
                check_lease=lease.check,
            )
            manifest = committed.manifest
            log.info(
                "batch committed before" if committed.before else "batch committed",
                files=len(manifest.files),
                rows_read=manifest.rows_read,
                rows_written=manifest.rows_written,
                rows_rejected=manifest.rows_rejected,
            )
            self.observer.batch_committed(batch, committed)

    async def _supervised(self, work: Awaitable[None], lost: asyncio.Event, stop: asyncio.Event) -> None:
        """Runs ``work`` to its end, unless the lease is lost or the grace after ``stop`` is over first."""
        task = asyncio.ensure_future(work)
        on_lost, on_stop = asyncio.create_task(lost.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({task, on_lost, on_stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and not lost.is_set():
                grace_s = self.settings.service.grace_s
                await asyncio.wait({task, on_lost}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            elif lost.is_set():
                raise LeaseLost("the message's visibility timeout could not be extended in time")
            else:
                raise ShuttingDown(f"told to stop, and not done within {self.settings.service.grace_s:g} s")
        finally:
            for each in (task, on_lost, on_stop):
                each.cancel()
            await asyncio.wait({task, on_lost, on_stop})

    async def _failed(self, queue: Queue, delivery: Delivery, error: EngineError) -> None:
        kind = error.kind if isinstance(error, BatchFailed) else error.failure
        for each in error.errors if isinstance(error, BatchFailed) else [error]:
            log.error(
                "message failed",
                message_id=delivery.message_id,
                batch_id=each.batch,
                file=each.file,
                code=each.code,
                failure=str(kind),
                error=each.message,
            )
        self.observer.message_failed(delivery, error)
        if kind is Failure.SHUTDOWN:
            await self._give_back(queue, delivery, 0)
        elif kind is not Failure.LEASE_LOST:
            await self._give_back(queue, delivery, self._backoff_s(delivery.receive_count))

    def _backoff_s(self, receive_count: int) -> int:
        """Exponential in the number of receives, with jitter between half and all of it."""
        first, longest = self.settings.failure.backoff_s
        delay_s: float = min(first * 2 ** min(receive_count - 1, 20), longest)
        return round(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    async def _give_back(self, queue: Queue, delivery: Delivery, delay_s: int) -> None:
        try:
            await queue.extend(delivery, delay_s)
        except EngineError as error:
            log.warning("message not given back; its visibility timeout will", error=str(error))
        else:
            log.info("message given back", message_id=delivery.message_id, visible_in_s=delay_s)
