"""The demo: a local S3 and SQS, two clients' files, two messages, one worker, and the result explained."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from engine.adapters.aws.moto import LOCAL_AWS_ENV, REGION, Moto, moto_server
from engine.batch import Batch, Committed
from engine.cli.common import Overrides, PoolFlags, configure
from engine.cli.demo_report import Made, print_result, print_step, print_title
from engine.cli.failures import lines
from engine.cli.signals import Stop, run_until_signalled
from engine.cli.wiring import executor_choice, fit_of
from engine.cli.worker import serve
from engine.codec import encode_json
from engine.config import Settings
from engine.errors import EngineError, UsageError
from engine.pipeline import FileProgress
from engine.ports import Delivery
from engine.progress import Progress, Totals, count, live, size
from engine.sources import SourceFile

if TYPE_CHECKING:
    from bench.data import Activity

__all__ = ["Demo"]

_CLIENTS = ("acme", "globex")
_DAY = "2026-11-22"
_DESTINATION = "analytics"
_MAPPINGS = "mappings"
_CORRUPT = 0.002
_NEWLINES = 0.01


@dataclass(slots=True)
class _Observer:
    """Feeds the progress line and remembers how each batch ended. Used on the service's loop only."""

    progress: Progress
    last: Totals
    committed: list[Committed] = field(default_factory=list)
    errors: list[EngineError] = field(default_factory=list)

    def batch_started(self, batch: Batch, files: Sequence[SourceFile]) -> None:
        self.progress.batch_started(batch, files)

    def file_progress(self, progress: FileProgress) -> None:
        self.progress.file_progress(progress)

    def batch_committed(self, batch: Batch, committed: Committed) -> None:  # noqa: ARG002 # the Observer's names
        self.last = self.progress.totals()
        self.committed.append(committed)

    def message_failed(self, delivery: Delivery, error: EngineError) -> None:
        self.progress.message_failed(delivery, error)
        self.errors.append(error)


