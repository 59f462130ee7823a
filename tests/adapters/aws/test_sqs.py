"""SQS: what only the real thing can refuse, and what becomes of calls whose answers are lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from engine.adapters.aws.sqs import QueueSettings, SqsQueue
from engine.errors import AccessDenied, ConfigError, EngineError, LeaseLost, TransientError, Unavailable
from engine.ports import Delivery, QueueFacts
from tests.faults import LOSE_ANSWER, RESET, FaultProxy, Hold, Match, Refuse, Rule, Substitute, fault_proxy
from tests.moto import Aws

type Open = Callable[..., Awaitable[SqsQueue]]


@pytest.fixture
def proxy(moto: str) -> Iterator[FaultProxy]:
    with fault_proxy(moto) as running:
        yield running


@pytest.fixture
async def through(proxy: FaultProxy) -> AsyncIterator[Open]:
    """Opens queues that are reached through the proxy; they are closed with the test."""
    async with AsyncExitStack() as closing:

        async def made(url: str, attempts: int = 3) -> SqsQueue:
            queue = SqsQueue(QueueSettings(url=url, endpoint_url=proxy.url, attempts=attempts))
            closing.push_async_callback(queue.aclose)
            return queue

        yield made


def sent(proxy: FaultProxy, operation: str, name: str) -> list[Any]:
    """A parameter of every call, None where it had none."""
    return [call.parameters.get(name) for call in proxy.calls(operation)]


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


async def test_all_tries_of_a_send_are_one_message(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """A send whose answer was lost is sent again under the same deduplication id: a FIFO queue keeps one message."""
    queue = await through(aws.queue(fifo=True))
    proxy.add(Rule(Match("SendMessage"), LOSE_ANSWER, times=1))
    await queue.send("x", group="g")
    ids = sent(proxy, "SendMessage", "MessageDeduplicationId")
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert sent(proxy, "SendMessage", "MessageGroupId") == ["g", "g"]
    delivery = await queue.receive(0, 30)
    assert delivery is not None
    await queue.ack(delivery)
    assert await queue.receive(0, 30) is None
    await queue.send("x", group="g")
    assert ids[0] != sent(proxy, "SendMessage", "MessageDeduplicationId")[-1]


async def test_a_standard_queue_hears_nothing_of_fifo(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """What only FIFO queues take is not sent to others, which would refuse it, or share out by it."""
    queue = await through(aws.queue())
    await queue.send("x", group="g")
    await queue.receive(0, 30)
    (send,), (receive,) = proxy.calls("SendMessage"), proxy.calls("ReceiveMessage")
    assert not {"MessageDeduplicationId", "MessageGroupId", "MessageAttributes"} & set(send.parameters)
    assert "ReceiveRequestAttemptId" not in receive.parameters


async def test_an_unanswered_receive_is_asked_again(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """A receive on a FIFO queue that failed, or was cancelled, is followed by one under the same attempt id, so that
    SQS gives what the lost answer gave; one that was answered never is."""
    queue = await through(aws.queue(fifo=True), attempts=2)
    lost = proxy.add(Rule(Match("ReceiveMessage"), LOSE_ANSWER))
    with pytest.raises(TransientError):
        await queue.receive(0, 30)
    proxy.remove(lost)
    held = proxy.add(Rule(Match("ReceiveMessage"), Hold("head"), times=1))
    poll = asyncio.create_task(queue.receive(0, 30))
    await asyncio.to_thread(held.wait_hit)
    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll
    proxy.remove(held)
    assert await queue.receive(0, 30) is None
    assert await queue.receive(0, 30) is None
    *unanswered, answered, after = sent(proxy, "ReceiveMessage", "ReceiveRequestAttemptId")
    assert len(unanswered) == 2
    assert set(unanswered) == {answered}
    assert after != answered


async def test_a_receive_is_tried_once(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """The message's time begins when the poll is sent, so whoever polls must know of each sending; an acknowledgement
    is tried again as ever."""
    queue = await through(aws.queue(), attempts=3)
    await queue.send("a")
    for operation in ("ReceiveMessage", "DeleteMessage"):
        proxy.add(Rule(Match(operation), Refuse(503), times=1))
    with pytest.raises(Unavailable):
        await queue.receive(0, 30)
    assert len(proxy.calls("ReceiveMessage")) == 1
    delivery = await queue.receive(0, 30)
    assert delivery is not None
    await queue.ack(delivery)


async def test_an_old_receive_is_not_asked_again(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """What a lost answer gave is visible again after its timeout, and perhaps somebody else's: nothing to ask for."""
    queue = await through(aws.queue(fifo=True), attempts=1)
    proxy.add(Rule(Match("ReceiveMessage"), RESET, times=1))
    with pytest.raises(TransientError):
        await queue.receive(0, 0)
    await queue.receive(0, 30)
    first, second = sent(proxy, "ReceiveMessage", "ReceiveRequestAttemptId")
    assert first != second


