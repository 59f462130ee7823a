"""Where messages come from, and how one is held, given back and acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Delivery", "Queue", "QueueFacts"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One receive of a message. The receipt acknowledges this receive only; ``group`` is a FIFO queue's."""

    message_id: str
    receipt: str = field(repr=False)
    body: str = field(repr=False)
    receive_count: int = 1
    group: str | None = None


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue's own settings, as far as they may be looked at.

    Attributes:
        visibility_s: its default visibility timeout.
        retention_s: how long it keeps a message.
        most_receives: after so many receives it moves a message to its dead-letter queue; None: it has none.
        dead_letter_retention_s: how long that one keeps a message; None: unknown.
    """

    visibility_s: int
    retention_s: int
    most_receives: int | None = None
    dead_letter_retention_s: int | None = None


class Queue(Protocol):
    """A queue with visibility timeouts (SQS)."""

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        """Long-polls for one message, up to ``wait_s`` seconds; it stays invisible to others for ``visibility_s``."""

    async def ack(self, delivery: Delivery) -> None:
        """Deletes the message."""

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """Sets the visibility timeout, counted from now; 0 makes the message visible at once."""

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        """Puts a message on the queue; returns its id.

        Args:
            attributes: sent beside the body. The body always goes whole: where queue and body leave no room, values
                are cut short, and then left out, the last named first.
            group: the message group, on a FIFO queue; elsewhere without effect.
        """
        ...

    async def facts(self) -> QueueFacts:
        """Looks at the queue's own settings.

        Raises:
            AccessDenied: they may not be looked at.
            ConfigError: there is no such queue.
            TransientError: the queue cannot be reached.
        """
        ...

    async def aclose(self) -> None: ...
