"""What becomes of a message when its batch is done: acknowledged, given back, or set aside in the dead-letter queue.

Nothing is sent with a receipt whose lease is over: the queue may take it for the next worker's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from engine.config import FailureSettings
from engine.dead_letter import attributes
from engine.errors import BatchFailed, EngineError, Failure, TransientError
from engine.lease import Lease, OpenQueue
from engine.outage import Backoff, in_time, pause
from engine.ports import Queue

__all__ = ["Disposal"]

log = structlog.get_logger()

_LAST_CALL_S = 3.0  # what a call to a queue may take when we are told to stop


class Disposal:
    """Belongs to the loop of its queue.

    Args:
        open_dead_letters: makes the client of the dead-letter queue, when it is needed first; None: there is none.
        stop: when set, what fails is not tried again.
    """

    def __init__(
        self, queue: Queue, open_dead_letters: OpenQueue | None, settings: FailureSettings, stop: asyncio.Event
    ) -> None:
        self._queue = queue
        self._open_dead_letters = open_dead_letters
        self._settings = settings
        self._stop = stop
        self._dead_letters: Queue | None = None

    async def aclose(self) -> None:
        if self._dead_letters is not None:
            await self._dead_letters.aclose()

    async def acknowledge(self, lease: Lease) -> bool:
        """Deletes the message; tries while the lease is held. A message that comes again is found done."""
        backoff = Backoff()
        name = lease.delivery.message_id
        while lease.remaining() > 0 and lease.refused is None:
            try:
                async with self._in_time(lease):
                    await self._queue.ack(lease.delivery)
            except TimeoutError:
                break
            except EngineError as error:
                log.warning("message not acknowledged yet", message_id=name, error=str(error))
                if self._stop.is_set() or not isinstance(error, TransientError):
                    break
                await pause(min(backoff.next_s(), max(0.0, lease.remaining())), self._stop)
            else:
                log.info("message acknowledged", message_id=name)
                return True
        log.warning("message not acknowledged: it will come again, and be found done", message_id=name)
        return False

    async def failed(self, lease: Lease, error: EngineError, batch_id: str | None, *, outage: bool = False) -> None:
        """Says why, and does with the message what the class of the failure asks for.

        Args:
            outage: the failure lies with our own side; it will pass, whatever its class.
        """
        kind = error.kind if isinstance(error, BatchFailed) else error.failure
        if outage and kind is Failure.PERMANENT:
            kind = Failure.TRANSIENT
        errors = error.errors if isinstance(error, BatchFailed) else [error]
        for each in errors:
            log.error(
                "message failed",
                message_id=lease.delivery.message_id,
                batch_id=each.batch or batch_id,
                file=each.file,
                code=each.code,
                failure=str(kind),
                error=each.message,
            )
        if kind is Failure.LEASE_LOST:
            return
        if kind is Failure.SHUTDOWN:
            await self.give_back(lease, 0)
        elif kind is Failure.TRANSIENT or self._settings.permanent == "retry":
            await self.give_back(lease, self._backoff_s(lease))
        elif self._settings.permanent == "ack":
            await self.acknowledge(lease)
        else:
            await self._set_aside(lease, errors, batch_id)

    async def _set_aside(self, lease: Lease, errors: Sequence[EngineError], batch_id: str | None) -> None:
        """Puts the message on the dead-letter queue, and only then deletes it."""
        delivery = lease.delivery
        if self._open_dead_letters is None:
            await self.give_back(lease, self._backoff_s(lease))
            return
        try:
            lease.check()
            if self._dead_letters is None:
                self._dead_letters = await self._open_dead_letters()
            reasons = attributes(delivery, batch_id, errors)
            async with self._in_time(lease):
                await self._dead_letters.send(delivery.body, attributes=reasons, group=delivery.group)
        except (EngineError, TimeoutError) as refused:
            log.warning("message not dead-lettered", message_id=delivery.message_id, error=str(refused) or "no answer")
            await self.give_back(lease, self._backoff_s(lease))
        else:
            log.warning(
                "message dead-lettered", message_id=delivery.message_id, batch_id=batch_id, code=reasons["engine_code"]
            )
            await self.acknowledge(lease)

    async def give_back(self, lease: Lease, delay_s: int) -> None:
        """Makes the message visible again after ``delay_s`` seconds."""
        name = lease.delivery.message_id
        if lease.remaining() <= 0 or lease.refused is not None:
            log.warning("message not given back: it is no longer ours", message_id=name)
            return
        lease.given_back = True
        try:
            async with self._in_time(lease):
                await self._queue.extend(lease.delivery, delay_s)
        except (EngineError, TimeoutError) as error:
            log.warning(
                "message not given back; its visibility timeout will", message_id=name, error=str(error) or "no answer"
            )
        else:
            log.info("message given back", message_id=name, visible_in_s=delay_s)

    def _in_time(self, lease: Lease) -> AbstractAsyncContextManager[None]:
        """What a call is tried in: the rest of the lease, and little more once told to stop."""
        return in_time(self._stop, _LAST_CALL_S, lease.remaining())

    def _backoff_s(self, lease: Lease) -> int:
        """Exponential in the number of receives, with jitter between half and all of it."""
        first, longest = self._settings.backoff_s
        delay_s: float = min(first * 2 ** min(lease.delivery.receive_count - 1, 20), longest)
        return round(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
