"""Real AWS stand-ins for the tests: the launcher that ships with the engine, and resources unique to a test."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass

from engine.adapters.aws.moto import LOCAL_AWS_ENV, REGION, Moto, find_moto_server, moto_server
from engine.ports import S3Location

__all__ = ["LOCAL_AWS_ENV", "Aws", "Moto", "find_moto_server", "moto_server"]

_numbers = itertools.count(1)  # used on the main thread only


@dataclass(frozen=True, slots=True)
class Aws:
    """One running server, and resources on it that no other test sees."""

    server: Moto

    @property
    def endpoint_url(self) -> str:
        return self.server.endpoint_url

    def bucket(self, stem: str = "bucket") -> str:
        """Makes an empty bucket; returns its name."""
        return self.server.make_bucket(f"{stem}-{os.getpid()}-{next(_numbers)}")

    def queue(self, stem: str = "queue", *, visibility_s: int = 30, fifo: bool = False, **attributes: str) -> str:
        """Makes an empty queue, with more of SQS's own attributes where given; returns its URL."""
        name = f"{stem}-{os.getpid()}-{next(_numbers)}" + (".fifo" if fifo else "")
        return self.server.make_queue(name, visibility_s=visibility_s, **attributes)

    def attributes(self, queue: str) -> dict[str, str]:
        """The attributes of a queue's only message, which stays visible."""
        client = self.server.client("sqs")
        try:
            (message,) = client.receive_message(
                QueueUrl=queue, VisibilityTimeout=0, MessageAttributeNames=["All"], WaitTimeSeconds=1
            )["Messages"]
            beside = message.get("MessageAttributes", {})
            return {name: value["StringValue"] for name, value in beside.items()}
        finally:
            client.close()

    def arn(self, queue: str) -> str:
        """The name of a queue, as policies want it."""
        client = self.server.client("sqs")
        try:
            found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        finally:
            client.close()
        arn: str = found["QueueArn"]
        return arn

    def location(self, bucket: str) -> S3Location:
        """Where ``bucket`` is, signed for with the engine's own chain."""
        return S3Location(bucket, REGION, self.endpoint_url)

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of a bucket, by key."""
        client = self.server.client("s3")
        try:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        finally:
            client.close()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        client = self.server.client("s3")
        try:
            client.put_object(Bucket=bucket, Key=key, Body=body)
        finally:
            client.close()

    def delete(self, bucket: str, key: str) -> None:
        client = self.server.client("s3")
        try:
            client.delete_object(Bucket=bucket, Key=key)
        finally:
            client.close()

    def open_uploads(self, bucket: str) -> list[str]:
        """Keys of the multipart uploads that are neither completed nor aborted."""
        client = self.server.client("s3")
        try:
            return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
        finally:
            client.close()
