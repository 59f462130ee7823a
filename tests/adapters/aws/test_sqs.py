"""SQS: what only the real thing can refuse."""

from __future__ import annotations

import pytest

from engine.adapters.aws.sqs import QueueSettings, SqsQueue
from engine.errors import ConfigError, LeaseLost, TransientError
from engine.ports import Delivery
from tests.moto import Aws


async def test_missing_queue(moto: str, queue_url: str) -> None:
    """A queue that does not exist is an error of the configuration, and is named."""
    queue = SqsQueue(QueueSettings(url=queue_url + "-not", endpoint_url=moto, attempts=1))
    with pytest.raises(ConfigError, match=r"queue-.*-not"):
        await queue.receive(0, 30)
    await queue.aclose()


async def test_made_up_receipt(moto: str, queue_url: str) -> None:
    """A receipt that SQS does not know means that the message is not ours."""
    queue = SqsQueue(QueueSettings(url=queue_url, endpoint_url=moto, attempts=1))
    with pytest.raises(LeaseLost):
        await queue.extend(Delivery("id", "made-up", "body"), 30)
    await queue.aclose()


async def test_unreachable(queue_url: str) -> None:
    """A queue that cannot be reached is a transient error."""
    queue = SqsQueue(QueueSettings(url=queue_url, endpoint_url="http://127.0.0.1:1", attempts=1))
    with pytest.raises(TransientError, match="cannot use"):
        await queue.receive(0, 30)
    await queue.aclose()


async def test_two_loops_worth_of_clients(aws: Aws, moto: str, queue_url: str) -> None:
    """A delivery is plain data: another client (the heartbeat's) extends and deletes what the first received."""
    settings = QueueSettings(url=queue_url, endpoint_url=moto)
    poller, heartbeat = SqsQueue(settings), SqsQueue(settings)
    await poller.send("x")
    delivery = await poller.receive(0, 30)
    assert delivery is not None
    assert delivery.receipt not in repr(delivery)
    await heartbeat.extend(delivery, 0)
    delivery = await poller.receive(0, 30)
    assert delivery is not None
    await heartbeat.ack(delivery)
    assert await poller.receive(0, 30) is None
    await poller.aclose()
    await heartbeat.aclose()
