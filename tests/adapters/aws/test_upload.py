"""Multipart uploads: bounded, abortable, and sure about what was lost on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.aws.s3 import S3Store
from engine.adapters.aws.session import Clients
from engine.adapters.aws.upload import S3Upload, part_size
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import DestinationMissing, TransientError
from engine.ports import Part, PendingUpload, S3Location
from tests.faults import LOSE_ANSWER, Cut, FaultProxy, Hold, Match, Rule, fault_proxy
from tests.moto import Aws

PART = 5 * 1024 * 1024
SETTINGS = StoreSettings(part_bytes=PART, attempts=3, read_timeout_s=20)
CHUNK = random.Random(3).randbytes(1024 * 1024)


@asynccontextmanager
async def store_behind(aws: Aws, bucket: str, *rules: Rule) -> AsyncIterator[tuple[S3Store, FaultProxy]]:
    with fault_proxy(aws.endpoint_url, *rules) as proxy:
        stores = StoresFactory(SETTINGS)()
        try:
            store = await stores.open(dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url))
            assert isinstance(store, S3Store)
            yield store, proxy
        finally:
            await stores.aclose()


async def begin(store: S3Store, key: str) -> S3Upload:
    upload = await store.begin(key)
    assert isinstance(upload, S3Upload)
    return upload


async def write_all(upload: S3Upload, chunks: int) -> None:
    for _ in range(chunks):
        await upload.write(CHUNK)


def test_ten_thousand_parts_are_never_reached() -> None:
    """By default, an object of 5 TiB fits into fewer parts than S3 allows, each as small and as large as it allows."""
    first = StoreSettings().part_bytes
    sizes = [part_size(number, first) for number in range(1, 10_000)]
    assert sum(sizes) >= 5 * 1024**4
    assert min(sizes) >= 5 * 1024**2
    assert max(sizes) <= 5 * 1024**3
    assert sizes[999:1001] == [first, 2 * first]


async def test_parts_and_memory_are_bounded(aws: Aws, bucket: str) -> None:
    """A long upload goes out in full parts, and never holds more than two of them."""
    async with store_behind(aws, bucket) as (store, _):
        upload = await begin(store, "large")
        await write_all(upload, 32)
        pending = await upload.finish()
        assert [part.size for part in pending.parts] == [PART] * 6 + [2 * 1024 * 1024]
        assert PART < upload.most_buffered <= 2 * PART
        await store.complete(pending)
    assert aws.objects(bucket) == {"large": CHUNK * 32}


async def test_one_huge_write_is_cut_into_parts(aws: Aws, bucket: str) -> None:
    """What a single write is given beyond a part does not make a part larger."""
    async with store_behind(aws, bucket) as (store, _):
        upload = await begin(store, "large")
        await upload.write(CHUNK * 16)
        pending = await upload.finish()
        assert [part.size for part in pending.parts] == [PART] * 3 + [1024 * 1024]
        await store.complete(pending)
    assert aws.objects(bucket) == {"large": CHUNK * 16}


async def test_backpressure(aws: Aws, bucket: str) -> None:
    """While one part is on its way the next one may fill, but not be exceeded: the writer waits for the first."""
    half_sent = Rule(Match("UploadPart"), Hold("request", PART // 2), times=1)
    async with store_behind(aws, bucket, half_sent) as (store, _):
        upload = await begin(store, "slow")
        await upload.write(CHUNK * 5)
        await asyncio.to_thread(half_sent.wait_hit)
        await upload.write(CHUNK * 4)  # fills, without waiting
        writer = asyncio.create_task(upload.write(CHUNK * 4))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not writer.done()
        assert upload.most_buffered <= 2 * PART
        half_sent.release()
        await writer
        await store.complete(await upload.finish())
    assert aws.objects(bucket) == {"slow": CHUNK * 13}


@pytest.mark.parametrize("stop", ["abort", "cancel"])
async def test_abort_with_a_part_on_its_way(aws: Aws, bucket: str, stop: str) -> None:
    """Aborting, also after a cancelled write, while a part is half sent leaves no open upload and no object."""
    half_sent = Rule(Match("UploadPart"), Hold("request", PART // 2), times=1)
    async with store_behind(aws, bucket, half_sent) as (store, _):
        upload = await begin(store, "half")
        writer = asyncio.create_task(write_all(upload, 12))
        await asyncio.to_thread(half_sent.wait_hit)
        if stop == "cancel":
            writer.cancel()
            await asyncio.wait([writer])
            assert writer.cancelled()
            await upload.abort()
        else:
            await upload.abort()
            await asyncio.wait([writer])
            assert writer.cancelled() or writer.exception() is not None
    assert aws.open_uploads(bucket) == []
    assert aws.objects(bucket) == {}


async def test_a_part_is_sent_again(aws: Aws, bucket: str) -> None:
    """A part whose connection is cut half-way is sent again, whole."""
    cut = Rule(Match("UploadPart"), Cut("request", PART // 2), times=1)
    async with store_behind(aws, bucket, cut) as (store, _):
        upload = await begin(store, "a")
        await write_all(upload, 6)
        await store.complete(await upload.finish())
    assert aws.objects(bucket) == {"a": CHUNK * 6}


async def test_failed_part_reaches_the_writer(aws: Aws, bucket: str) -> None:
    """A part that cannot be sent fails the upload with a transient error; the abort still works."""
    async with store_behind(aws, bucket, Rule(Match("UploadPart"), Cut("request", PART // 2))) as (store, _):
        upload = await begin(store, "a")
        with pytest.raises(TransientError):
            await write_all(upload, 12)
        await upload.abort()
    assert aws.open_uploads(bucket) == []


async def test_lost_answer_to_complete(aws: Aws, bucket: str) -> None:
    """Complete was carried out and its answer lost: the upload counts as completed, not as failed."""
    async with store_behind(aws, bucket) as (healthy, _):
        upload = await begin(healthy, "a")
        await upload.write(b"bytes")
        pending = await upload.finish()
    lost = Rule(Match("CompleteMultipartUpload"), LOSE_ANSWER, times=1)
    async with store_behind(aws, bucket, lost) as (store, _):
        info = await store.complete(pending)
        assert lost.hits == 1
        found = await store.head("a")
        assert found is not None
        assert (info.size, info.etag) == (found.size, found.etag) == (5, found.etag)
    assert aws.objects(bucket) == {"a": b"bytes"}


async def test_complete_of_a_lost_upload(aws: Aws, bucket: str) -> None:
    """An upload that somebody aborted does not pass for completed because an older object is at its key."""
    async with store_behind(aws, bucket) as (store, _):
        await store.complete(await finished(store, b"older"))
        pending = await finished(store, b"newer")
        await store.abort(pending)
        with pytest.raises(TransientError):
            await store.complete(pending)
    assert aws.objects(bucket) == {"a": b"older"}


async def finished(store: S3Store, body: bytes) -> PendingUpload:
    upload = await begin(store, "a")
    await upload.write(body)
    return await upload.finish()


async def test_lost_answer_to_a_conditional_put(aws: Aws, bucket: str) -> None:
    """A conditional put whose answer was lost finds its own object and has won; somebody else's it has lost to."""
    lost = Rule(Match("PutObject"), LOSE_ANSWER, times=1)
    async with store_behind(aws, bucket, lost) as (store, _):
        etag = await store.put("manifest.json", b"ours", only_if_absent=True)
        assert lost.hits == 1
        found = await store.head("manifest.json")
        assert found is not None
        assert found.etag == etag
    async with store_behind(aws, bucket, Rule(Match("PutObject"), LOSE_ANSWER, times=1)) as (store, _):
        assert await store.put("manifest.json", b"theirs", only_if_absent=True) is None
    assert aws.objects(bucket) == {"manifest.json": b"ours"}


