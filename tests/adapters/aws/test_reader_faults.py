"""A streamed GET from a store that answers wrongly: what is asked for next, what is refused, what is left open."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from engine.adapters.aws import reader, retries
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import (
    AccessDenied,
    EngineError,
    Failure,
    FileError,
    SourceChanged,
    SourceMissing,
    TransientError,
)
from engine.ports import Credentials, ObjectStore, S3Location
from tests.adapters.conftest import allowing
from tests.faults.store import BadStore, Fault, Framing, Ignored, Request, bad_store

BODY = random.Random(11).randbytes(1000)
SETTINGS = StoreSettings(read_bytes=400, attempts=3, read_timeout_s=20, min_bytes_per_s=1)
KEYS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="made-up")
GARBLED = Fault(500, "garble", "chunked")

HOWS: list[Literal["close", "reset"]] = ["close", "reset"]
FRAMINGS: list[Framing] = ["length", "chunked", "until_close"]

IDLE = 2  # connections that the pool may keep for later: one of a body and one of the HEAD made meanwhile


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumes follow at once."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)


@asynccontextmanager
async def opened(
    *faults: Fault, body: bytes = BODY, settings: StoreSettings = SETTINGS
) -> AsyncIterator[tuple[ObjectStore, BadStore]]:
    """A client of a server with these faults."""
    async with bad_store(body, *faults) as server:
        stores = StoresFactory(allowing(server.url, settings))()
        try:
            yield await stores.open(S3Location("bucket", "us-east-1", server.url, KEYS)), server
        finally:
            await stores.aclose()


@pytest.mark.parametrize("framing", ["length", "chunked", "until_close"])
async def test_resumes_at_any_byte(framing: Framing) -> None:
    """Cut after each byte of a body in turn, the read asks for exactly the next byte of the same object and no more."""
    body = BODY[:40]
    async with opened(body=body, settings=dataclasses.replace(SETTINGS, read_bytes=1)) as (store, server):
        for cut in range(len(body)):
            server.requests.clear()
            server.release.clear()
            server.faults[:] = [Fault(cut, "hold", framing)]
            async with store.read("a.csv") as reader:
                came = [await anext(reader) for _ in range(cut)]
                server.release.set()
                came += [piece async for piece in reader]
            assert b"".join(came) == body
            first, second = server.gets
            assert (first.range, first.if_match) == (None, None)
            assert second == Request("GET", f"bytes={cut}-", '"e1"', None)


async def test_survives_any_mixture() -> None:
    """Whatever becomes of connection after connection, the bytes are those of the object, each once."""
    chance = random.Random(5)
    settings = dataclasses.replace(SETTINGS, read_bytes=97, attempts=12)
    async with opened(settings=settings) as (store, server):
        for _ in range(60):
            server.faults[:] = [
                Fault(chance.randrange(300), chance.choice(HOWS), chance.choice(FRAMINGS))
                for _ in range(chance.randrange(8))
            ]
            assert await store.get("a.csv") == BODY
        await server.wait_for_connections(IDLE)


async def test_version_is_named_again() -> None:
    """A version that was asked for is asked for again, beside its ETag, wherever the read goes on."""
    fault = Fault(400, "hold", "chunked")
    async with opened(fault) as (store, server), store.read("a.csv", version_id="v7") as reader:
        first = await anext(reader)
        server.release.set()
        assert first + b"".join([piece async for piece in reader]) == BODY
    assert server.requests == [
        Request("GET", None, None, "v7"),
        Request("HEAD", None, '"e1"', "v7"),
        Request("GET", "bytes=400-", '"e1"', "v7"),
    ]


@pytest.mark.parametrize("ignores", [(), ("if-match",)])
async def test_replaced_while_down(ignores: tuple[Ignored, ...]) -> None:
    """An object replaced while the connection was down is source-changed, also by a store that ignores If-Match."""
    second = Fault(ignores=ignores, etag="e2")
    async with opened(Fault(500), second) as (store, server), store.read("a.csv") as reader:
        await anext(reader)
        server.etag = "e2"
        with pytest.raises(SourceChanged) as raised:
            await anext(reader)
        assert len(server.gets) == 2
    assert (raised.value.code, raised.value.file) == ("source-changed", "a.csv")
    assert "s3://bucket/a.csv was replaced" in str(raised.value)


async def test_ranges_ignored() -> None:
    """A store that sends the whole object where a range was asked for is not spliced onto what came before."""
    async with opened(Fault(500), Fault(ignores=("range",))) as (store, _):
        with pytest.raises(TransientError, match="ignores ranges"):
            await store.get("a.csv")


@pytest.mark.parametrize("framing", ["chunked", "until_close"])
@pytest.mark.parametrize("body", [BODY, b""])
async def test_without_length(framing: Framing, body: bytes) -> None:
    """An answer that does not tell its length is read by the size that the store names for the same object."""
    async with opened(Fault(framing=framing), body=body) as (store, server):
        async with store.read("a.csv") as reader:
            assert reader.info.size == len(body)
            assert b"".join([piece async for piece in reader]) == body
        assert [(request.method, request.if_match) for request in server.requests] == [("GET", None), ("HEAD", '"e1"')]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(600, framing="until_close"),
        Fault(600, framing="chunked"),
        Fault(600),
        Fault(600, "reset"),
        Fault(0),
    ],
)
async def test_early_end_is_never_the_end(fault: Fault) -> None:
    """A body that ends early each time, however its end is told, is an error that says how much came."""
    again = dataclasses.replace(fault, cut=0)
    async with opened(fault, *[again] * 9, settings=dataclasses.replace(SETTINGS, read_bytes=1000)) as (store, server):
        with pytest.raises(TransientError) as raised:
            await store.get("a.csv")
        assert len(server.gets) == SETTINGS.attempts
        await server.wait_for_connections(IDLE)
    assert "of 1000 bytes came" in raised.value.message
    assert raised.value.file == "a.csv"


async def test_longer_claim_than_body() -> None:
    """A store that claims more bytes than it has gives an error, not a short file."""
    async with opened(Fault(1000, claimed=1500)) as (store, server):
        with pytest.raises(EngineError) as raised:
            await store.get("a.csv")
        assert [request.range for request in server.gets] == [None, "bytes=1000-"]
    assert isinstance(raised.value, SourceChanged)


@pytest.mark.parametrize("what", ["etag", "size"])
async def test_what_cannot_be_told_apart_is_not_read(what: str) -> None:
    """Without an ETag or any size, a part of an object could pass for all of it: refused, and nothing stays open."""
    fault = Fault(500, "hold", etag="") if what == "etag" else Fault(500, "hold", "until_close")
    async with opened(fault) as (store, server):
        server.head_length = False
        with pytest.raises(FileError, match=r"s3://bucket/a\.csv safely") as raised:
            await store.get("a.csv")
        await server.wait_for_connections(IDLE)
    assert raised.value.failure is Failure.PERMANENT


async def test_garbled_chunks() -> None:
    """A body whose chunks are garbled counts as dropped, whether the HTTP library tells so or falls silent over it."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.5, min_bytes_per_s=0)
    async with opened(GARBLED, settings=settings) as (store, server), store.read("a.csv") as reader:
        came = [await anext(reader)]
        server.release.set()  # the garbage arrives while the next piece is waited for
        came += [piece async for piece in reader]
        assert b"".join(came) == BODY
        assert len(server.gets) == 2
        await server.wait_for_connections(IDLE)