@dataclass(frozen=True, slots=True)
class Demo:
    """One demonstration.

    Attributes:
        rows: in all files together.
        files: how many; each client gets every other one.
        keep: folder that gets a copy of the destination bucket.
    """

    rows: int
    files: int
    keep: Path | None
    flags: PoolFlags

    def run(self) -> int:
        """Runs to the end or the first signal; returns the exit status. Nothing it started outlives it.

        Raises:
            UsageError: the sample data or ``moto_server`` is not installed here.
            EngineError: what the worker could not recover from.
        """
        _activity_module()
        configure(self.flags)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-demo-")))
            stack.callback(_restore, dict(os.environ))
            _only_local_aws()
            servers: list[Moto] = []
            return run_until_signalled(
                lambda stop: self._run(stop, folder, servers), cancel=True, on_second=lambda: _kill(servers)
            )

    async def _run(self, stop: Stop, folder: Path, servers: list[Moto]) -> int:
        console = Console()
        if not console.is_terminal:
            console = Console(width=120)
        print_title(console)
        # Blocks this loop for a moment, so that no signal can come between a started server and our knowing of it.
        with moto_server(folder / "moto.log") as moto:
            servers.append(moto)
            print_step(console, "local AWS", f"moto_server with S3 and SQS on {moto.endpoint_url}")
            settings = await self._resources(moto)
            made = await self._files(console, moto, folder)
            await self._messages(console, moto, settings, made)
            progress = Progress()
            observer = _Observer(progress, progress.totals())
            async with live(observer.progress, console):
                await serve(settings, "drain", stop.event, observer)
            print_step(console, "worker", _worked(settings, observer))
            for error in observer.errors:
                for line in lines(error):
                    sys.stderr.write(f"engine: {line}\n")
            manifests = [each.manifest for each in observer.committed]
            objects = await asyncio.to_thread(_download, moto, folder / "result")
            print_result(console, made, manifests, _DESTINATION, folder / "result")
            left = await asyncio.to_thread(_left_behind, moto, settings.queue.url)
            print_step(console, "left", left)
        kept = self._keep(folder / "result", objects)
        print_step(console, "end", f"moto_server stopped, temporary files removed{kept}")
        return 1 if observer.errors or len(manifests) < len({file.client for file in made}) else 0

    async def _resources(self, moto: Moto) -> Settings:
        def make() -> tuple[str, str]:
            for bucket in (*(f"{client}-exports" for client in _CLIENTS), _DESTINATION, _MAPPINGS):
                moto.make_bucket(bucket)
            dead_letters = moto.make_queue("work-dead-letters", MessageRetentionPeriod="1209600")  # 14 days
            policy = {
                "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:123456789012:work-dead-letters",
                "maxReceiveCount": 5,
            }
            url = moto.make_queue("work", visibility_s=300, RedrivePolicy=encode_json(policy).decode())
            return url, dead_letters

        url, dead_letters = await asyncio.to_thread(make)
        overrides: dict[tuple[str, str], Any] = {
            ("queue", "url"): url,
            ("queue", "dead_letter_url"): dead_letters,
            ("queue", "endpoint_url"): moto.endpoint_url,
            ("queue", "region"): REGION,
            ("source", "allow_endpoints"): [moto.endpoint_url],
            ("source", "allow_inline_keys"): True,
            ("destination", "bucket"): _DESTINATION,
            ("destination", "prefix"): "activity",
            ("destination", "endpoint_url"): moto.endpoint_url,
            ("destination", "region"): REGION,
            ("mappings", "store"): f"s3://{_MAPPINGS}/",
        }
        named: Overrides = {f"demo {'.'.join(place)}": (*place, value) for place, value in overrides.items()}
        return configure(self.flags, named)[0]

    async def _files(self, console: Console, moto: Moto, folder: Path) -> list[Made]:
        """Writes each client's files and puts them into its bucket."""
        started = time.perf_counter()
        made: list[Made] = []
        for number, activity in enumerate(self._plan()):
            # A thread for each file, so that a signal waits for one of them at most.
            made.append(await asyncio.to_thread(_make, moto, activity, number, folder))
        total, broken = sum(file.bytes for file in made), sum(len(file.corrupted) for file in made)
        what = f"{len(made)} files, {count(self.rows)} rows, {size(total)}, {count(broken)} rows corrupted on purpose"
        clients = sorted({file.client for file in made})
        where = ", ".join(f"s3://{client}-exports/{_DAY}/" for client in clients)
        print_step(console, "sample data", f"{what}\n{where} ({time.perf_counter() - started:.1f} s)")
        return made

    def _plan(self) -> Iterator[Activity]:
        """As different as clients' files are: line ends, byte order marks, newlines in quotes, broken rows."""
        data = _activity_module()
        share, rest = divmod(self.rows, self.files)
        first = 1
        for number in range(self.files):
            rows = share + (number < rest)
            yield data.Activity(
                rows=rows,
                corrupt=_CORRUPT,
                newlines=_NEWLINES,
                crlf=number % 4 == 1,
                bom=number % 4 == 2,
                first_id=first,
            )
            first += rows

    async def _messages(self, console: Console, moto: Moto, settings: Settings, made: Sequence[Made]) -> None:
        messages = [
            {
                "version": 1,
                "batch_id": f"{client}-{_DAY}",
                "mapping_id": "activity",
                "source": {
                    "bucket": f"{client}-exports",
                    "region": REGION,
                    "endpoint_url": moto.endpoint_url,
                    "credentials": {"access_key_id": f"{client}-key", "secret_access_key": f"{client}-secret"},
                },
                "files": [file.key for file in made if file.client == client],
                "correlation_id": f"demo-{client}",
            }
            for client in _CLIENTS
            if any(file.client == client for file in made)
        ]
        await asyncio.to_thread(_send, moto, settings.queue.url, messages)
        fields = _activity_module().activity_mapping()["fields"]
        types = ", ".join(dict.fromkeys(field["type"] for field in fields))
        print_step(console, "mapping", f"s3://{_MAPPINGS}/activity.json: {len(fields)} fields of {types}")
        names = ", ".join(str(message["batch_id"]) for message in messages)
        print_step(console, "messages", f"{len(messages)} on {settings.queue.url}: {names}")

    def _keep(self, result: Path, objects: int) -> str:
        if self.keep is None:
            return " (--keep DIR keeps the result)"
        self.keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(result, self.keep, dirs_exist_ok=True)
        return f"; the {objects} objects of s3://{_DESTINATION}/ are in {self.keep}/"


