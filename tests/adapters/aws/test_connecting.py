"""Where requests go: redirections, regions, proxies and private networks."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.aws import connecting, retries
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.cli.wiring import store_settings
from engine.config import Settings, SourceSettings
from engine.errors import AccessDenied, DestinationMissing, EngineError, Failure, FileError
from engine.ports import Credentials, ObjectStore, S3Location
from tests.adapters.conftest import allowing
from tests.canary import answering, canary, resolving
from tests.moto import Aws

KEYS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="made-up")
SETTINGS = StoreSettings(attempts=2, connect_timeout_s=1, read_timeout_s=1)
MOVED = b"<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>"
MALFORMED = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow at once."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)


@asynccontextmanager
async def opened(
    url: str | None, settings: StoreSettings, credentials: Credentials | None = KEYS
) -> AsyncIterator[ObjectStore]:
    stores = StoresFactory(settings)()
    try:
        yield await stores.open(S3Location("bucket", "us-west-2", url, credentials))
    finally:
        await stores.aclose()


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (301, MOVED, {"x-amz-bucket-region": "eu-west-1"}),
        (301, b"", {"x-amz-bucket-region": "eu-west-1"}),
        (307, MOVED, {"x-amz-bucket-region": "eu-west-1", "Location": "http://bucket.s3.eu-west-1.amazonaws.com/a"}),
        (400, MALFORMED, {"x-amz-bucket-region": "eu-west-1"}),
        (400, MALFORMED, {}),
    ],
)
async def test_the_region_where_the_bucket_is(status: int, body: bytes, headers: dict[str, str]) -> None:
    """S3 says where a bucket is: one permanent error passes that on, and nothing is asked there, nor asked again."""
    with answering(status, headers, body) as s3:
        async with opened(s3.url, allowing(s3.url, SETTINGS)) as store:
            with pytest.raises(EngineError, match=r"s3://bucket/a\.csv is in region eu-west-1 ") as refused:
                await store.get("a.csv")
    assert (refused.value.failure, refused.value.code) == (Failure.PERMANENT, "file-error")
    assert "correct the region" in refused.value.message
    assert s3.requests == ["GET /bucket/a.csv"]


@pytest.mark.parametrize("region", ["", "EU", "eu west 1", "eu-west-1.evil.example", "x" * 33, "{place}", "\x1b[31m"])
async def test_a_region_that_is_none_is_not_repeated(region: str) -> None:
    """What an endpoint says instead of a region does not reach the reader of an error."""
    with answering(301, {"x-amz-bucket-region": region}, MOVED) as s3:
        async with opened(s3.url, allowing(s3.url, SETTINGS)) as store:
            with pytest.raises(FileError, match="answered 301") as refused:
                await store.get("a.csv")
    assert not region or region not in refused.value.message
    assert len(s3.requests) == 1


async def test_our_own_requests_are_not_sent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint of ours cannot send our bytes and our signature elsewhere either."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OURKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "our-secret")
    with canary() as trap, answering(302, {"Location": f"{trap.url}/x", "x-amz-bucket-region": "us-west-2"}) as s3:
        async with opened(s3.url, SETTINGS, None) as store:
            with pytest.raises(EngineError, match="302"):
                await store.put("a", b"x" * 100)
        assert s3.requests
        assert {request.partition("?")[0] for request in s3.requests} == {"PUT /bucket/a"}
        assert trap.visits() == 0


async def test_proxies_are_for_our_own_requests(aws: Aws, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in our environment gets our own requests, and none in somebody else's name."""
    aws.put(bucket, "a", b"1")
    with canary() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        stores = StoresFactory(allowing(aws.endpoint_url, SETTINGS))()
        theirs = await stores.open(dataclasses.replace(aws.location(bucket), credentials=KEYS))
        assert await theirs.get("a") == b"1"
        assert proxy.visits() == 0
        with pytest.raises(EngineError):
            await (await stores.open(aws.location(bucket))).get("a")
        assert proxy.visits() > 0
        await stores.aclose()