async def test_drip_is_cut_and_read_on() -> None:
    """A peer slower than min_bytes_per_s, though never silent for long, is cut and the read resumed elsewhere."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.3, min_bytes_per_s=1000)
    async with opened(Fault(500, "drip"), settings=settings) as (store, server):
        assert await store.get("a.csv") == BODY
        _, second = server.gets
        assert second.range is not None
        assert 500 <= int(second.range.removeprefix("bytes=").removesuffix("-")) < 1000
        await server.wait_for_connections(IDLE)


async def test_drip_without_end() -> None:
    """A peer that drips whenever asked is given up after all attempts, although it completes piece after piece."""
    settings = dataclasses.replace(SETTINGS, read_bytes=4, read_timeout_s=0.2, min_bytes_per_s=10_000)
    async with opened(*[Fault(0, "drip")] * 50, settings=settings) as (store, server):
        with pytest.raises(TransientError, match="TooSlow") as raised:
            await store.get("a.csv")
        assert len(server.gets) == SETTINGS.attempts
    assert "then the connection failed 3 times" in raised.value.message


async def test_a_slow_source_is_seen_to_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a peer as slow as it may be has sent is given before it is a whole piece: such a peer does not hang."""
    monkeypatch.setattr(reader, "_LONGEST_PIECE_S", 0.05)
    async with opened(Fault(0, "drip"), body=BODY[:60]) as (store, server):
        async with store.read("a.csv") as slow:
            pieces = [piece async for piece in slow]
        assert len(pieces) > 1
        assert b"".join(pieces) == BODY[:60]
        assert len(server.gets) == 1


