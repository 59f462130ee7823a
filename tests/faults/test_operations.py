"""Requests are told apart as the SDK names them."""

from __future__ import annotations

import json

import pytest

from tests.faults.operations import OPERATIONS, called
from tests.faults.wire import Head

pytestmark = pytest.mark.one_build("gil")

S3 = [
    ("GET /", "ListBuckets", None, None),
    ("PUT /b", "CreateBucket", "b", None),
    ("HEAD /b", "HeadBucket", "b", None),
    ("GET /b?list-type=2&prefix=data%2F", "ListObjectsV2", "b", None),
    ("GET /b/?uploads", "ListMultipartUploads", "b", None),
    ("POST /b?delete", "DeleteObjects", "b", None),
    ("GET /b/k", "GetObject", "b", "k"),
    ("GET /b/a%20b/%C3%BC?versionId=7", "GetObject", "b", "a b/ü"),
    ("HEAD /b/k", "HeadObject", "b", "k"),
    ("PUT /b/k", "PutObject", "b", "k"),
    ("PUT /b/k?partNumber=3&uploadId=u", "UploadPart", "b", "k"),
    ("POST /b/k?uploads", "CreateMultipartUpload", "b", "k"),
    ("POST /b/k?uploadId=u", "CompleteMultipartUpload", "b", "k"),
    ("DELETE /b/k?uploadId=u", "AbortMultipartUpload", "b", "k"),
    ("DELETE /b/k", "DeleteObject", "b", "k"),
    ("GET /b/k?uploadId=u&max-parts=5", "ListParts", "b", "k"),
    ("PATCH /b/k", "", "b", "k"),
]


@pytest.mark.parametrize(("line", "operation", "bucket", "key"), S3)
def test_s3(line: str, operation: str, bucket: str | None, key: str | None) -> None:
    """S3: from method, path and query; names are decoded."""
    call = called(Head(f"{line} HTTP/1.1"), b"")
    assert (call.service, call.operation, call.bucket, call.key) == ("s3", operation, bucket, key)
    assert operation in OPERATIONS | {""}


def test_s3_by_headers() -> None:
    """A copy is told by its header, and the key that signed by the signature."""
    signature = "AWS4-HMAC-SHA256 Credential=OURKEY/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    head = Head("PUT /b/k HTTP/1.1", (("x-amz-copy-source", "/b/j"), ("authorization", signature)))
    assert (called(head, b"").operation, called(head, b"").access_key) == ("CopyObject", "OURKEY")


def test_sqs_as_json() -> None:
    """SQS's JSON protocol: from the target header, with the queue and all parameters from the body."""
    head = Head("POST / HTTP/1.1", (("X-Amz-Target", "AmazonSQS.DeleteMessage"),))
    body = json.dumps({"QueueUrl": "http://h/123/jobs", "ReceiptHandle": "r"}).encode()
    call = called(head, body)
    assert (call.service, call.operation, call.queue) == ("sqs", "DeleteMessage", "jobs")
    assert call.parameters["ReceiptHandle"] == "r"
    assert called(head, b"not json").operation == "DeleteMessage"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/", b"Action=AssumeRole&Version=2011-06-15", ("sts", "AssumeRole", None)),
        ("/1/jobs", b"Action=ReceiveMessage&Version=2012-11-05", ("sqs", "ReceiveMessage", "jobs")),
        ("/", b"Action=PurgeQueue&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F1%2Fq", ("sqs", "PurgeQueue", "q")),
    ],
)
def test_the_query_protocol(path: str, body: bytes, expected: tuple[str, str, str | None]) -> None:
    """SQS's older protocol and STS: from the action that the form names."""
    head = Head(f"POST {path} HTTP/1.1", (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),))
    call = called(head, body)
    assert (call.service, call.operation, call.queue) == expected
