"""What a queue's own settings would do to the promise, said once at start."""

from __future__ import annotations

from collections.abc import Iterator

from engine.config import QueueSettings
from engine.ports import QueueFacts

__all__ = ["warnings"]

_LEAST_VISIBILITY_S = 30  # an extension is sent every third of it, and has to arrive
_LEAST_RECEIVES = 3


def warnings(facts: QueueFacts, settings: QueueSettings) -> list[str]:
    """One line for each setting that is likely to lose or repeat work: what, where, what to do."""
    return [*_visibility(facts, settings), *_redrive(facts, settings)]


def _visibility(facts: QueueFacts, settings: QueueSettings) -> Iterator[str]:
    if settings.visibility_s < _LEAST_VISIBILITY_S:
        yield (
            f"queue.visibility_s is {settings.visibility_s}: a short outage of the queue loses the message in hand to"
            f" another worker; set it to {_LEAST_VISIBILITY_S} or more"
        )
    if facts.visibility_s < settings.visibility_s:
        yield (
            f"{settings.url} has a default visibility timeout of {facts.visibility_s} s, less than queue.visibility_s"
            f" ({settings.visibility_s}): whatever receives from it without naming one, as consoles and tools do, holds"
            f" messages for too short a time; set its VisibilityTimeout to {settings.visibility_s}"
        )


def _redrive(facts: QueueFacts, settings: QueueSettings) -> Iterator[str]:
    if facts.most_receives is None:
        yield (
            f"{settings.url} has no redrive policy: a message that ends every worker that takes it comes back until it"
            " expires; give the queue a dead-letter queue, with a maxReceiveCount of 5 or so"
        )
        return
    if facts.most_receives < _LEAST_RECEIVES:
        yield (
            f"{settings.url} moves a message to its dead-letter queue after {facts.most_receives} receives: a restart"
            f" or an outage is enough for that; set its maxReceiveCount to {_LEAST_RECEIVES} or more"
        )
    kept_s = facts.dead_letter_retention_s
    # On a standard queue a message's age counts from when it was first sent; a FIFO queue counts anew.
    if kept_s is not None and kept_s <= facts.retention_s and not settings.url.endswith(".fifo"):
        yield (
            f"{settings.url} keeps a message for {facts.retention_s:,} s and its dead-letter queue for {kept_s:,} s,"
            " counted from the first sending: a message that is moved late is gone at once; set the dead-letter queue's"
            " MessageRetentionPeriod above the queue's"
        )