async def test_silence_is_cut_at_any_rate() -> None:
    """With no least rate, a connection that falls silent is still given up after the read time-out."""
    settings = dataclasses.replace(SETTINGS, read_timeout_s=0.2, min_bytes_per_s=0)
    async with opened(Fault(500, "hold"), settings=settings) as (store, server):
        assert await store.get("a.csv") == BODY
        assert [request.range for request in server.gets] == [None, "bytes=500-"]


async def test_dripping_head() -> None:
    """An answer whose head drips in is given up, though no single wait is long."""
    settings = dataclasses.replace(SETTINGS, attempts=1, connect_timeout_s=0.1, read_timeout_s=0.1)
    async with opened(Fault(head_drips=True), settings=settings) as (store, server):
        with pytest.raises(TransientError, match="TimeoutError"):
            await store.get("a.csv")
        await server.wait_for_connections(0)


async def test_backoff_grows_and_is_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each resume of a piece the read waits for a random time below a bound that doubles up to the longest."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.1)
    bounds: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        bounds.append((low, high))
        return 0.0

    monkeypatch.setattr(random, "uniform", shortest)
    settings = dataclasses.replace(SETTINGS, attempts=11)
    async with opened(*[Fault(0)] * 30, settings=settings) as (store, _):
        with pytest.raises(TransientError):
            await store.get("a.csv")
    assert bounds == [(0, min(20, 0.1 * 2**failures)) for failures in range(1, 11)]


BAD: list[tuple[list[Fault], type[BaseException]]] = [
    ([Fault(300)] * 9, TransientError),
    ([Fault(300, "reset")] * 9, TransientError),
    ([Fault(900, framing="until_close"), *[Fault(0)] * 9], TransientError),
    ([Fault(900, framing="chunked"), *[Fault(0)] * 9], TransientError),
    ([Fault(500), Fault(100, "hold", etag="e2", ignores=("if-match",))], SourceChanged),
    ([Fault(500), Fault(status=412, code="PreconditionFailed")], SourceChanged),
    ([Fault(500), Fault(100, "hold", ignores=("range",))], TransientError),
    ([Fault(1000, claimed=2000)], SourceChanged),
    ([Fault(500, "hold", etag="")], FileError),
    ([Fault(status=403, code="AccessDenied")], AccessDenied),
    ([Fault(status=404, code="NoSuchKey")], SourceMissing),
    ([Fault(status=404, code="NoSuchKey", cut=20)] * 9, TransientError),  # an error's own text may be cut too
    ([Fault(500, "hold")], RuntimeError),  # the consumer fails, in the middle of the body
    ([Fault(framing="chunked")], RuntimeError),
]


@pytest.mark.slow
async def test_bad_files_leak_no_connection() -> None:
    """After 500 bad files in a row, of every kind, no connection and no file descriptor is left behind."""
    settings = dataclasses.replace(SETTINGS, read_bytes=1000, attempts=2)
    bad_files = 500
    async with opened(settings=settings) as (store, server):

        async def bad(number: int) -> None:
            faults, error = BAD[number % len(BAD)]
            server.faults[:] = faults
            with pytest.raises(error):
                await consume(store, f"{number}.csv", fail=error is RuntimeError)

        for number in range(len(BAD)):
            await bad(number)
        before = descriptors()
        for number in range(bad_files):
            await bad(number)
        await server.wait_for_connections(IDLE)
        assert descriptors() <= before + 2 * IDLE  # both ends are in this process
        assert server.opened > bad_files // 2
        server.faults.clear()
        assert await store.get("good.csv") == BODY


async def consume(store: ObjectStore, key: str, *, fail: bool) -> None:
    async with store.read(key) as reader:
        if fail:
            raise RuntimeError("the consumer failed")
        async for _piece in reader:
            pass


def descriptors() -> int:
    """Files and sockets that this process has open; collects nothing, so a body that waits for collection counts."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_consumer_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that the consumer takes between pieces is not the peer's: only waiting for bytes counts."""
    loop = asyncio.get_running_loop()
    late = 0.0
    real = loop.time
    settings = dataclasses.replace(SETTINGS, min_bytes_per_s=10, read_timeout_s=60)
    async with opened(settings=settings) as (store, server), store.read("a.csv") as reader:
        monkeypatch.setattr(loop, "time", lambda: real() + late)
        async for _piece in reader:
            late += 3600.0
        assert len(server.gets) == 1
        monkeypatch.undo()
