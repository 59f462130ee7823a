"""A whole job behind a fault proxy: real workers, a real HTTP stand-in, and what must be true in the end."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.cli.command import ENGINE, MAPPING, environment
from tests.faults import FaultProxy
from tests.moto import Aws
from tests.oracle import expect, read_jsonl, read_rejects
from tests.site import Site

__all__ = ["Log", "Rig", "Worker", "table", "until"]

_PATIENCE_S = 90.0  # nothing here takes a tenth of it, unless it never ends

type Log = list[dict[str, Any]]


def until(condition: Callable[[], bool], what: str, *, timeout_s: float = _PATIENCE_S, every_s: float = 0.05) -> None:
    """Polls until ``condition`` holds.

    Raises:
        TimeoutError: it does not; names ``what`` was waited for.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so in {timeout_s:g} s: {what}")
        time.sleep(every_s)


def table(tag: str, rows: int = 40) -> bytes:
    """A file for ``MAPPING``, with ``tag`` in every row; each tenth row is to be rejected."""
    lines = [f"{'bad' if number % 10 == 7 else number},{tag} {number}\n" for number in range(rows)]
    return "".join(["id,name\n", *lines]).encode()


class Worker:
    """A running ``engine worker``, and its log so far. ``log_path`` is being written to."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self.process = process
        self._log_path = log_path

    @property
    def text(self) -> str:
        return self._log_path.read_text()

    @property
    def log(self) -> Log:
        """The whole lines so far that are JSON."""
        lines = self.text.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def events(self, event: str, **fields: Any) -> Log:
        """The lines of one event, with these fields among theirs."""
        return [line for line in self.log if line["event"] == event and fields.items() <= line.items()]

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> Log:
        """Waits for ``count`` lines of an event; returns them.

        Raises:
            TimeoutError: they do not come.
            AssertionError: the worker has ended without them.
        """

        def there() -> bool:
            ended = self.process.poll() is not None
            found = len(self.events(event, **fields)) >= count
            assert found or not ended, f"the worker ended ({self.process.returncode}) before {event!r}:\n{self.text}"
            return found

        try:
            until(there, f"{count} of {event!r} {fields or ''}")
        except TimeoutError as error:
            error.add_note(self.text)
            raise
        return self.events(event, **fields)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit status, once it has ended by itself. No worker may end with a traceback."""
        try:
            status = self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the worker does not end:\n{self.text}") from None
        assert "Traceback" not in self.text, self.text
        return status

    def stop(self) -> None:
        """Tells it to stop, and expects a clean end."""
        self.signal()
        assert self.wait() == 0, self.text


