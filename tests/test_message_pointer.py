"""A message that is too long for a queue: the pointer, the document, and what is refused of both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.config import DestinationSettings, QueueSettings, Settings
from engine.errors import MessageError
from engine.locations import document_location
from engine.message import (
    MAX_BYTES,
    MAX_DOCUMENT_BYTES,
    DocumentRef,
    Message,
    Pointer,
    parse_body,
    parse_message,
)
from engine.messageschema import message_schema
from engine.ports import S3Location

MESSAGE: dict[str, Any] = {
    "version": 1,
    "batch_id": "b-1",
    "mapping_id": "activity",
    "source": {"bucket": "acme-exports", "credentials": {"profile": "p"}},
    "prefix": "2026/",
}
DOCUMENT: dict[str, Any] = {"bucket": "ours", "key": "messages/b 1.json"}
EXTENDED = "software.amazon.payloadoffloading.PayloadS3Pointer"


def pointer(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "document": {**DOCUMENT, **changes}}


def problems(body: object) -> list[str]:
    with pytest.raises(MessageError) as refused:
        parse_body(json.dumps(body))
    return [str(problem) for problem in refused.value.problems]


def test_a_body_is_a_message_or_a_pointer() -> None:
    """The same message is read from a queue and from a document; a body may name such a document instead."""
    read = parse_body(json.dumps(MESSAGE))
    assert isinstance(read, Message)
    assert read == parse_message(json.dumps(MESSAGE))
    assert parse_body(json.dumps(pointer())) == Pointer(version=1, document=DocumentRef(**DOCUMENT))


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "s3://ours/messages/b 1.json"),
        ({"version_id": None}, "s3://ours/messages/b 1.json"),
        ({"version_id": "v1"}, "s3://ours/messages/b 1.json?versionId=v1"),
        ({"versionId": "v1"}, "s3://ours/messages/b 1.json?versionId=v1"),
    ],
)
def test_a_documents_url_names_it(changes: dict[str, Any], url: str) -> None:
    """Bucket, key and, where one is meant, the version; camelCase says the same."""
    read = parse_body(json.dumps(pointer(**changes)))
    assert isinstance(read, Pointer)
    assert str(read.document) == url


@pytest.mark.parametrize("name", [EXTENDED, "com.amazon.sqs.javamessaging.MessageS3Pointer"])
def test_the_extended_clients_pointer(name: str) -> None:
    """What the SQS Extended Client sends, in its present and in its first form, is the same pointer."""
    body = json.dumps([name, {"s3BucketName": "ours", "s3Key": "messages/b 1.json"}])
    assert parse_body(body) == parse_body(json.dumps(pointer()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"version": 1, "document": {}}, ["document.bucket: is required", "document.key: is required"]),
        ({"version": 1, "document": None}, ["document: must be an object with keys"]),
        ({"document": DOCUMENT}, ["version: is required"]),
        (pointer(kee="k"), ["document: unknown key 'kee' (did you mean 'key'?)"]),
        (pointer(bucket="a/b"), ["document.bucket: must be the name of a bucket or the ARN of an access point"]),
        (pointer(key=""), ["document.key: must be an object key of 1 to 1024 bytes"]),
        (
            pointer(versionId="v", version_id="w"),
            ["document: 'version_id': version_id is given twice, under two names"],
        ),
        ({**pointer(), "batch_id": "b"}, ["unknown key 'batch_id'"]),
        ([EXTENDED, {"s3BucketName": "ours"}], ["document.key: is required"]),
        ([EXTENDED, {"s3BucketName": "ours", "s3Key": "k", "x": 1}], ["document: unknown key 'x'"]),
        ([EXTENDED, "ours"], ["document: must be an object with keys"]),
        ([EXTENDED], ["must be a JSON object"]),
        (["java.lang.String", {"s3BucketName": "ours", "s3Key": "k"}], ["must be a JSON object"]),
        ([{}, {}], ["must be a JSON object"]),
    ],
    ids=str,
)
def test_every_fault_of_a_pointer_is_named(body: object, expected: list[str]) -> None:
    """A pointer is checked as strictly as a message: nothing unknown, nothing missing, each fault in its place."""
    assert problems(body) == expected


@pytest.mark.parametrize(
    "body", [pointer(), [EXTENDED, {"s3BucketName": "ours", "s3Key": "k"}]], ids=["ours", "theirs"]
)
def test_a_pointer_to_a_pointer_is_refused(body: object) -> None:
    """A document is the message itself: nobody is sent from bucket to bucket."""
    with pytest.raises(MessageError, match=r"^s3://ours/k: is a pointer to another document"):
        parse_message(json.dumps(body), name="s3://ours/k")


def test_a_body_longer_than_a_queue_takes_is_refused() -> None:
    """The bound is in bytes of UTF-8, not in characters; the error says what to send instead, word for word."""
    text = json.dumps({**MESSAGE, "mapping_id": "\u00e9" * (MAX_BYTES // 2)}, ensure_ascii=False)
    with pytest.raises(MessageError) as refused:
        parse_body(text)
    told = str(refused.value)
    assert f"is {len(text.encode()):,} bytes long" in told
    assert "document_buckets" in told
    instead = json.loads(told[told.index("{") : told.rindex("}") + 1])
    instead["document"] |= DOCUMENT
    assert parse_body(json.dumps(instead)) == parse_body(json.dumps(pointer()))


def test_a_document_may_be_longer() -> None:
    """What a queue would not take is read from a document, up to the document's own bound."""
    keys = [f"{number:0100}.csv" for number in range(20_000)]
    text = json.dumps({**MESSAGE, "prefix": None, "files": keys})
    assert len(text) > 2 * MAX_BYTES
    assert len(parse_message(text).files or ()) == 20_000
    with pytest.raises(MessageError, match="bytes long"):
        parse_body(text)
    with pytest.raises(MessageError, match="split the batch"):
        parse_message(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_only_listed_buckets_hold_documents() -> None:
    """A message cannot make the engine read, with its own keys, whatever bucket somebody names."""
    settings = Settings(
        queue=QueueSettings(document_buckets=["ours", "ours-too"]),
        destination=DestinationSettings(bucket="results", region="eu-north-1", endpoint_url="http://minio:9000"),
    )
    document = DocumentRef(**DOCUMENT)
    assert document_location(document, settings) == S3Location("ours", "eu-north-1", "http://minio:9000")
    for bucket in ("results", "OURS", "ours-"):
        with pytest.raises(MessageError, match=r"document\.bucket: is not allowed here: \[queue\] document_buckets"):
            document_location(document.model_copy(update={"bucket": bucket}), settings)
    with pytest.raises(MessageError):
        document_location(document, Settings())


def test_the_schema_has_every_form() -> None:
    """The schema is a message's, which refuses what we refuse, and beside it stand both kinds of pointers."""
    message = message_schema()
    ours, theirs = message["$defs"]["Pointer"], message["$defs"]["ExtendedClientPointer"]
    assert "batch_id" in message["required"]
    assert ours["required"] == ["version", "document"]
    assert ours["additionalProperties"] is False
    assert theirs["prefixItems"][0]["enum"][0] == EXTENDED
    assert message["$defs"]["DocumentRef"]["required"] == ["bucket", "key"]
    assert message["properties"]["files"]["maxItems"] == 1_000_000
