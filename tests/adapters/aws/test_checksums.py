"""Checksums: of what is sent, of what is read, and of stores that know none."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.aws import retries
from engine.adapters.aws.checksums import Checksum, expected
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import ChecksumMismatch, EngineError, Failure
from engine.ports import Credentials, ObjectStore, PendingUpload, S3Location
from tests.adapters.aws.checksum_store import ChecksumStore, Knows, checksum_store, crc32
from tests.adapters.conftest import allowing
from tests.examples import examples
from tests.faults import Alter, Match, Rule, fault_proxy
from tests.moto import Aws

PART = 5 * 1024 * 1024
SETTINGS = StoreSettings(read_bytes=1000, part_bytes=PART, attempts=3, read_timeout_s=20)
KEYS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="made-up")
BODY = bytes(range(256)) * 20

# Of b"123456789": the check values of the catalogue of parametrised CRC algorithms, and hashlib's.
CHECKS = {
    "ChecksumCRC32": bytes.fromhex("cbf43926"),
    "ChecksumCRC32C": bytes.fromhex("e3069283"),
    "ChecksumCRC64NVME": bytes.fromhex("ae8b14860a799888"),
    "ChecksumSHA1": hashlib.sha1(b"123456789").digest(),
    "ChecksumSHA256": hashlib.sha256(b"123456789").digest(),
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow at once."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)


@asynccontextmanager
async def opened(
    knows: Knows = "all", refusal: tuple[int, str] = (501, "NotImplemented")
) -> AsyncIterator[tuple[ObjectStore, ChecksumStore]]:
    async with checksum_store(knows, refusal) as server:
        stores = StoresFactory(allowing(server.url, SETTINGS))()
        try:
            yield await stores.open(S3Location("bucket", "us-east-1", server.url, KEYS)), server
        finally:
            await stores.aclose()


async def finished(store: ObjectStore, body: bytes) -> PendingUpload:
    upload = await store.begin("out/a")
    await upload.write(body)
    return await upload.finish()


async def consume(store: ObjectStore, key: str, got: list[bytes]) -> None:
    async with store.read(key) as reader:
        async for piece in reader:
            got += [piece]  # one by one, so that what came before a failure is there


def said(name: str, body: bytes) -> str:
    checksum = Checksum(name, "")
    checksum.update(body)
    return base64.b64encode(checksum._found.digest()).decode()


@pytest.mark.parametrize("name", CHECKS)
def test_known_values(name: str) -> None:
    """Each algorithm gives what the world calls by its name, and tells it from any other value."""
    right = Checksum(name, base64.b64encode(CHECKS[name]).decode())
    wrong = Checksum(name, base64.b64encode(bytes(len(CHECKS[name]))).decode())
    for checksum in (right, wrong):
        checksum.update(b"1234")
        checksum.update(b"56789")
    assert right.holds
    assert not wrong.holds


@settings(max_examples=examples(50))
@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(sorted(CHECKS)))
def test_any_split(pieces: list[bytes], name: str) -> None:
    """However the bytes come in pieces, the checksum is that of all of them."""
    checksum = Checksum(name, said(name, b"".join(pieces)))
    for piece in pieces:
        checksum.update(piece)
    assert checksum.holds


def test_what_cannot_be_verified() -> None:
    """A checksum of parts' checksums is none of the object's bytes; an answer may name none at all."""
    assert expected({}) is None
    assert expected({"ChecksumCRC32": "AAAAAA==-3"}) is None
    assert expected({"ChecksumCRC32": "AAAAAA==", "ChecksumType": "COMPOSITE"}) is None
    assert expected({"ChecksumCRC32": "AAAAAA==", "ChecksumType": "FULL_OBJECT"}) is not None


async def test_each_part_carries_its_own() -> None:
    """A store that checks every part, and wants them named again at the end, gets what it wants; a put has one too."""
    body = b"a" * PART + b"b" * PART + b"c"
    async with opened() as (store, server):
        pending = await finished(store, body)
        sums = [crc32(body[start : start + PART]) for start in (0, PART, 2 * PART)]
        assert [part.checksum for part in pending.parts] == sums
        assert (await store.complete(pending)).size == len(body)
        assert server.named == sums
        await store.put("b", BODY)
        assert set(server.objects.values()) == {body, BODY}
        assert server.refused == []


async def test_damaged_on_the_way() -> None:
    """A part, or a small object, that arrives damaged is sent again."""
    async with opened() as (store, server):
        server.damaged = 2
        await store.complete(await finished(store, BODY))
        server.damaged = 2
        await store.put("b", BODY)
        assert set(server.objects.values()) == {BODY}
        server.damaged = 100
        with pytest.raises(EngineError, match="BadDigest") as raised:
            await store.put("b", BODY)
        assert raised.value.failure is Failure.TRANSIENT


@pytest.mark.parametrize(
    ("refusal", "first"),
    [
        ((501, "NotImplemented"), "upload"),
        ((400, "InvalidRequest"), "put"),
        ((400, "InvalidArgument"), "get"),
        ((400, "UnsupportedHeader"), "upload"),
    ],
)
async def test_a_store_that_knows_none(refusal: tuple[int, str], first: str) -> None:
    """A store that refuses whatever names a checksum is asked with one once, by whichever request comes first."""
    async with opened("nothing", refusal) as (store, server):
        server.objects["/bucket/there"] = BODY
        for use in (first, "upload", "put", "get", "upload", "put", "get"):
            await (
                finished(store, BODY)
                if use == "upload"
                else store.put("b", BODY)
                if use == "put"
                else store.get("there")
            )
        assert len(server.refused) == 1
        pending = await finished(store, BODY)
        assert [part.checksum for part in pending.parts] == [""]
        assert (await store.complete(pending)).size == len(BODY)
        assert await store.get("there") == BODY
        assert len(server.refused) == 1


@pytest.mark.parametrize("knows", ["not at create", "not in parts", "ignores"])
async def test_a_store_that_knows_some(knows: Knows) -> None:
    """A store that refuses checksums only at one request, or takes no notice of them, gets its objects."""
    async with opened(knows) as (store, server):
        for _ in range(2):
            pending = await finished(store, BODY)
            assert (await store.complete(pending)).size == len(BODY)
            assert server.named == []
        assert server.objects == {"/bucket/out/a": BODY}
        assert len(server.refused) == (0 if knows == "ignores" else 1)


async def test_a_refusal_for_another_reason() -> None:
    """A request that is refused without a checksum too fails, and proves nothing about checksums."""
    async with opened(refusal=(400, "InvalidArgument")) as (store, server):
        server.broken = True
        with pytest.raises(EngineError, match="InvalidArgument"):
            await store.put("b", BODY)
        server.broken = False
        await store.put("b", BODY)  # this store refuses what has none
        assert server.objects == {"/bucket/b": BODY}


@pytest.mark.parametrize("name", CHECKS)
async def test_a_read_is_verified(name: str) -> None:
    """Whatever the algorithm and however often the read is resumed, right bytes are given, and wrong ones end in an
    error that names the file, before the last piece is given."""
    async with opened() as (store, server):
        server.told = {f"x-amz-checksum-{name.removeprefix('Checksum').lower()}": said(name, BODY)}
        for cuts in ([], [700], [700, 1500, 3333]):
            server.objects["/bucket/in/a.csv"] = BODY
            server.cut = list(cuts)
            assert await store.get("in/a.csv") == BODY
            server.objects["/bucket/in/a.csv"] = BODY[:2000] + b"!" + BODY[2001:]
            server.cut = list(cuts)
            got: list[bytes] = []
            with pytest.raises(ChecksumMismatch, match=name.removeprefix("Checksum")) as raised:
                await consume(store, "in/a.csv", got)
            assert server.cut == []
            assert sum(map(len, got)) == len(BODY) // SETTINGS.read_bytes * SETTINGS.read_bytes < len(BODY)
            assert raised.value.file == "in/a.csv"
            assert raised.value.failure is Failure.TRANSIENT


async def test_through_the_real_stack(aws: Aws, bucket: str) -> None:
    """An object that was put with a checksum is read, and when a byte of it is changed on the way, refused."""
    client = aws.server.client("s3")
    client.put_object(Bucket=bucket, Key="a", Body=BODY, ChecksumAlgorithm="SHA256")
    client.close()
    with fault_proxy(aws.endpoint_url) as proxy:
        stores = StoresFactory(SETTINGS)()
        store = await stores.open(dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url))
        assert await store.get("a") == BODY
        proxy.add(Rule(Match("GetObject"), Alter(lambda body: body[:-1] + b"!")))
        with pytest.raises(ChecksumMismatch):
            await store.get("a")
        await stores.aclose()
