"""Faults as the SDK sees them, at the calls that the engine makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as sdk

from tests.faults import (
    LOSE_ANSWER,
    RESET,
    Cut,
    FaultProxy,
    Match,
    Refuse,
    Replay,
    Rule,
    Substitute,
    fault_proxy,
    replacing,
)
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")

PART = b"x" * (5 * 1024 * 1024)


@pytest.fixture
def proxy(aws: Aws) -> Iterator[FaultProxy]:
    with fault_proxy(aws.endpoint_url) as running:
        yield running


@asynccontextmanager
async def client(proxy: FaultProxy, service: Any, attempts: int = 1) -> AsyncIterator[Any]:
    config = AioConfig(
        retries={"mode": "standard", "total_max_attempts": attempts}, s3={"addressing_style": "path"}, read_timeout=60
    )
    session = AioSession()
    async with session.create_client(service, region_name="us-east-1", endpoint_url=proxy.url, config=config) as made:
        yield made


async def test_get_object(aws: Aws, bucket: str, proxy: FaultProxy) -> None:
    """A body cut short is an error of reading it; a refusal has S3's code, a HEAD's its status."""
    aws.put(bucket, "a", PART)
    proxy.add(Rule(Match("GetObject"), Cut("body", 1000, "close"), times=1))
    proxy.add(Rule(Match("GetObject"), Refuse(503)))
    proxy.add(Rule(Match("HeadObject"), Refuse(403)))
    async with client(proxy, "s3") as s3:
        answer = await s3.get_object(Bucket=bucket, Key="a")
        assert answer["ContentLength"] == len(PART)
        async with answer["Body"] as body:
            with pytest.raises(aiohttp.ClientPayloadError):
                await body.read()
        with pytest.raises(sdk.ClientError, match=r"\(SlowDown\).*GetObject"):
            await s3.get_object(Bucket=bucket, Key="a")
        with pytest.raises(sdk.ClientError, match=r"\(403\)"):
            await s3.head_object(Bucket=bucket, Key="a")


async def test_upload_part(aws: Aws, bucket: str, proxy: FaultProxy) -> None:
    """A part cut on its way is not there; sent again it is. A lost answer to Complete is settled by the SDK's retry."""
    async with client(proxy, "s3", attempts=2) as s3:
        upload = {"Bucket": bucket, "Key": "a"}
        upload["UploadId"] = (await s3.create_multipart_upload(**upload))["UploadId"]
        rule = proxy.add(Rule(Match("UploadPart"), Cut("request", len(PART) // 2)))
        with pytest.raises((sdk.HTTPClientError, sdk.ConnectionError)):
            await s3.upload_part(**upload, PartNumber=1, Body=PART)
        assert "Parts" not in await s3.list_parts(**upload)
        assert rule.hits >= 2  # aiohttp by itself sends what is idempotent a second time, in each of the SDK's attempts
        proxy.remove(rule)
        sent = await s3.upload_part(**upload, PartNumber=1, Body=PART)
        assert proxy.calls("UploadPart")[-1].headers["expect"] == "100-continue"
        assert proxy.calls("UploadPart")[-1].parameters["partNumber"] == "1"
        parts = (await s3.list_parts(**upload))["Parts"]
        assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, len(PART))]
        proxy.add(Rule(Match("CompleteMultipartUpload"), LOSE_ANSWER, times=1))
        completion = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
        await s3.complete_multipart_upload(**upload, MultipartUpload=completion)
        assert [(call.upstream, call.status) for call in proxy.calls("CompleteMultipartUpload")] == [
            (200, None),
            (200, 200),
        ]
    assert aws.objects(bucket) == {"a": PART}


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>no</Message></Error>', True),
        (b"<html><p>Gateway", True),
        (b"<html><body>Gateway</body></html>", False),
        (b"", False),
    ],
)
async def test_complete_with_a_lying_answer(aws: Aws, bucket: str, proxy: FaultProxy, body: bytes, seen: bool) -> None:
    """A 200 that says otherwise, or nothing, though the object is there. The SDK makes an error of half of them."""
    proxy.add(Rule(Match("CompleteMultipartUpload"), Substitute(200, body, {"Content-Type": "application/xml"})))
    async with client(proxy, "s3") as s3:
        upload = {"Bucket": bucket, "Key": "a"}
        upload["UploadId"] = (await s3.create_multipart_upload(**upload))["UploadId"]
        part = await s3.upload_part(**upload, PartNumber=1, Body=b"bytes")
        completion = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        if seen:
            with pytest.raises(sdk.ClientError):
                await s3.complete_multipart_upload(**upload, MultipartUpload=completion)
        else:
            assert "ETag" not in await s3.complete_multipart_upload(**upload, MultipartUpload=completion)
    assert aws.objects(bucket) == {"a": b"bytes"}


