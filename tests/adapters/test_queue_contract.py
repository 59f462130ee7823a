"""What every queue promises: the same tests over memory and SQS, standard and FIFO."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.adapters.aws.sqs import QueueSettings, SqsQueue
from engine.adapters.memory_queue import MemoryQueue
from engine.errors import LeaseLost
from engine.message import MAX_BYTES
from engine.ports import Delivery, Queue, QueueFacts
from tests.moto import Aws

QUEUES = ["memory", "sqs"]


async def opened(request: pytest.FixtureRequest, *, fifo: bool) -> AsyncIterator[Queue]:
    made: Queue
    if request.param == "memory":
        made = MemoryQueue(fifo=fifo)
    else:
        aws: Aws = request.getfixturevalue("aws")
        made = SqsQueue(QueueSettings(url=aws.queue(fifo=fifo), endpoint_url=aws.endpoint_url, attempts=2))
    yield made
    await made.aclose()


@pytest.fixture(params=QUEUES)
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    async for made in opened(request, fifo=False):
        yield made


@pytest.fixture(params=QUEUES)
async def fifo(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    async for made in opened(request, fifo=True):
        yield made


def attributes(request: pytest.FixtureRequest, queue: Queue, message_id: str) -> dict[str, str]:
    """What stands beside the body of the queue's only message."""
    if isinstance(queue, MemoryQueue):
        return dict(queue.attributes(message_id))
    assert isinstance(queue, SqsQueue)
    aws: Aws = request.getfixturevalue("aws")
    return aws.attributes(queue._url)


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


async def test_attributes_arrive(queue: Queue, request: pytest.FixtureRequest) -> None:
    """What is sent beside a body stands beside it, the body as it was; characters that SQS refuses are replaced."""
    beside = {"engine_code": "message-error", "engine_reason": "ä\0 \U0001f600"}
    message_id = await queue.send("x\t<&>", attributes=beside)
    assert attributes(request, queue, message_id) == {**beside, "engine_reason": "ä\ufffd \U0001f600"}
    assert (await receive(queue)).body == "x\t<&>"


@pytest.mark.parametrize(("spare", "left"), [(0, {}), (12, {"a": "12345"})], ids=["none", "a little"])
async def test_the_body_goes_whole(
    queue: Queue, request: pytest.FixtureRequest, spare: int, left: dict[str, str]
) -> None:
    """A body as long as a queue takes is sent, with as much beside it as there is room for."""
    body = "b" * (MAX_BYTES - spare)
    message_id = await queue.send(body, attributes={"a": "1234567", "b": "x"})
    assert attributes(request, queue, message_id) == left
    assert (await receive(queue)).body == body


async def test_a_standard_queue_has_no_groups(queue: Queue) -> None:
    """A group named to a standard queue changes nothing: messages do not wait for each other."""
    for _ in range(2):
        await queue.send("x", group="g")
    assert [(await receive(queue)).group for _ in range(2)] == [None, None]


async def test_one_message_of_a_group_at_a_time(fifo: Queue) -> None:
    """A FIFO queue gives a group's messages in order, the next when the one before is deleted; groups do not wait for
    each other."""
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await fifo.send(body, group=group)
    first, other = await receive(fifo), await receive(fifo)
    assert [(each.body, each.group) for each in (first, other)] == [("a1", "a"), ("b1", "b")]
    assert await fifo.receive(0, 30) is None
    await fifo.ack(first)
    assert (await receive(fifo)).body == "a2"


async def test_a_message_given_back_keeps_its_place(fifo: Queue) -> None:
    """What is made visible again comes before the rest of its group."""
    for body in ("1", "2"):
        await fifo.send(body, group="g")
    await fifo.extend(await receive(fifo), 0)
    again = await receive(fifo)
    assert (again.body, again.receive_count) == ("1", 2)


async def test_one_text_sent_twice_is_two_messages(fifo: Queue) -> None:
    """Deduplication is between the tries of one send, not between sends; without a group nothing waits."""
    sent = {await fifo.send("same") for _ in range(2)}
    assert {(await receive(fifo)).message_id for _ in range(2)} == sent
    assert len(sent) == 2


async def test_facts(queue: Queue) -> None:
    """A queue made without more ado: half a minute, four days, no dead-letter queue."""
    assert await queue.facts() == QueueFacts(visibility_s=30, retention_s=345_600)
