"""What a request to S3, SQS or STS asks for, told from its method, path, query, headers and body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.faults.wire import Head

__all__ = ["OPERATIONS", "Call", "called", "speaks_in_bodies"]

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/[^/]*/([^/,\s]+)/")
_QUERY_PROTOCOL = "application/x-www-form-urlencoded"

# Of a bucket and of an object: by method, and by the parameter of the query that makes the difference, "" last.
_OF_BUCKET = {
    "GET": {
        "uploads": "ListMultipartUploads",
        "versions": "ListObjectVersions",
        "versioning": "GetBucketVersioning",
        "location": "GetBucketLocation",
        "list-type": "ListObjectsV2",
        "": "ListObjects",
    },
    "HEAD": {"": "HeadBucket"},
    "PUT": {"versioning": "PutBucketVersioning", "": "CreateBucket"},
    "POST": {"delete": "DeleteObjects"},
    "DELETE": {"": "DeleteBucket"},
}
_OF_OBJECT = {
    "GET": {"uploadId": "ListParts", "attributes": "GetObjectAttributes", "": "GetObject"},
    "HEAD": {"": "HeadObject"},
    "PUT": {"partNumber": "UploadPart", "": "PutObject"},
    "POST": {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
    "DELETE": {"uploadId": "AbortMultipartUpload", "": "DeleteObject"},
}
_OF_QUEUE = (
    "ChangeMessageVisibility CreateQueue DeleteMessage DeleteQueue GetQueueAttributes GetQueueUrl ListQueues "
    "PurgeQueue ReceiveMessage SendMessage SetQueueAttributes"
)

OPERATIONS = frozenset(
    {
        *(name for choices in (*_OF_BUCKET.values(), *_OF_OBJECT.values()) for name in choices.values()),
        *("ListBuckets", "CopyObject", "UploadPartCopy"),
        *_OF_QUEUE.split(),
        *("AssumeRole", "GetSecretValue"),
    }
)
"""What a rule may name without a ``*``. Other operations of services that name theirs in the request are told too."""


@dataclass(slots=True)
class Call:
    """One request, and what came of it. Written by the proxy's thread alone, the second half as the call goes on.

    Attributes:
        operation: as the SDK names it (``GetObject``); ``""`` where it is none that is known here.
        bucket, key: of S3, in path style. queue: the last part of the queue's URL.
        access_key: whose signature the request carries; None: unsigned.
        parameters: of the query; for SQS and STS the body's.
        headers: as sent, by name in lower case.

        status: what the client was answered with; None: nothing.
        passed: bytes of the answer's body that it was sent.
        forwarded: how often the request was sent on; twice is a replay.
        upstream: what it was answered with there, even if the client was not; None: nothing.
        faults: what rules did to it.
        stale: its receipt handle held the message no longer. Known only with a lease table.
        aborted: the client went before it had all.
        done: nothing more comes of it.
    """

    method: str
    path: str
    service: str = "s3"
    operation: str = ""
    bucket: str | None = None
    key: str | None = None
    queue: str | None = None
    access_key: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    status: int | None = None
    passed: int = 0
    forwarded: int = 0
    upstream: int | None = None
    faults: list[str] = field(default_factory=list)
    stale: bool = False
    aborted: bool = False
    done: bool = False

    @property
    def where(self) -> str:
        """The bucket and the key, or the queue."""
        return self.queue or "/".join(name for name in (self.bucket, self.key) if name) or self.path


def speaks_in_bodies(head: Head) -> bool:
    """Whether what is asked for is (also) in the body: SQS, STS, Secrets Manager. Such bodies are small."""
    return head.get("x-amz-target") is not None or (head.get("content-type") or "").startswith(_QUERY_PROTOCOL)


def called(head: Head, body: bytes) -> Call:
    """The call that a request is. ``body`` is looked at only where :func:`speaks_in_bodies`."""
    method, target = head.first.split(" ")[:2]
    parts = urlsplit(target)
    headers = {name.lower(): value for name, value in head.fields}
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    call = Call(method, parts.path, access_key=signed[1] if signed else None, headers=headers)
    if not speaks_in_bodies(head):
        call.parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        _of_s3(call)
        return call
    named = headers.get("x-amz-target")
    if named is not None:
        prefix, _, call.operation = named.partition(".")
        call.parameters = _object(body)
        call.service = "sqs" if prefix == "AmazonSQS" else prefix.lower()
    else:
        call.parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        call.operation = call.parameters.get("Action", "")
        call.service = signed[2] if signed else "sqs" if call.parameters.get("Version") == "2012-11-05" else "sts"
    if call.service == "sqs":
        url = call.parameters.get("QueueUrl")
        call.queue = (url if isinstance(url, str) else parts.path).rpartition("/")[2] or None
        if call.operation in ("CreateQueue", "GetQueueUrl"):
            call.queue = call.parameters.get("QueueName")
    return call


def _of_s3(call: Call) -> None:
    bucket, _, key = unquote(call.path.removeprefix("/")).partition("/")
    call.bucket, call.key = bucket or None, key or None
    if not bucket:
        call.operation = "ListBuckets" if call.method == "GET" else ""
        return
    choices = (_OF_OBJECT if key else _OF_BUCKET).get(call.method, {})
    call.operation = next((name for sub, name in choices.items() if not sub or sub in call.parameters), "")
    if "x-amz-copy-source" in call.headers:
        call.operation = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(call.operation, "")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