def _worked(settings: Settings, observer: _Observer) -> str:
    totals = observer.last
    choice = executor_choice(settings)
    fits = fit_of(settings, choice)
    how = f"{fits.workers} {choice.executor} x {fits.pipelines} pipelines"
    rate = f"{count(round(totals.rows_per_s))} rows/s, {size(round(totals.bytes_per_s))}/s"
    return f"{how}: {count(totals.rows_read)} rows in {totals.seconds:.1f} s, {rate}, local S3 and SQS included"


def _activity_module() -> Any:
    try:
        from bench import data
    except ImportError:
        raise UsageError("the demo's sample data is in the checkout (bench/data.py): run the demo from there") from None
    return data


def _only_local_aws() -> None:
    """The standard AWS chain finds made-up keys and nothing else: the demo cannot touch a real account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(LOCAL_AWS_ENV)
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def _restore(environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)


def _kill(servers: Sequence[Moto]) -> None:
    for server in servers:
        os.kill(server.pid, 9)


def _make(moto: Moto, activity: Activity, number: int, folder: Path) -> Made:
    client = _CLIENTS[number % len(_CLIENTS)]
    path = folder / f"activity-{number:03d}.csv"
    corrupted = _activity_module().write(activity, path)
    key = f"{_DAY}/{path.name}"
    s3 = moto.client("s3")
    try:
        with path.open("rb") as body:
            s3.put_object(Bucket=f"{client}-exports", Key=key, Body=body)
    finally:
        s3.close()
    with path.open("rb") as file:
        head = [next(file, b""), next(file, b"")]
    made = Made(client, key, path.stat().st_size, tuple(corrupted), b"".join(head).decode("utf-8-sig", "replace"))
    path.unlink()
    return made


def _send(moto: Moto, url: str, messages: Sequence[dict[str, Any]]) -> None:
    s3, sqs = moto.client("s3"), moto.client("sqs")
    try:
        mapping = encode_json(_activity_module().activity_mapping())
        s3.put_object(Bucket=_MAPPINGS, Key="activity.json", Body=mapping)
        for message in messages:
            sqs.send_message(QueueUrl=url, MessageBody=encode_json(message).decode())
    finally:
        s3.close()
        sqs.close()


def _download(moto: Moto, folder: Path) -> int:
    """Copies the destination bucket; returns how many objects it holds."""
    s3 = moto.client("s3")
    folder.mkdir()
    objects = 0
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=_DESTINATION):
            for entry in page.get("Contents", []):
                path = folder / entry["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    for piece in s3.get_object(Bucket=_DESTINATION, Key=entry["Key"])["Body"].iter_chunks(1 << 20):
                        file.write(piece)
                objects += 1
    finally:
        s3.close()
    return objects


def _left_behind(moto: Moto, url: str) -> str:
    """What is still on the queue and half-uploaded: nothing, if the engine kept its word."""
    s3, sqs = moto.client("s3"), moto.client("sqs")
    try:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        uploads = len(s3.list_multipart_uploads(Bucket=_DESTINATION).get("Uploads", []))
    finally:
        s3.close()
        sqs.close()
    return f"{sum(map(int, attributes.values()))} messages on the queue, {uploads} open uploads"