async def test_receives_beside_each_other_are_apart(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """Two receives at once never share an attempt id, not even after one that was not answered."""
    queue = await through(aws.queue(fifo=True), attempts=1)
    proxy.add(Rule(Match("ReceiveMessage"), RESET, times=1))
    with pytest.raises(TransientError):
        await queue.receive(0, 30)
    await asyncio.gather(queue.receive(0, 30), queue.receive(0, 30))
    first, *both = sent(proxy, "ReceiveMessage", "ReceiveRequestAttemptId")
    assert len(set(both)) == 2
    assert first in both


@pytest.mark.parametrize("code", ["InvalidParameterValue", "InvalidParameterValueException"])
async def test_a_receipt_past_its_time(proxy: FaultProxy, through: Open, aws: Aws, code: str) -> None:
    """A FIFO queue says that a parameter is invalid when a receipt has expired, and means that the lease is lost."""
    queue = await through(aws.queue(fifo=True))
    proxy.add(Rule(Match(("DeleteMessage", "ChangeMessageVisibility")), Refuse(400, code)))
    delivery = Delivery("id", "expired", "body")
    with pytest.raises(LeaseLost, match=r"\.fifo is no longer ours"):
        await queue.ack(delivery)
    with pytest.raises(LeaseLost):
        await queue.extend(delivery, 30)
    assert len(proxy.requests) == 2


async def test_a_refused_message_goes_without_its_attributes(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """A queue may take less than SQS does: the body goes alone then, and is still one message."""
    url = aws.queue(fifo=True)
    queue = await through(url)
    proxy.add(Rule(Match("SendMessage"), Refuse(400, "InvalidParameterValue"), times=1))
    await queue.send("x", attributes={"a": "b"}, group="g")
    with_them, without = proxy.calls("SendMessage")
    assert with_them.parameters["MessageAttributes"] == {"a": {"DataType": "String", "StringValue": "b"}}
    assert "MessageAttributes" not in without.parameters
    assert with_them.parameters["MessageDeduplicationId"] == without.parameters["MessageDeduplicationId"]
    assert aws.attributes(url) == {}


async def test_a_body_that_a_queue_refuses(aws: Aws) -> None:
    """A message longer than its queue takes is refused for good: trying again gives the same."""
    queue = SqsQueue(QueueSettings(url=aws.queue(MaximumMessageSize="1024"), endpoint_url=aws.endpoint_url))
    with pytest.raises(EngineError, match="InvalidParameterValue") as refused:
        await queue.send("x" * 1025, attributes={"a": "b"})
    assert not isinstance(refused.value, TransientError)
    await queue.aclose()


async def test_an_answer_without_an_id(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """A send is done when SQS says under which id, and not before: the message in hand is not deleted on less."""
    queue = await through(aws.queue(), attempts=1)
    proxy.add(Rule(Match("SendMessage"), Substitute(200, b"{}"), times=1))
    with pytest.raises(Unavailable, match="without an id"):
        await queue.send("x")


async def test_facts_of_a_queue_with_a_dead_letter_queue(aws: Aws) -> None:
    """The redrive policy and the retention of the queue that it names are looked up."""
    dead = aws.queue("dead", MessageRetentionPeriod="1209600")
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": "4"})
    url = aws.queue(visibility_s=77, MessageRetentionPeriod="3600", RedrivePolicy=policy)
    queue = SqsQueue(QueueSettings(url=url, endpoint_url=aws.endpoint_url))
    assert await queue.facts() == QueueFacts(77, 3600, 4, 1_209_600)
    await queue.aclose()


def arn(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:123456789012:{url.rpartition('/')[2]}"


@pytest.mark.parametrize("operation", ["GetQueueUrl", "GetQueueAttributes"])
@pytest.mark.parametrize("code", ["AccessDenied", "QueueDoesNotExist"])
async def test_a_dead_letter_queue_that_cannot_be_looked_at(
    proxy: FaultProxy, through: Open, aws: Aws, operation: str, code: str
) -> None:
    """Its retention is unknown then, and the rest is told; so it is with a policy whose queue was deleted."""
    dead = aws.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 4})
    queue = await through(aws.queue(RedrivePolicy=policy))
    match = Match(operation, queue=dead.rpartition("/")[2])
    rule = proxy.add(Rule(match, Refuse(403 if code == "AccessDenied" else 400, code)))
    assert await queue.facts() == QueueFacts(30, 345_600, 4, None)
    assert rule.hits == 1


async def test_facts_that_may_not_be_looked_at(proxy: FaultProxy, through: Open, aws: Aws) -> None:
    """Who may not look at the queue itself is told so; an answer without attributes is no answer."""
    queue = await through(aws.queue(), attempts=1)
    proxy.add(Rule(Match("GetQueueAttributes"), Refuse(403, "AccessDenied"), times=1))
    with pytest.raises(AccessDenied):
        await queue.facts()
    proxy.add(Rule(Match("GetQueueAttributes"), Substitute(200, b"{}"), times=1))
    with pytest.raises(Unavailable):
        await queue.facts()
