"""A client, us, and a queue between: what a whole job needs, over a real HTTP stand-in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.data import activity_mapping
from bench.peaks import peak_kb
from tests.cli.command import ENGINE, environment
from tests.moto import Aws

__all__ = ["Site"]


@dataclass(frozen=True, slots=True)
class Site:
    """A client's bucket, our bucket, a queue and a folder of mappings, all of their own."""

    aws: Aws
    folder: Path
    mapping_id: str
    source: str
    destination: str
    queue: str

    @classmethod
    def make(cls, aws: Aws, folder: Path, mapping: dict[str, Any] | None = None) -> Site:
        """A site whose one mapping is ``mapping``, by default the one of activity files."""
        mapping = mapping or activity_mapping()
        (folder / "mappings").mkdir()
        (folder / "mappings" / f"{mapping['id']}.json").write_text(json.dumps(mapping))
        return cls(aws, folder, mapping["id"], aws.bucket("client"), aws.bucket("ours"), aws.queue())

    def with_redrive(self, *, visibility_s: int, most_receives: int) -> tuple[Site, str]:
        """The site with another queue, whose messages go to a dead-letter queue after so many receives; that queue's
        URL."""
        dead_letters = self.aws.queue("dead-letters")
        policy = {"deadLetterTargetArn": self.aws.arn(dead_letters), "maxReceiveCount": str(most_receives)}
        queue = self.aws.queue(visibility_s=visibility_s, RedrivePolicy=json.dumps(policy))
        return replace(self, queue=queue), dead_letters

    def env(self, **variables: str) -> dict[str, str]:
        """The configuration, as environment variables; the engine's own keys differ from the client's."""
        endpoint = self.aws.endpoint_url
        return {
            "AWS_ACCESS_KEY_ID": "OURKEY",
            "AWS_SECRET_ACCESS_KEY": "our-secret",
            "ENGINE_QUEUE__URL": self.queue,
            "ENGINE_QUEUE__ENDPOINT_URL": endpoint,
            "ENGINE_SOURCE__ALLOW_ENDPOINTS": json.dumps([endpoint]),
            "ENGINE_DESTINATION__ENDPOINT_URL": endpoint,
            "ENGINE_DESTINATION__BUCKET": self.destination,
            "ENGINE_DESTINATION__PREFIX": "out",
            "ENGINE_MAPPINGS__STORE": str(self.folder / "mappings"),
            "ENGINE_FAILURE__BACKOFF_S": "[0.1, 1]",
            "ENGINE_LOG__FORMAT": "json",
            **variables,
        }

    def message(self, batch_id: str, files: list[str], **changes: Any) -> dict[str, Any]:
        """A message for ``files``, with the client's keys in it."""
        return {
            "version": 1,
            "batch_id": batch_id,
            "mapping_id": self.mapping_id,
            "source": {
                "bucket": self.source,
                "endpoint_url": self.aws.endpoint_url,
                "credentials": {"access_key_id": "CLIENTKEY", "secret_access_key": "client-secret"},
            },
            "files": files,
            **changes,
        }

    def send(self, batch_id: str, files: list[str], *, endpoint_url: str | None = None) -> None:
        """Puts a message for ``files`` on the queue."""
        message = self.message(batch_id, files)
        message["source"]["endpoint_url"] = endpoint_url or self.aws.endpoint_url
        client = self.aws.server.client("sqs")
        try:
            client.send_message(QueueUrl=self.queue, MessageBody=json.dumps(message))
        finally:
            client.close()

    def worker(self, *flags: str, engine: Path = ENGINE, **variables: str) -> Worked:
        """Runs ``engine worker`` to its end."""
        with (self.folder / "worker.log").open("wb") as output:
            process = subprocess.Popen(
                [engine, "worker", *flags],
                cwd=self.folder,
                env=environment(**self.env(**variables)),
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
            peak = peak_kb(process)
        log = [json.loads(line) for line in (self.folder / "worker.log").read_text().splitlines()]
        return Worked(process.returncode, peak / 1024, log)

    def visible(self) -> int:
        """How many messages a receive would find now."""
        return self.messages()[0]

    def messages(self) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        client = self.aws.server.client("sqs")
        try:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
            return int(found[names[0]]), int(found[names[1]])
        finally:
            client.close()

    def output(self) -> dict[str, bytes]:
        """Every object of our bucket."""
        return self.aws.objects(self.destination)


@dataclass(frozen=True, slots=True)
class Worked:
    """How a worker ended: its exit status, its peak memory in MB, its log."""

    status: int
    peak_mb: float
    log: list[Mapping[str, Any]]
