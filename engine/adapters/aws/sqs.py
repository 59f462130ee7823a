"""An SQS queue."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.adapters.attributes import fitted
from engine.adapters.aws.failures import SDK_ERRORS, error_code, translated
from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.settings import StoreSettings
from engine.codec import decode_json
from engine.errors import AccessDenied, ConfigError, EngineError, LeaseLost, Unavailable
from engine.ports import Delivery, QueueFacts

__all__ = ["QueueSettings", "SqsQueue"]

_LONGEST_WAIT_S = 20  # SQS's own limit of a long poll
_INVALID = frozenset({"InvalidParameterValue", "InvalidParameterValueException"})


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Where a queue is. Plain data; names as in ``config.toml`` [queue].

    Attributes:
        url: that of a FIFO queue ends in ``.fifo``, as SQS wants it.
        endpoint_url: empty or None means AWS.
        connect_timeout_s, read_timeout_s, attempts: as for stores; a long poll is waited for on top of the time-out.
    """

    url: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    attempts: int = 5


class _Invalid(EngineError):
    """SQS refused a parameter of the call."""


class SqsQueue:
    """A :class:`~engine.ports.Queue`, reached with the engine's own credentials. Belongs to the loop it is made on;
    every loop (the heartbeat's too) makes its own.

    All methods raise :class:`~engine.errors.TransientError` when SQS cannot be reached, :class:`~engine.errors.
    AccessDenied` when it refuses us and :class:`~engine.errors.ConfigError` when there is no such queue.
    """

    def __init__(self, settings: QueueSettings) -> None:
        self._url = settings.url
        self._fifo = settings.url.endswith(".fifo")
        self._clients = Clients(
            StoreSettings(
                connect_timeout_s=settings.connect_timeout_s,
                read_timeout_s=settings.read_timeout_s + _LONGEST_WAIT_S,
                attempts=settings.attempts,
            )
        )
        self._endpoint = Endpoint("sqs", settings.region, settings.endpoint_url or None)
        # The id of a receive of which nobody knows what it gave, and until when that is surely hidden from others.
        self._unanswered = ("", 0.0)

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        """As the port says; at most 20 seconds, SQS's limit. One try, whose sending is when the message's time begins:
        after several nobody would know how much of that is left.

        What was handed out in an answer that never came, or to a receive that was cancelled, stays invisible until its
        timeout: let a poll end where that matters. On a FIFO queue the next receive asks for it again, under the same
        ``ReceiveRequestAttemptId``.
        """
        sent_at = time.monotonic()
        attempt, hidden_until = self._unanswered
        if sent_at >= hidden_until:
            attempt = uuid.uuid4().hex
        self._unanswered = ("", 0.0)  # a receive beside this one is another
        try:
            answer = await self._call(
                "receive_message",
                attempts=1,
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=min(wait_s, _LONGEST_WAIT_S),
                VisibilityTimeout=visibility_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
                **({"ReceiveRequestAttemptId": attempt} if self._fifo else {}),
            )
        except BaseException:
            self._unanswered = (attempt, sent_at + visibility_s)
            raise
        for message in answer.get("Messages", []):
            system = message.get("Attributes", {})
            return Delivery(
                message["MessageId"],
                message["ReceiptHandle"],
                message["Body"],
                int(system.get("ApproximateReceiveCount", 1)),
                system.get("MessageGroupId") if self._fifo else None,
            )
        return None

    async def ack(self, delivery: Delivery) -> None:
        """As the port says. A standard queue may agree and delete nothing, where the receipt is stale.

        Raises:
            LeaseLost: a FIFO queue refused the receipt: the message is visible again, or somebody else's.
        """
        await self._with_receipt("delete_message", delivery)

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """As the port says.

        Raises:
            LeaseLost: this receive no longer holds the message, or cannot hold it any longer (12 hours).
        """
        await self._with_receipt("change_message_visibility", delivery, VisibilityTimeout=visibility_s)

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        """As the port says. On a FIFO queue a message without a group is a group of its own, and all tries of one send
        share a deduplication id."""
        parameters: dict[str, Any] = {"QueueUrl": self._url, "MessageBody": body}
        if self._fifo:
            unique = uuid.uuid4().hex
            parameters |= {"MessageDeduplicationId": unique, "MessageGroupId": group or unique}
        beside = {
            name: {"DataType": "String", "StringValue": value} for name, value in fitted(body, attributes or {}).items()
        }
        try:
            answer = await self._call("send_message", **parameters, **({"MessageAttributes": beside} if beside else {}))
        except _Invalid:
            if not beside:
                raise
            # A queue may take less than SQS does (MaximumMessageSize): the body goes before what is said about it.
            answer = await self._call("send_message", **parameters)
        message_id: str = answer.get("MessageId", "")
        if not message_id:
            raise Unavailable(f"{self._url} answered without an id: nobody knows whether it took the message")
        return message_id

    async def facts(self) -> QueueFacts:
        """As the port says. Of a dead-letter queue that may not be looked at, or is not there, nothing is known."""
        found = await self._attributes(self._url, "VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy")
        policy = decode_json(found.get("RedrivePolicy") or "{}")
        return QueueFacts(
            visibility_s=int(found["VisibilityTimeout"]),
            retention_s=int(found["MessageRetentionPeriod"]),
            most_receives=int(policy["maxReceiveCount"]) if policy else None,
            dead_letter_retention_s=await self._retention_s(policy["deadLetterTargetArn"]) if policy else None,
        )

    async def aclose(self) -> None:
        """Closes the connections; no call may be in progress. Idempotent."""
        await self._clients.aclose()

    async def _retention_s(self, arn: str) -> int | None:
        """How long the queue ``arn:aws:sqs:<our region>:<account>:<name>`` keeps a message; None: cannot be known."""
        account, name = arn.split(":")[-2:]
        try:
            found = await self._call("get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account)
            return int((await self._attributes(found["QueueUrl"], "MessageRetentionPeriod"))["MessageRetentionPeriod"])
        except (AccessDenied, ConfigError):
            return None

    async def _attributes(self, url: str, *names: str) -> dict[str, str]:
        answer = await self._call("get_queue_attributes", QueueUrl=url, AttributeNames=list(names))
        attributes: dict[str, str] = answer.get("Attributes", {})
        if "MessageRetentionPeriod" not in attributes:  # every queue has one
            raise Unavailable(f"{url} did not answer with its attributes")
        return attributes

    async def _with_receipt(self, operation: str, delivery: Delivery, **parameters: Any) -> None:
        try:
            await self._call(operation, QueueUrl=self._url, ReceiptHandle=delivery.receipt, **parameters)
        except _Invalid as error:  # what a FIFO queue, and SQS after 12 hours, say of a receipt past its time
            raise LeaseLost(f"the message from {self._url} is no longer ours: its receipt is past its time") from error

    async def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await self._clients.call(self._endpoint, operation, **parameters)
        except SDK_ERRORS as error:
            failure = translated(error, self._url, purpose="queue")
            raise (_Invalid(failure.message) if error_code(error) in _INVALID else failure) from error
        return answer
