"""A streamed GET over connections that fail."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import Failure, SourceChanged, SourceMissing, TransientError
from engine.ports import Credentials, ObjectReader, ObjectStore
from tests.adapters.conftest import allowing
from tests.faults import Cut, Drip, FaultProxy, Hold, Match, Rule, fault_proxy
from tests.faults.rules import At
from tests.faults.wire import How
from tests.moto import Aws

SIZE = 300_000
BODY = random.Random(7).randbytes(SIZE)
SETTINGS = StoreSettings(read_bytes=64 * 1024, attempts=4, read_timeout_s=20)
GET = Match("GetObject")


@asynccontextmanager
async def bad_bucket(
    aws: Aws, bucket: str, *rules: Rule, settings: StoreSettings = SETTINGS
) -> AsyncIterator[tuple[ObjectStore, FaultProxy]]:
    """``bucket`` with an object ``a.csv`` behind a faulty proxy."""
    aws.put(bucket, "a.csv", BODY)
    with fault_proxy(aws.endpoint_url, *rules) as proxy:
        stores = StoresFactory(settings)()
        try:
            location = dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url)
            yield await stores.open(location), proxy
        finally:
            await stores.aclose()


async def rest(reader: ObjectReader) -> bytes:
    return b"".join([piece async for piece in reader])


def gets(proxy: FaultProxy) -> int:
    return len(proxy.calls("GetObject"))


def cut_once(after: int) -> Rule:
    """The first answer ends after so many bytes of its body."""
    return Rule(GET, Cut("body", after, "close"), times=1)


async def read(store: ObjectStore, key: str = "a.csv") -> bytes:
    async with store.read(key) as reader:
        return await rest(reader)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    ("at", "after"),
    [("head", 0), ("head", 1), ("head", 50)] + [("body", n) for n in (0, 1, 64 * 1024, SIZE // 2, SIZE - 1)],
)
async def test_resumes_at_the_byte_where_it_was_cut(aws: Aws, bucket: str, how: How, at: At, after: int) -> None:
    """A connection cut anywhere, in the head of the answer or in the body, costs no byte and doubles none."""
    async with bad_bucket(aws, bucket, Rule(GET, Cut(at, after, how), times=1)) as (store, proxy):
        assert await read(store) == BODY
        assert gets(proxy) == 2
        if how == "close":
            await asyncio.to_thread(proxy.wait_idle)
            assert sum(call.passed for call in proxy.calls("GetObject")) == SIZE  # only what was missing came again


@pytest.mark.parametrize("after", [0, 1, 64 * 1024, 99_999])
async def test_a_range_resumes_and_ends_where_it_should(aws: Aws, bucket: str, after: int) -> None:
    """A range whose connection is cut goes on at the next byte of it, and never beyond its end."""
    start, stop = 50_000, 150_000
    async with bad_bucket(aws, bucket, cut_once(after)) as (store, proxy):
        info = await store.head("a.csv")
        assert info is not None
        async with store.read_range(info, start, stop) as reader:
            assert await rest(reader) == BODY[start:stop]
        assert gets(proxy) == 2


async def test_survives_many_cuts(aws: Aws, bucket: str) -> None:
    """Cuts do not add up over a file: each whole piece of progress gives all attempts back."""
    async with bad_bucket(aws, bucket, Rule(GET, Cut("body", 33_000, "close"), times=8)) as (store, proxy):
        assert await read(store) == BODY
        assert gets(proxy) == 9


async def test_gives_up_without_progress(aws: Aws, bucket: str) -> None:
    """Failures within one piece are counted; the last is a transient error that names object and progress."""
    async with bad_bucket(aws, bucket, Rule(GET, Cut("body", 0, "close"))) as (store, proxy):
        with pytest.raises(TransientError) as raised:
            await read(store)
        assert gets(proxy) == SETTINGS.attempts
    assert raised.value.failure is Failure.TRANSIENT
    assert raised.value.file == "a.csv"
    assert f"s3://{bucket}/a.csv" in raised.value.message
    assert f"of {SIZE} bytes" in raised.value.message


async def test_silence_is_a_failure(aws: Aws, bucket: str) -> None:
    """A connection that stays open and says nothing is given up after the read time-out, and the read resumed."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.3)
    silent = Rule(GET, Hold("body", SIZE // 2), times=1)
    async with bad_bucket(aws, bucket, silent, settings=settings) as (store, proxy):
        assert await read(store) == BODY
        assert (silent.hits, gets(proxy)) == (1, 2)


async def test_dripping_is_a_failure(aws: Aws, bucket: str) -> None:
    """A source below the slowest rate allowed is given up though every single wait is within the read time-out."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.3, min_bytes_per_s=10**9, attempts=1)
    async with bad_bucket(aws, bucket, Rule(GET, Drip(1000)), settings=settings) as (store, _):
        with pytest.raises(TransientError):
            await read(store)


async def test_replaced_between_two_connections(aws: Aws, bucket: str) -> None:
    """An object replaced by one of the same size while the connection is down is never spliced."""
    async with bad_bucket(aws, bucket, cut_once(100_000)) as (store, _), store.read("a.csv") as reader:
        await anext(reader)
        await store.put("a.csv", bytes(SIZE))
        with pytest.raises(SourceChanged) as raised:
            await rest(reader)
    assert raised.value.file == "a.csv"


async def test_deleted_between_two_connections(aws: Aws, bucket: str) -> None:
    """An object deleted while the connection is down is reported missing."""
    async with bad_bucket(aws, bucket, cut_once(100_000)) as (store, _), store.read("a.csv") as reader:
        await anext(reader)
        await store.delete("a.csv")
        with pytest.raises(SourceMissing):
            await rest(reader)


async def test_version_is_kept_across_connections(aws: Aws, bucket: str) -> None:
    """A version that was asked for is read to its end even when the key has a newer one by then."""
    client = aws.server.client("s3")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket=bucket, Key="v.csv", Body=BODY)["VersionId"]
    client.put_object(Bucket=bucket, Key="v.csv", Body=b"newer")
    client.close()
    async with (
        bad_bucket(aws, bucket, cut_once(100_000)) as (store, proxy),
        store.read("v.csv", version_id=version) as reader,
    ):
        assert reader.info.version_id == version
        assert await rest(reader) == BODY
        assert gets(proxy) == 2


@pytest.mark.parametrize("leave", ["break", "cancel", "error"])
async def test_body_is_closed_when_the_reader_is_left(aws: Aws, bucket: str, leave: str) -> None:
    """Leaving a reader before its end, by break, cancellation or error, closes the connection at once."""
    rule = Rule(GET, Hold("body", 70_000))
    async with bad_bucket(aws, bucket, rule) as (store, proxy):

        async def half() -> None:
            async with store.read("a.csv") as reader:
                async for _piece in reader:
                    if leave == "break":
                        break
                    if leave == "error":
                        raise RuntimeError("consumer failed")

        task = asyncio.create_task(half())
        if leave == "cancel":
            await asyncio.to_thread(rule.wait_hit)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is (leave == "cancel")
        assert (not task.cancelled() and task.exception() is not None) is (leave == "error")
        await asyncio.to_thread(proxy.wait_for, lambda proxy: proxy.calls("GetObject")[0].aborted)


async def test_many_at_once_on_one_loop(aws: Aws, bucket: str) -> None:
    """More readers than any default connection limit, each holding its connection while it writes, do not deadlock."""
    count = 24
    async with bad_bucket(aws, bucket) as (store, _):
        ready = asyncio.Barrier(count)

        async def copy(number: int) -> None:
            async with store.read("a.csv") as reader:
                await ready.wait()
                writer = await store.begin(f"copy-{number}")
                async for piece in reader:
                    await writer.write(piece)
                await store.complete(await writer.finish())

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(copy(number))
        assert len([info async for info in store.list("copy-")]) == count


async def test_nothing_listens(aws: Aws, bucket: str) -> None:
    """A store that cannot be reached is a transient error, told without any secret."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    credentials = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="topsecret", session_token="hidden")
    url = f"http://127.0.0.1:{port}"
    location = dataclasses.replace(aws.location(bucket), endpoint_url=url, credentials=credentials)
    stores = StoresFactory(allowing(url, dataclasses.replace(SETTINGS, attempts=2)))()
    store = await stores.open(location)
    with pytest.raises(TransientError) as raised:
        await read(store)
    await stores.aclose()
    for text in (str(raised.value), repr(raised.value), repr(location), repr(store)):
        assert "topsecret" not in text
        assert "hidden" not in text
