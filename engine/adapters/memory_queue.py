"""A queue in memory, for tests and experiments: the port's promises, no network.

Shared by all threads of a process: the state is guarded by the lock that stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from engine.adapters.attributes import fitted
from engine.errors import LeaseLost
from engine.ports import Delivery, QueueFacts

__all__ = ["MemoryQueue"]

_FACTS = QueueFacts(visibility_s=30, retention_s=345_600)  # SQS's defaults


@dataclass(frozen=True, slots=True)
class _Message:
    """A message, and the receive that holds it. Replaced, never changed."""

    message_id: str
    body: str
    visible_at: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    receipt: str | None = None
    receive_count: int = 0


class MemoryQueue:
    """A :class:`~engine.ports.Queue` with SQS's visibility timeouts.

    Args:
        clock: monotonic seconds; visibility is measured by it. A receive that waits does so in real time and wakes
            for whatever may make a message visible.
        fifo: is a FIFO queue: of a group, nothing is handed out while a message of it is held, and a receipt past its
            time acknowledges nothing.
        facts: what the queue says of itself.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        fifo: bool = False,
        facts: QueueFacts = _FACTS,
    ) -> None:
        self._clock = clock
        self._fifo = fifo
        self._facts = facts
        self._lock = threading.Lock()  # guards _messages and _waiters
        self._messages: dict[str, _Message] = {}  # in the order of sending
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        deadline = time.monotonic() + wait_s
        wake = (asyncio.get_running_loop(), asyncio.Event())
        while True:
            with self._lock:
                delivery, due_s = self._take(visibility_s)
                left_s = deadline - time.monotonic()
                if delivery is not None or left_s <= 0:
                    return delivery
                self._waiters.append(wake)
            try:
                async with asyncio.timeout(min(left_s, max(due_s, 0.001))):
                    await wake[1].wait()
            except TimeoutError:
                pass
            finally:
                wake[1].clear()
                with self._lock:
                    self._waiters.remove(wake)

    async def ack(self, delivery: Delivery) -> None:
        """Deletes the message. A receipt that a later receive replaced deletes nothing (as SQS).

        Raises:
            LeaseLost: a FIFO queue's message that this receive no longer holds.
        """
        with self._lock:
            message = self._messages.get(delivery.message_id)
            if message is not None and self._fifo and not self._holds(message, delivery):
                raise LeaseLost("the message is no longer ours: its visibility timeout passed")
            if message is not None and message.receipt == delivery.receipt:
                del self._messages[delivery.message_id]
        self._wake()

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """Raises :class:`~engine.errors.LeaseLost` when this receive no longer holds the message."""
        with self._lock:
            message = self._messages.get(delivery.message_id)
            if message is None or not self._holds(message, delivery):
                raise LeaseLost("the message is no longer ours: its visibility timeout passed or it was deleted")
            self._messages[delivery.message_id] = replace(message, visible_at=self._clock() + visibility_s)
        self._wake()

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        """As the port says. On a FIFO queue a message without a group is a group of its own."""
        message_id = uuid.uuid4().hex
        message = _Message(
            message_id,
            body,
            self._clock(),
            fitted(body, attributes or {}),
            (group or message_id) if self._fifo else None,
        )
        with self._lock:
            self._messages[message_id] = message
        self._wake()
        return message_id

    async def facts(self) -> QueueFacts:
        return self._facts

    def attributes(self, message_id: str) -> Mapping[str, str]:
        """What was sent beside the body of a message that is not deleted."""
        with self._lock:
            return self._messages[message_id].attributes

    async def aclose(self) -> None:
        """Keeps everything: others share it."""

    def __len__(self) -> int:
        """Messages not deleted, visible or not."""
        with self._lock:
            return len(self._messages)

    def _holds(self, message: _Message, delivery: Delivery) -> bool:
        """The lock is held."""
        return message.receipt == delivery.receipt and message.visible_at > self._clock()

    def _take(self, visibility_s: int) -> tuple[Delivery | None, float]:
        """The oldest visible message of a group that is not held, or the seconds until one may be visible. The lock is
        held."""
        now = self._clock()
        hidden = [message for message in self._messages.values() if message.visible_at > now]
        held = {message.group for message in hidden if message.group is not None}
        for message in self._messages.values():
            if message.visible_at <= now and message.group not in held:
                receipt = uuid.uuid4().hex
                taken = replace(
                    message,
                    visible_at=now + visibility_s,
                    receipt=receipt,
                    receive_count=message.receive_count + 1,
                )
                self._messages[message.message_id] = taken
                return Delivery(taken.message_id, receipt, taken.body, taken.receive_count, taken.group), 0.0
        return None, min((message.visible_at - now for message in hidden), default=float("inf"))

    def _wake(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for loop, event in waiters:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile: nobody waits on it any more
                loop.call_soon_threadsafe(event.set)