async def test_put_object_replayed(aws: Aws, bucket: str, proxy: FaultProxy) -> None:
    """A conditional put that the network delivers twice has won, and is told that it has lost."""
    proxy.add(Rule(Match("PutObject"), Replay()))
    async with client(proxy, "s3") as s3:
        with pytest.raises(sdk.ClientError, match="PreconditionFailed"):
            await s3.put_object(Bucket=bucket, Key="m", Body=b"ours", IfNoneMatch="*")
    assert aws.objects(bucket) == {"m": b"ours"}


async def test_receive_and_delete(aws: Aws, queue_url: str, proxy: FaultProxy) -> None:
    """A receive whose answer is lost leaves the message invisible; a delete that is reset leaves it there."""
    name = queue_url.rpartition("/")[2]
    async with client(proxy, "sqs") as sqs:
        for number in range(2):
            await sqs.send_message(QueueUrl=queue_url, MessageBody=f"message {number}")
        lost = proxy.add(Rule(Match("ReceiveMessage", queue=name), LOSE_ANSWER, times=1))
        with pytest.raises((sdk.HTTPClientError, sdk.ConnectionError)):
            await sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=1)
        assert lost.hits == 1
        altered = proxy.add(Rule(Match("ReceiveMessage"), replacing(b"message 1", b"another 1")))
        (message,) = (await sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10))["Messages"]
        assert (message["Body"], altered.hits) == ("another 1", 1)
        proxy.add(Rule(Match("DeleteMessage"), RESET, times=1))
        with pytest.raises((sdk.HTTPClientError, sdk.ConnectionError)):
            await sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        await sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    assert [(call.operation, call.forwarded) for call in proxy.calls("DeleteMessage")] == [
        ("DeleteMessage", 0),
        ("DeleteMessage", 1),
    ]


@pytest.mark.parametrize(
    ("refusal", "code", "modelled"),
    [
        (Refuse(503), "ServiceUnavailable", "ClientError"),
        (Refuse(500), "InternalError", "ClientError"),
        (Refuse(403), "AccessDenied", "ClientError"),
        (Refuse(400, "QueueDoesNotExist"), "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
        (Refuse(400, "MessageNotInflight"), "AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"),
        (Refuse(400, "ReceiptHandleIsInvalid"), "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
    ],
)
async def test_sqs_refuses(queue_url: str, proxy: FaultProxy, refusal: Refuse, code: str, modelled: str) -> None:
    """An error of SQS has the code and the class that the SDK gives the real one."""
    proxy.add(Rule(Match(), refusal))
    async with client(proxy, "sqs") as sqs:
        with pytest.raises(sdk.ClientError, match="a fault was injected") as raised:
            await sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle="r", VisibilityTimeout=1)
    assert raised.value.response["Error"]["Code"] == code
    assert type(raised.value).__name__ == modelled


async def test_sts_refuses(proxy: FaultProxy) -> None:
    """STS speaks another protocol, and is refused in it."""
    proxy.add(Rule(Match("AssumeRole"), Refuse(403, "ExpiredToken")))
    async with client(proxy, "sts") as sts:
        with pytest.raises(sdk.ClientError, match=r"\(ExpiredToken\)"):
            await sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/a", RoleSessionName="engine")


async def test_a_rate_reaches_every_call_alike(aws: Aws, bucket: str, proxy: FaultProxy) -> None:
    """With 30 % of 503 and enough attempts everything gets through, and the table of calls shows what it took."""
    rule = proxy.add(Rule(Match(), Refuse(503), rate=0.3))
    async with client(proxy, "s3", attempts=10) as s3:
        s3.meta.config.retries["max_attempts"] = 10
        await asyncio.gather(*(s3.put_object(Bucket=bucket, Key=str(number), Body=b"x") for number in range(20)))
    assert len(aws.objects(bucket)) == 20
    statuses = [call.status for call in proxy.calls("PutObject")]
    assert (statuses.count(200), statuses.count(503)) == (20, rule.hits)
    assert rule.hits > 0
