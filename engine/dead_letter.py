"""What goes beside a message that can never succeed, on its way to the dead-letter queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.errors import EngineError, Failure
from engine.ports import Delivery

__all__ = ["attributes"]

_REASON = 2048  # characters; the log has all of it


def attributes(delivery: Delivery, batch_id: str | None, errors: Sequence[EngineError]) -> dict[str, str]:
    """Why a message is given up, as message attributes; the same each time for the same message and errors.

    The first error that trying again would not mend gives ``engine_code``, ``engine_file`` (where it has one) and
    ``engine_reason``, which also counts the others by code. Errors quote no secret and no cell, so neither do these;
    what they may quote are labels of a header. The least dispensable come first,
    because :meth:`~engine.ports.Queue.send` cuts the last.

    Args:
        batch_id: None where the message did not become a batch; the errors may know its id all the same.
        errors: what failed; never empty.
    """
    first = min(errors, key=lambda error: error.failure is not Failure.PERMANENT)
    others = Counter(error.code for error in errors if error is not first)
    told = f"; and {others.total():,} more: " + ", ".join(f"{n:,} {code}" for code, n in others.most_common())
    reason = first.message[: _REASON - 1] + "…" if len(first.message) > _REASON else first.message
    found = {
        "engine_code": first.code,
        "engine_batch_id": batch_id or first.batch,
        "engine_message_id": delivery.message_id,
        "engine_receive_count": str(delivery.receive_count),
        "engine_file": first.file,
        "engine_reason": reason + (told if others else ""),
    }
    return {name: value for name, value in found.items() if value}