@dataclass(frozen=True, slots=True)
class Rig:
    """A site whose destination, queue and source are reached through ``proxy``.

    Attributes:
        dead_letters: URL of the queue for messages that can never succeed.
    """

    site: Site
    proxy: FaultProxy
    dead_letters: str

    @classmethod
    def make(cls, aws: Aws, folder: Path, proxy: FaultProxy, *, fifo: bool = False, visibility_s: int = 30) -> Rig:
        dead = aws.queue("dead", fifo=fifo)
        arn = f"arn:aws:sqs:us-east-1:123456789012:{dead.rpartition('/')[2]}"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1000})
        queue = aws.queue(visibility_s=visibility_s, fifo=fifo, RedrivePolicy=policy)
        return cls(replace(Site.make(aws, folder, MAPPING), queue=queue), proxy, dead)

    @property
    def aws(self) -> Aws:
        return self.site.aws

    def env(self, **variables: str) -> dict[str, str]:
        """The configuration; ``variables`` override it. Pauses are short, all else is as users have it."""
        url = self.proxy.url
        return self.site.env(
            **{
                "ENGINE_QUEUE__ENDPOINT_URL": url,
                "ENGINE_QUEUE__DEAD_LETTER_URL": self.dead_letters,
                "ENGINE_QUEUE__VISIBILITY_S": "30",
                "ENGINE_QUEUE__WAIT_S": "1",
                "ENGINE_SOURCE__ALLOW_ENDPOINTS": json.dumps([url]),
                "ENGINE_SOURCE__ATTEMPTS": "3",
                "ENGINE_DESTINATION__ENDPOINT_URL": url,
                "ENGINE_POOL__WORKERS": "1",
                **variables,
            }
        )

    def put(self, batch: str, files: int = 2, rows: int = 40) -> list[str]:
        """Makes the source files of a batch; returns their keys."""
        keys = [f"{batch}/{number}.csv" for number in range(files)]
        for key in keys:
            self.aws.put(self.site.source, key, table(key, rows))
        return keys

    def message(self, batch: str, files: list[str] | str, **changes: Any) -> dict[str, Any]:
        """As the site's, through the proxy; of these files, or of those under a prefix."""
        made = self.site.message(batch, [], **changes)
        if isinstance(files, str):
            del made["files"]
        made["prefix" if isinstance(files, str) else "files"] = files
        made["source"]["endpoint_url"] = self.proxy.url
        return made

    def send(self, message: dict[str, Any] | str, **parameters: str) -> None:
        """Puts a message, or any body, on the queue; with parameters of SQS's own."""
        body = message if isinstance(message, str) else json.dumps(message)
        client = self.aws.server.client("sqs")
        try:
            client.send_message(QueueUrl=self.site.queue, MessageBody=body, **parameters)
        finally:
            client.close()

    def order(self, batch: str, files: int = 2, rows: int = 40) -> list[str]:
        """Source files, and the message for them; returns their keys."""
        keys = self.put(batch, files, rows)
        self.send(self.message(batch, keys))
        return keys

    @contextmanager
    def worker(
        self, *flags: str, command: Sequence[str | Path] = (ENGINE, "worker"), **variables: str
    ) -> Iterator[Worker]:
        """Runs a worker; it is killed when the block is left, if it has not ended by then."""
        log = self.site.folder / f"worker-{time.monotonic_ns()}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*command, *flags],
                cwd=self.site.folder,
                env=environment(**self.env(**variables)),
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield Worker(process, log)
            finally:
                process.kill()

    def run(self, *flags: str, command: Sequence[str | Path] = (ENGINE, "worker"), **variables: str) -> Log:
        """A worker until the queue is empty; returns its log."""
        with self.worker(*flags, command=command, **variables) as worker:
            self.until_empty(worker)
            worker.stop()
            return worker.log

    def until_empty(self, worker: Worker) -> None:
        """Waits until no message is left on the queue, visible or not."""

        def empty() -> bool:
            assert worker.process.poll() is None, worker.text
            # Twice: the two numbers are not counted at the same moment, and a message may turn visible between.
            return self.site.messages() == (0, 0) and self.site.messages() == (0, 0)

        try:
            until(empty, "the queue is empty", every_s=0.25)  # each look is work for a server that the worker needs too
        except TimeoutError as error:
            error.add_note(worker.text)
            raise

    def assert_committed(self, batch: str, keys: list[str]) -> None:
        """The batch is what the oracle makes of its files, its manifest says so, and nothing else lies there."""
        output = self.aws.objects(self.site.destination, f"out/{batch}/")
        assert f"out/{batch}/manifest.json" in output, f"{batch} is not committed: {sorted(output)}"
        manifest = json.loads(output.pop(f"out/{batch}/manifest.json"))
        etags = self.etags(f"out/{batch}/")
        sources = self.sources(keys)
        assert [file["source"] for file in manifest["files"]] == keys
        for file in manifest["files"]:
            source = sources[file["source"]]
            text = gzip.decompress(source) if file["source"].endswith(".gz") else source
            expected = expect(text, MAPPING)
            entry, rejects = file["output"], file["rejects"]
            data = output.pop(entry["key"])
            assert read_jsonl(data) == expected.rows
            assert (entry["bytes"], entry["etag"]) == (len(data), etags[entry["key"]])
            rejected = output.pop(rejects["key"]) if rejects else b""
            assert read_rejects(rejected) == expected.rejects
            assert rejects is None or (rejects["bytes"], rejects["etag"]) == (len(rejected), etags[rejects["key"]])
            counts = (file["rows_read"], file["rows_written"], file["rows_rejected"])
            assert counts == (expected.rows_read, len(expected.rows), len(expected.rejects))
            assert file["bytes_read"] == len(source)
        assert output == {}, f"beside {batch}"

    def assert_clean(self) -> None:
        """No open upload, no message anywhere."""
        assert self.aws.open_uploads(self.site.destination) == []
        assert self.site.messages() == (0, 0)
        assert self.letters() == []

    def sources(self, keys: list[str]) -> dict[str, bytes]:
        """These source files."""
        client = self.aws.server.client("s3")
        try:
            return {key: client.get_object(Bucket=self.site.source, Key=key)["Body"].read() for key in keys}
        finally:
            client.close()

    def etags(self, prefix: str) -> dict[str, str]:
        client = self.aws.server.client("s3")
        try:
            found = client.list_objects_v2(Bucket=self.site.destination, Prefix=prefix).get("Contents", [])
            return {entry["Key"]: entry["ETag"].strip('"') for entry in found}
        finally:
            client.close()

    def keep_versions(self) -> None:
        """Has the destination keep every version of an object, for :meth:`versions`."""
        client = self.aws.server.client("s3")
        try:
            client.put_bucket_versioning(Bucket=self.site.destination, VersioningConfiguration={"Status": "Enabled"})
        finally:
            client.close()

    def versions(self, prefix: str) -> dict[str, int]:
        """How often each key below ``prefix`` was written."""
        client = self.aws.server.client("s3")
        try:
            found = client.list_object_versions(Bucket=self.site.destination, Prefix=prefix).get("Versions", [])
            return dict(Counter(entry["Key"] for entry in found))
        finally:
            client.close()

    def letters(self) -> list[dict[str, Any]]:
        """Takes the dead letters: their ``body`` and ``attributes``."""
        client = self.aws.server.client("sqs")
        found: list[dict[str, Any]] = []
        try:
            while got := client.receive_message(
                QueueUrl=self.dead_letters, MessageAttributeNames=["All"], MaxNumberOfMessages=10, WaitTimeSeconds=0
            ).get("Messages"):
                for message in got:
                    client.delete_message(QueueUrl=self.dead_letters, ReceiptHandle=message["ReceiptHandle"])
                    beside = message.get("MessageAttributes", {})
                    attributes = {name: value["StringValue"] for name, value in beside.items()}
                    found.append({"body": message["Body"], "attributes": attributes})
            return found
        finally:
            client.close()
