"""A streamed GET over connections that fail."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import Failure, SourceChanged, SourceMissing, TransientError
from engine.ports import Credentials, ObjectReader, ObjectStore
from tests.adapters.proxy import Fault, FaultyProxy, faulty_proxy
from tests.moto import Aws

SIZE = 300_000
BODY = random.Random(7).randbytes(SIZE)
HEADERS = 700  # more than the head of moto's answer, so that a cut beyond falls into the body
SETTINGS = StoreSettings(read_bytes=64 * 1024, attempts=4, read_timeout_s=20)


@asynccontextmanager
async def bad_bucket(
    aws: Aws, bucket: str, *faults: Fault | None, settings: StoreSettings = SETTINGS
) -> AsyncIterator[tuple[ObjectStore, FaultyProxy]]:
    """``bucket`` with an object ``a.csv`` behind a faulty proxy."""
    aws.put(bucket, "a.csv", BODY)
    async with faulty_proxy(aws.endpoint_url, *faults) as proxy:
        stores = StoresFactory(settings)()
        try:
            location = dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url)
            yield await stores.open(location), proxy
        finally:
            await stores.aclose()


async def rest(reader: ObjectReader) -> bytes:
    return b"".join([piece async for piece in reader])


async def read(store: ObjectStore, key: str = "a.csv") -> bytes:
    async with store.read(key) as reader:
        return await rest(reader)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("cut", [0, 1, 50, HEADERS, HEADERS + 64 * 1024, SIZE // 2, SIZE - 1, SIZE + HEADERS // 4])
async def test_resumes_at_the_byte_where_it_was_cut(aws: Aws, bucket: str, how: str, cut: int) -> None:
    """A connection cut anywhere, in the head of the answer or in the body, costs no byte and doubles none."""
    fault = Fault(cut, "reset" if how == "reset" else "close")
    async with bad_bucket(aws, bucket, fault) as (store, proxy):
        assert await read(store) == BODY
        assert proxy.connections == 2
        if how == "close" and cut > HEADERS:
            assert proxy.answered < SIZE + 2 * HEADERS  # only what was missing came again


async def test_survives_many_cuts(aws: Aws, bucket: str) -> None:
    """Cuts do not add up over a file: each whole piece of progress gives all attempts back."""
    faults = [Fault(HEADERS + 33_000)] * 8
    async with bad_bucket(aws, bucket, *faults) as (store, proxy):
        assert await read(store) == BODY
        assert proxy.connections > SETTINGS.attempts


async def test_gives_up_without_progress(aws: Aws, bucket: str) -> None:
    """Failures within one piece are counted; the last is a transient error that names object and progress."""
    faults = [Fault(HEADERS)] * 40
    async with bad_bucket(aws, bucket, *faults) as (store, proxy):
        with pytest.raises(TransientError) as raised:
            await read(store)
        assert proxy.connections == SETTINGS.attempts
    assert raised.value.failure is Failure.TRANSIENT
    assert raised.value.file == "a.csv"
    assert f"s3://{bucket}/a.csv" in raised.value.message
    assert f"of {SIZE} bytes" in raised.value.message


async def test_silence_is_a_failure(aws: Aws, bucket: str) -> None:
    """A connection that stays open and says nothing is given up after the read time-out, and the read resumed."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.3)
    async with bad_bucket(aws, bucket, Fault(SIZE // 2, "hold"), settings=settings) as (store, proxy):
        assert await read(store) == BODY
        assert proxy.held.is_set()
        assert proxy.connections == 2


async def test_dripping_is_a_failure(aws: Aws, bucket: str) -> None:
    """A source below the slowest rate allowed is given up though every single wait is within the read time-out."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.3, min_bytes_per_s=10**9, attempts=1)
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stores = StoresFactory(settings)()
    async with server:
        store = await stores.open(dataclasses.replace(aws.location(bucket), endpoint_url=f"http://127.0.0.1:{port}"))
        with pytest.raises(TransientError):
            await read(store)
        await stores.aclose()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server whose answer never ends and never pauses for long."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 60000\r\nETag: "x"\r\n\r\n')
    try:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)  # this is the fault itself
    except ConnectionError:
        writer.close()


async def test_replaced_between_two_connections(aws: Aws, bucket: str) -> None:
    """An object replaced by one of the same size while the connection is down is never spliced."""
    async with bad_bucket(aws, bucket, Fault(HEADERS + 100_000)) as (store, _), store.read("a.csv") as reader:
        await anext(reader)
        await store.put("a.csv", bytes(SIZE))
        with pytest.raises(SourceChanged) as raised:
            await rest(reader)
    assert raised.value.file == "a.csv"


async def test_deleted_between_two_connections(aws: Aws, bucket: str) -> None:
    """An object deleted while the connection is down is reported missing."""
    async with bad_bucket(aws, bucket, Fault(HEADERS + 100_000)) as (store, _), store.read("a.csv") as reader:
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
        bad_bucket(aws, bucket, Fault(HEADERS + 100_000)) as (store, proxy),
        store.read("v.csv", version_id=version) as reader,
    ):
        assert reader.info.version_id == version
        assert await rest(reader) == BODY
        assert proxy.connections == 2


@pytest.mark.parametrize("leave", ["break", "cancel", "error"])
async def test_body_is_closed_when_the_reader_is_left(aws: Aws, bucket: str, leave: str) -> None:
    """Leaving a reader before its end, by break, cancellation or error, closes the connection at once."""
    async with bad_bucket(aws, bucket, Fault(HEADERS + 70_000, "hold")) as (store, proxy):

        async def half() -> None:
            async with store.read("a.csv") as reader:
                async for _piece in reader:
                    if leave == "break":
                        break
                    if leave == "error":
                        raise RuntimeError("consumer failed")

        task = asyncio.create_task(half())
        if leave == "cancel":
            await proxy.held.wait()
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is (leave == "cancel")
        assert (not task.cancelled() and task.exception() is not None) is (leave == "error")
        await proxy.client_gone.wait()


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
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    credentials = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="topsecret", session_token="hidden")
    location = dataclasses.replace(
        aws.location(bucket), endpoint_url=f"http://127.0.0.1:{port}", credentials=credentials
    )
    stores = StoresFactory(dataclasses.replace(SETTINGS, attempts=2))()
    store = await stores.open(location)
    with pytest.raises(TransientError) as raised:
        await read(store)
    await stores.aclose()
    for text in (str(raised.value), repr(raised.value), repr(location), repr(store)):
        assert "topsecret" not in text
        assert "hidden" not in text
