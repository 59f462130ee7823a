"""The lease table: a receipt handle that no longer holds its message does nothing, whatever moto would do with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine.adapters.aws.moto import Moto
from tests.faults import LOSE_ANSWER, FaultProxy, LeaseTable, Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")


@contextmanager
def sqs(aws: Aws, proxy: FaultProxy) -> Iterator[Any]:
    client = Moto(proxy.url, aws.server.pid, aws.server.log).client("sqs")
    try:
        yield client
    finally:
        client.close()


def receive(client: Any, queue: str, visibility_s: int = 30) -> str:
    answer = client.receive_message(QueueUrl=queue, VisibilityTimeout=visibility_s, WaitTimeSeconds=20)
    (message,) = answer["Messages"]
    receipt: str = message["ReceiptHandle"]
    return receipt


def left(aws: Aws, queue: str) -> int:
    """How many messages there are, visible or not."""
    client = aws.server.client("sqs")
    try:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)
    finally:
        client.close()


def test_moto_alone_obeys_a_stale_handle(aws: Aws, queue_url: str) -> None:
    """Why there is a table: without one, a worker that lost its message deletes it under the hands of another."""
    with fault_proxy(aws.endpoint_url) as proxy, sqs(aws, proxy) as client:
        client.send_message(QueueUrl=queue_url, MessageBody="m")
        stale = receive(client, queue_url, 0)
        receive(client, queue_url)
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
    assert left(aws, queue_url) == 0


def test_strict_refuses_a_handle_after_another_receive(aws: Aws, queue_url: str) -> None:
    """The earlier handle is invalid for both calls and reaches nobody; the later one works, twice even."""
    with fault_proxy(aws.endpoint_url, leases="strict") as proxy, sqs(aws, proxy) as client:
        client.send_message(QueueUrl=queue_url, MessageBody="m")
        stale = receive(client, queue_url, 0)
        held = receive(client, queue_url)
        with pytest.raises(client.exceptions.ReceiptHandleIsInvalid):
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
        with pytest.raises(client.exceptions.ReceiptHandleIsInvalid):
            client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=stale, VisibilityTimeout=0)
        assert left(aws, queue_url) == 1
        client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=held, VisibilityTimeout=60)
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=held)
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=held)
        with pytest.raises(client.exceptions.ReceiptHandleIsInvalid):
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
    assert left(aws, queue_url) == 0
    calls = proxy.calls("DeleteMessage", "ChangeMessageVisibility")
    assert [(call.stale, call.forwarded) for call in calls] == [
        (True, 0),
        (True, 0),
        (False, 1),
        (False, 1),
        (False, 1),
        (True, 0),
    ]


def test_lenient_says_that_it_succeeded(aws: Aws, queue_url: str) -> None:
    """As a standard queue may: 200 for a stale handle, and nothing happens to the message of the other."""
    with fault_proxy(aws.endpoint_url, leases="lenient") as proxy, sqs(aws, proxy) as client:
        client.send_message(QueueUrl=queue_url, MessageBody="m")
        stale = receive(client, queue_url, 0)
        held = receive(client, queue_url)
        client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=stale, VisibilityTimeout=0)
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
        assert left(aws, queue_url) == 1
        assert [(call.stale, call.status, call.forwarded) for call in proxy.requests[-2:]] == [(True, 200, 0)] * 2
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=held)
    assert left(aws, queue_url) == 0


def test_a_lease_is_over_with_its_time(aws: Aws, queue_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the visibility timeout a handle holds nothing, received again or not; extending in time moves the end."""
    clock = time.monotonic
    ahead = 0.0
    table = LeaseTable("strict", clock=lambda: clock() + ahead)
    with fault_proxy(aws.endpoint_url, leases=table) as proxy, sqs(aws, proxy) as client:
        client.send_message(QueueUrl=queue_url, MessageBody="m")
        held = receive(client, queue_url, 100)
        ahead = 90
        client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=held, VisibilityTimeout=100)
        ahead = 180
        client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=held, VisibilityTimeout=100)
        ahead = 281
        with pytest.raises(client.exceptions.MessageNotInflight):
            client.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=held, VisibilityTimeout=100)
        with pytest.raises(client.exceptions.ReceiptHandleIsInvalid):
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=held)
        assert proxy.requests[-1].stale
    assert left(aws, queue_url) == 1


def test_workers_behind_two_proxies_share_a_table(aws: Aws, queue_url: str) -> None:
    """What one worker received makes the handle of the other stale, though each has a proxy of its own."""
    table = LeaseTable("strict")
    with (
        fault_proxy(aws.endpoint_url, leases=table) as left_proxy,
        fault_proxy(aws.endpoint_url, leases=table) as right_proxy,
        sqs(aws, left_proxy) as left_client,
        sqs(aws, right_proxy) as right_client,
    ):
        left_client.send_message(QueueUrl=queue_url, MessageBody="m")
        stale = receive(left_client, queue_url, 0)
        held = receive(right_client, queue_url)
        with pytest.raises(left_client.exceptions.ReceiptHandleIsInvalid):
            left_client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
        right_client.delete_message(QueueUrl=queue_url, ReceiptHandle=held)


def test_rules_and_table_together(aws: Aws, queue_url: str) -> None:
    """What is lost on the way back was learnt all the same, and what a rule keeps away is stale all the same."""
    with fault_proxy(aws.endpoint_url, leases="strict") as proxy, sqs(aws, proxy) as client:
        client.send_message(QueueUrl=queue_url, MessageBody="m")
        stale = receive(client, queue_url, 0)
        lost = proxy.add(Rule(Match("ReceiveMessage"), LOSE_ANSWER, times=1))
        receive(client, queue_url, 0)  # twice: the SDK tries again
        assert lost.hits == 1
        proxy.add(Rule(Match("DeleteMessage"), Refuse(400, "InvalidAddress")))
        with pytest.raises(ClientError, match="InvalidAddress"):
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=stale)
        assert proxy.requests[-1].stale


def test_what_the_table_cannot_follow_is_refused(aws: Aws, queue_url: str) -> None:
    """Batches do not slip past the table."""
    with fault_proxy(aws.endpoint_url, leases="lenient") as proxy, sqs(aws, proxy) as client:
        with pytest.raises(ClientError, match="knows neither batches"):
            client.delete_message_batch(QueueUrl=queue_url, Entries=[{"Id": "1", "ReceiptHandle": "r"}])
        assert proxy.requests[-1].forwarded == 0