async def test_aws_at_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's own names are held to public addresses as well, until the operator lists the region's endpoint, as for an
    interface endpoint in a network of ours; another region's is another endpoint."""
    with canary() as trap:
        resolving(monkeypatch, ".amazonaws.com", lambda: ["127.0.0.1"], trap.port)
        for listed in ("https://s3.eu-west-1.amazonaws.com", "https://bucket.s3.us-west-2.amazonaws.com"):
            async with opened(None, allowing(listed, SETTINGS)) as store:
                with pytest.raises(AccessDenied, match=r"//bucket\.s3\.us-west-2\.amazonaws\.com is at 127\.0\.0\.1"):
                    await store.get("a.csv")
        assert trap.visits() == 0
        async with opened(None, allowing("https://s3.us-west-2.amazonaws.com", SETTINGS)) as store:
            with pytest.raises(EngineError) as failed:
                await store.get("a.csv")
        assert failed.value.failure is Failure.TRANSIENT
        assert trap.visits() > 0


@pytest.mark.parametrize("status", [200, 403, 500])
async def test_an_answer_has_an_end(status: int) -> None:
    """What an endpoint makes the engine hold is bounded: a list, an error, one that would be tried again. An object may
    be as long as it is, for it is not held."""
    said = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
    long = b"<a>" + b" " * connecting._LONGEST_ANSWER
    with answering(status, said, long) as s3:
        async with opened(s3.url, allowing(s3.url, SETTINGS)) as store:
            with pytest.raises(FileError, match=f"{s3.url} answered with more than an answer can have") as refused:
                await anext(store.list("a"))
            assert refused.value.failure is Failure.PERMANENT
            if status == 200:
                assert await store.get("a") == long
            else:
                with pytest.raises(FileError, match="more than an answer can have"):
                    await store.get("a")
    assert len(s3.requests) == 2


async def test_our_own_bucket_elsewhere_is_ours_to_mend(aws: Aws) -> None:
    """A destination in another region is no message's fault: it is as one that is not there."""
    with answering(400, {"x-amz-bucket-region": "eu-west-1"}, MALFORMED) as s3:
        async with opened(s3.url, SETTINGS, None) as store:
            with pytest.raises(DestinationMissing, match="is in region eu-west-1"):
                await store.put("a", b"1")


async def test_of_several_addresses_the_public_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private address beside a public one is passed over; the public one serves the object."""
    said = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
    with canary() as trap, answering(200, said, b"1") as s3:
        port = int(s3.url.rpartition(":")[2])
        monkeypatch.setattr(connecting, "is_public", lambda address: address == "127.0.0.1")
        resolving(monkeypatch, "mixed.example", lambda: ["127.0.0.2", "127.0.0.1"], port)
        async with opened(f"http://mixed.example:{port}", SETTINGS) as store:
            assert await store.get("a") == b"1"
        assert trap.visits() == 0


async def test_only_the_listed_origin_may_be_anywhere(aws: Aws, bucket: str) -> None:
    """What config.toml lists reaches the stores of a worker process; another port of the same host is not listed."""
    aws.put(bucket, "a", b"1")
    written = aws.endpoint_url.upper() + "/"
    configured = store_settings(Settings(source=SourceSettings(allow_endpoints=[written], attempts=1)))
    stores = pickle.loads(pickle.dumps(StoresFactory(configured)))()
    location = dataclasses.replace(aws.location(bucket), credentials=KEYS)
    assert await (await stores.open(location)).get("a") == b"1"
    with canary() as trap:
        other = await stores.open(dataclasses.replace(location, endpoint_url=trap.url))
        with pytest.raises(AccessDenied, match="allow_endpoints"):
            await other.get("a")
        assert trap.visits() == 0
    await stores.aclose()
