"""Who holds which message, as SQS would have it. moto obeys a receipt handle even after the message went to another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tests.faults.answers import Answer, error, made
from tests.faults.operations import Call

__all__ = ["LeaseMode", "LeaseTable"]

type LeaseMode = Literal["strict", "lenient"]


@dataclass(slots=True)
class _Lease:
    receipt: str  # of the latest receive
    expires: float | None  # by the table's clock; None: unknown, or the message was deleted


class LeaseTable:
    """Learns from the answers to receives which receipt handle holds a message, and turns the others away.

    A handle is stale once its message was received again, or its visibility timeout is over. A delete, or a change of
    visibility, with a stale handle is never forwarded: ``strict`` refuses it, with ``ReceiptHandleIsInvalid``, or
    ``MessageNotInflight`` where only the time is over; ``lenient`` says that it succeeded, as standard queues may.

    A receive that names no visibility timeout is under one that the table does not know: it does not end here. Several
    proxies may share a table, which any thread may use. Batch calls and the query protocol are refused: engine and SDK
    use neither.
    """

    def __init__(self, mode: LeaseMode, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.mode = mode
        self.now = clock
        self._lock = threading.Lock()  # over the two below
        self._leases: dict[tuple[str, str], _Lease] = {}  # by queue and message id
        self._messages: dict[str, tuple[str, str]] = {}  # by every handle there ever was

    def stale(self, call: Call) -> bool:
        """Whether ``call`` comes with a handle that does not hold its message any more."""
        return self._fault(call) != ""

    def turned_away(self, call: Call) -> Answer | None:
        """What a call is answered with that must not be forwarded; None: it may be."""
        if call.service == "sqs" and (call.operation.endswith("Batch") or "Action" in call.parameters):
            return error(call, 400, "UnsupportedOperation", "the proxy's lease table knows neither batches nor queries")
        fault = self._fault(call)
        if not fault:
            return None
        if self.mode == "lenient":
            return made(call, 200, b"", {"Content-Type": "application/x-amz-json-1.0"})
        return error(call, 400, fault, "the message was received again, or its visibility timeout is over")

    def learn(self, call: Call, answer: bytes, sent: float) -> None:
        """Takes note of what succeeded upstream; ``sent`` is when, by the table's clock, it was sent there."""
        timeout = call.parameters.get("VisibilityTimeout")
        expires = None if timeout is None else sent + float(timeout)
        with self._lock:
            if call.operation == "ReceiveMessage":
                for message in _messages(answer):
                    key = call.queue or "", message["MessageId"]
                    self._leases[key] = _Lease(message["ReceiptHandle"], expires)
                    self._messages[message["ReceiptHandle"]] = key
                return
            lease = self._lease(call)
            if lease is None or lease.receipt != call.parameters.get("ReceiptHandle"):
                return
            if call.operation == "DeleteMessage":
                lease.expires = None  # and again with this handle is upstream's business
            elif call.operation == "ChangeMessageVisibility":
                lease.expires = expires

    def _fault(self, call: Call) -> str:
        if call.operation not in ("DeleteMessage", "ChangeMessageVisibility"):
            return ""
        with self._lock:
            lease = self._lease(call)
            if lease is None:
                return ""  # unknown here: upstream may know it
            if lease.receipt != call.parameters.get("ReceiptHandle"):
                return "ReceiptHandleIsInvalid"
            over = lease.expires is not None and self.now() >= lease.expires
            if not over:
                return ""
            return "ReceiptHandleIsInvalid" if call.operation == "DeleteMessage" else "MessageNotInflight"

    def _lease(self, call: Call) -> _Lease | None:
        receipt = call.parameters.get("ReceiptHandle")
        key = self._messages.get(receipt) if isinstance(receipt, str) else None
        return None if key is None else self._leases[key]


def _messages(answer: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (json.loads(answer or b"{}") or {}).get("Messages") or []
    return found
