"""Complete, and what became of an upload, when answers lie: the object is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from engine.adapters.aws import retries
from engine.adapters.aws.s3 import S3Store
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import (
    AccessDenied,
    ConservationError,
    Failure,
    TransientError,
    Unavailable,
)
from engine.ports import PendingUpload
from tests.faults import LOSE_ANSWER, RESET, Alter, FaultProxy, Match, Refuse, Replay, Rule, Substitute, fault_proxy
from tests.faults.rules import Do
from tests.moto import Aws

SETTINGS = StoreSettings(part_bytes=5 * 1024 * 1024, attempts=3, read_timeout_s=20)
COMPLETE = Match("CompleteMultipartUpload")
BODY = b"x" * (SETTINGS.part_bytes + 7)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow at once."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)


@asynccontextmanager
async def store_behind(aws: Aws, bucket: str, *rules: Rule) -> AsyncIterator[tuple[S3Store, FaultProxy]]:
    with fault_proxy(aws.endpoint_url, *rules) as proxy:
        stores = StoresFactory(SETTINGS)()
        try:
            store = await stores.open(replace(aws.location(bucket), endpoint_url=proxy.url))
            assert isinstance(store, S3Store)
            yield store, proxy
        finally:
            await stores.aclose()


async def finished(store: S3Store, body: bytes = BODY) -> PendingUpload:
    upload = await store.begin("out/a")
    await upload.write(body)
    return await upload.finish()


def error(code: str) -> bytes:
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


LIES: dict[str, Do] = {
    "200 with an error": Substitute(200, error("InternalError")),
    "200 with nothing": Substitute(200),
    "200 with HTML": Substitute(200, b"<html><body><br>Welcome</body></html>", {"Content-Type": "text/html"}),
    "200 with XML of nothing": Substitute(200, b"<?xml version='1.0'?><CompleteMultipartUploadResult/>"),
    "200 cut short": Substitute(200, b"<?xml version='1.0'?><CompleteMultipartUplo"),
    "502 with HTML": Substitute(502, b"<html>Bad Gateway</html>"),
    "504 with nothing": Substitute(504),
    "403": Substitute(403, error("AccessDenied")),
    "404": Substitute(404, error("NoSuchUpload")),
    "reset": LOSE_ANSWER,
    "sent twice": Replay(),
}


@pytest.mark.parametrize("lie", LIES)
async def test_completed_whatever_the_answer(aws: Aws, bucket: str, lie: str) -> None:
    """An upload that was completed counts so, whatever Complete answers, and however often; a look tells, at once."""
    async with store_behind(aws, bucket, Rule(COMPLETE, LIES[lie])) as (store, proxy):
        pending = await finished(store)
        info = await store.complete(pending)
        assert (info.key, info.size) == ("out/a", len(BODY))
        assert info == await store.head("out/a")
        assert await store.standing(pending) == "completed"
        assert await store.complete(pending) == info
        assert len(proxy.calls("CompleteMultipartUpload")) == 2
    assert aws.objects(bucket) == {"out/a": BODY}


@pytest.mark.parametrize(
    ("refusal", "expected", "tries"),
    [
        (RESET, Unavailable, 3),
        (Refuse(500), Unavailable, 3),
        (Refuse(200, "InternalError"), Unavailable, 3),
        (Refuse(503), Unavailable, 3),
        (Refuse(403), AccessDenied, 1),
        (Refuse(400, "InvalidPart"), TransientError, 1),
    ],
)
async def test_not_completed(aws: Aws, bucket: str, refusal: Do, expected: type[Exception], tries: int) -> None:
    """An upload that was not completed fails as Complete did, though an older object of the very same bytes lies at its
    key; it is pending still, and can be completed later."""
    async with store_behind(aws, bucket) as (store, proxy):
        older = await store.complete(await finished(store))
        pending = await finished(store)
        rule = proxy.add(Rule(COMPLETE, refusal))
        with pytest.raises(expected):
            await store.complete(pending)
        assert rule.hits == tries
        assert await store.standing(pending) == "pending"
        found = await store.head("out/a")
        assert found is not None
        assert found.etag == older.etag
        proxy.remove(rule)
        await store.complete(pending)
        assert await store.standing(pending) == "completed"


async def test_said_and_not_done(aws: Aws, bucket: str) -> None:
    """A store that says that it completed an upload, and has no such object, is not believed."""
    async with store_behind(aws, bucket, Rule(Match("HeadObject"), Refuse(404))) as (store, _):
        with pytest.raises(TransientError, match="is not there"):
            await store.complete(await finished(store))


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"ETag": f'"{"0" * 32}-2"'}, "ETag"),
        ({"ETag": f'"{"0" * 32}-3"'}, "3 parts, 2 were sent"),
        ({"Content-Length": "5"}, "5 bytes, 5242887 were sent"),
    ],
)
async def test_conservation(aws: Aws, bucket: str, headers: dict[str, str], what: str) -> None:
    """An object that is ours by its token and is not what was sent is an error that a retry cannot mend."""
    async with store_behind(aws, bucket, Rule(Match("HeadObject"), Alter(headers=headers))) as (store, _):
        pending = await finished(store)
        with pytest.raises(ConservationError, match=what) as raised:
            await store.complete(pending)
        assert raised.value.failure is Failure.PERMANENT


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"0123456789abcdef0123456789abcdef-2"', "x-amz-server-side-encryption": "aws:kms"},
        {"ETag": '"0123456789abcdef0123456789abcdef-2"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"ETag": '"opaque"'},
    ],
)
async def test_etags_that_say_nothing(aws: Aws, bucket: str, headers: dict[str, str]) -> None:
    """Where an ETag is no digest of the bytes (encryption, other stores), the token and the size say enough."""
    async with store_behind(aws, bucket, Rule(Match("HeadObject"), Alter(headers=headers))) as (store, _):
        info = await store.complete(await finished(store))
        assert info.etag == headers["ETag"].strip('"')


async def test_a_store_that_drops_metadata(aws: Aws, bucket: str) -> None:
    """Without the token, an object of the very same size and ETag counts as ours, and no other does."""
    dropped = Rule(Match("HeadObject"), Alter(headers={"x-amz-meta-engine-upload": None}))
    async with store_behind(aws, bucket, dropped, Rule(COMPLETE, LOSE_ANSWER)) as (store, _):
        pending = await finished(store)
        assert (await store.complete(pending)).size == len(BODY)
        assert await store.standing(pending) == "completed"
        other = await finished(store, b"other")
        await store.abort(other)
        assert await store.standing(other) == "gone"
        with pytest.raises(TransientError):
            await store.complete(other)


async def test_gone(aws: Aws, bucket: str) -> None:
    """An upload that somebody aborted says that its file must be written again, which is no outage."""
    gone = Rule(COMPLETE, Refuse(404, "NoSuchUpload"))  # moto has a fault of its own here: 500
    async with store_behind(aws, bucket, gone) as (store, _):
        pending = await finished(store)
        await store.abort(pending)
        with pytest.raises(TransientError, match="must be written again") as raised:
            await store.complete(pending)
        assert type(raised.value) is TransientError