async def test_missing_destination(aws: Aws) -> None:
    """A missing bucket for output is called that, and never a missing source."""
    async with store_behind(aws, "no-such-bucket") as (store, _):
        for writing in (
            store.begin("a"),
            store.put("a", b""),
            store.complete(PendingUpload("a", "id", (Part(1, "0" * 32, 1),))),
            anext(aiter(store.open_uploads("a/"))),
            store.standing(PendingUpload("a", "id", (Part(1, "0" * 32, 1),))),
        ):
            with pytest.raises(DestinationMissing, match="s3://no-such-bucket"):
                await writing


async def test_cancelled_before_the_upload_is_known(aws: Aws, bucket: str) -> None:
    """Cancelled while the answer to CreateMultipartUpload is on its way, the upload it began is discarded."""
    late = Rule(Match("CreateMultipartUpload"), Hold("head", 0), times=1)
    async with store_behind(aws, bucket, late) as (store, _):
        beginning = asyncio.create_task(begin(store, "late"))
        await asyncio.to_thread(late.wait_hit)
        assert aws.open_uploads(bucket) == ["late"]
        beginning.cancel()
        late.release()
        await asyncio.wait([beginning])
        assert beginning.cancelled()
    assert aws.open_uploads(bucket) == []


async def test_keys_of_open_uploads_are_quoted_on_the_wire() -> None:
    """They are asked for so, for XML cannot say every key; keys, and the marker of the next page, come back as they
    are. A store that does not quote is taken at its word."""
    begun = {"UploadId": "u", "Initiated": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
    quoted = {
        "EncodingType": "url", "IsTruncated": True, "NextKeyMarker": "a/%01+%2B", "NextUploadIdMarker": "u%2B",
        "Uploads": [{"Key": "a/%01+%2B", **begun}],
    }  # fmt: skip
    plain = {"IsTruncated": False, "Uploads": [{"Key": "a/b%20+", **begun}]}
    asked: list[dict[str, object]] = []

    class Scripted(S3Store):
        async def request(self, operation: str, **parameters: object) -> dict[str, object]:
            asked.append(parameters)
            return quoted if len(asked) == 1 else plain

    store = Scripted(S3Location("bucket", "us-east-1"), Clients(StoreSettings()), StoreSettings())
    assert [upload.key async for upload in store.open_uploads("a/")] == ["a/\x01 +", "a/b%20+"]
    assert [one["EncodingType"] for one in asked] == ["url", "url"]
    assert (asked[1]["KeyMarker"], asked[1]["UploadIdMarker"]) == ("a/\x01 +", "u%2B")


async def test_odd_keys_of_open_uploads(aws: Aws, bucket: str) -> None:
    """What a key may hold comes back as it was begun, over HTTP."""
    names = ["a+b", "a b", "a%20b", "\u00fc"]
    async with store_behind(aws, bucket) as (store, _):
        for name in names:
            await store.begin(f"a/{name}")
        found = [upload.key async for upload in store.open_uploads("a/")]
    assert sorted(found) == sorted(f"a/{name}" for name in names)
