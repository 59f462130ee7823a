"""An SQS queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.adapters.aws.failures import SDK_ERRORS, translated
from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.settings import StoreSettings
from engine.ports import Delivery

__all__ = ["QueueSettings", "SqsQueue"]

_LONGEST_WAIT_S = 20  # SQS's own limit of a long poll


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Where a queue is. Plain data; names as in ``config.toml`` [queue].

    Attributes:
        endpoint_url: empty or None means AWS.
        connect_timeout_s, read_timeout_s, attempts: as for stores; a long poll is waited for on top of the time-out.
    """

    url: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    attempts: int = 5


class SqsQueue:
    """A :class:`~engine.ports.Queue`, reached with the engine's own credentials. Belongs to the loop it is made on;
    every loop (the heartbeat's too) makes its own.

    All methods raise :class:`~engine.errors.TransientError` when SQS cannot be reached, :class:`~engine.errors.
    AccessDenied` when it refuses us and :class:`~engine.errors.ConfigError` when there is no such queue.
    """

    def __init__(self, settings: QueueSettings) -> None:
        self._url = settings.url
        self._clients = Clients(
            StoreSettings(
                connect_timeout_s=settings.connect_timeout_s,
                read_timeout_s=settings.read_timeout_s + _LONGEST_WAIT_S,
                attempts=settings.attempts,
            )
        )
        self._endpoint = Endpoint("sqs", settings.region, settings.endpoint_url or None)

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        """As the port says; at most 20 seconds, SQS's limit. Cancelling it may leave a message that SQS had just
        handed out invisible until its timeout: let a poll end where that matters."""
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=1,
            WaitTimeSeconds=min(wait_s, _LONGEST_WAIT_S),
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        for message in answer.get("Messages", []):
            count = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
            return Delivery(message["MessageId"], message["ReceiptHandle"], message["Body"], count)
        return None

    async def ack(self, delivery: Delivery) -> None:
        await self._call("delete_message", ReceiptHandle=delivery.receipt)

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """As the port says.

        Raises:
            LeaseLost: this receive no longer holds the message.
        """
        await self._call("change_message_visibility", ReceiptHandle=delivery.receipt, VisibilityTimeout=visibility_s)

    async def send(self, body: str) -> str:
        message_id: str = (await self._call("send_message", MessageBody=body))["MessageId"]
        return message_id

    async def aclose(self) -> None:
        """Closes the connections; no call may be in progress. Idempotent."""
        await self._clients.aclose()

    async def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await self._clients.call(
                self._endpoint, operation, QueueUrl=self._url, **parameters
            )
        except SDK_ERRORS as error:
            raise translated(error, self._url, purpose="queue") from error
        return answer
