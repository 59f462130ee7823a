"""What every queue promises: the same tests over memory and SQS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.adapters.aws.sqs import QueueSettings, SqsQueue
from engine.adapters.memory import MemoryQueue
from engine.errors import LeaseLost
from engine.ports import Delivery, Queue


@pytest.fixture(params=["memory", "sqs"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    opened: Queue
    if request.param == "memory":
        opened = MemoryQueue()
    else:
        moto, url = request.getfixturevalue("moto"), request.getfixturevalue("queue_url")
        opened = SqsQueue(QueueSettings(url=url, endpoint_url=moto, attempts=2))
    yield opened
    await opened.aclose()


async def receive(queue: Queue, visibility_s: int = 30, wait_s: int = 0) -> Delivery:
    delivery = await queue.receive(wait_s, visibility_s)
    assert delivery is not None
    return delivery


async def test_empty(queue: Queue) -> None:
    """An empty queue gives nothing."""
    assert await queue.receive(0, 30) is None


async def test_send_receive_ack(queue: Queue) -> None:
    """A message comes as it was sent, is hidden while it is held, and is gone once acknowledged."""
    body = '{"batch_id": "ä"}'
    message_id = await queue.send(body)
    delivery = await receive(queue)
    assert (delivery.message_id, delivery.body, delivery.receive_count) == (message_id, body, 1)
    assert await queue.receive(0, 30) is None
    await queue.ack(delivery)
    await queue.ack(delivery)
    assert await queue.receive(0, 30) is None


async def test_each_message_once(queue: Queue) -> None:
    """One message a receive, each of them once."""
    sent = {await queue.send(str(number)) for number in range(5)}
    received = [await receive(queue) for _ in sent]
    assert {delivery.message_id for delivery in received} == sent
    assert await queue.receive(0, 30) is None


async def test_given_back(queue: Queue) -> None:
    """A visibility of 0 makes the message visible at once, and the receives are counted."""
    await queue.send("x")
    for count in (1, 2, 3):
        delivery = await receive(queue)
        assert delivery.receive_count == count
        await queue.extend(delivery, 0)


async def test_visibility_times_out(queue: Queue) -> None:
    """A message that is not acknowledged in time comes again, to whoever waits for it."""
    await queue.send("x")
    first = await receive(queue, visibility_s=1)
    again = await receive(queue, wait_s=10)
    assert again.message_id == first.message_id
    assert again.receive_count == 2
    assert again.receipt != first.receipt


async def test_extended_in_time(queue: Queue) -> None:
    """An extension replaces the visibility that was left; the message stays hidden past the first time-out."""
    await queue.send("x")
    delivery = await receive(queue, visibility_s=1)
    await queue.extend(delivery, 30)
    assert await queue.receive(2, 30) is None
    await queue.ack(delivery)


async def test_long_poll_ends_with_a_message(queue: Queue) -> None:
    """A poll that waits gets the message that is sent meanwhile."""
    poll = asyncio.create_task(queue.receive(20, 30))
    await asyncio.sleep(0)
    message_id = await queue.send("x")
    delivery = await poll
    assert delivery is not None
    assert delivery.message_id == message_id


async def test_extend_after_ack(queue: Queue) -> None:
    """Extending a message that was deleted says that the lease is lost."""
    await queue.send("x")
    delivery = await receive(queue)
    await queue.ack(delivery)
    with pytest.raises(LeaseLost):
        await queue.extend(delivery, 30)
