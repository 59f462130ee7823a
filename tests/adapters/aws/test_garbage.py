"""Answers that are no answers: every call takes them for trouble on the way, never for an empty bucket or a bug."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from engine.adapters.aws import retries
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import Failure, TransientError
from engine.ports import ObjectStore, PendingUpload
from tests.faults import Match, Rule, Substitute, fault_proxy
from tests.moto import Aws

SETTINGS = StoreSettings(attempts=2, read_timeout_s=20)


async def listed(store: ObjectStore) -> None:
    async for _ in store.list(""):
        pass


async def swept(store: ObjectStore) -> None:
    async for _ in store.open_uploads(""):
        pass


async def upload(store: ObjectStore) -> PendingUpload:
    writer = await store.begin("a")
    await writer.write(b"x")
    return await writer.finish()


CALLS: dict[str, Callable[[ObjectStore, PendingUpload], Awaitable[object]]] = {
    "ListObjectsV2": lambda store, _: listed(store),
    "ListMultipartUploads": lambda store, _: swept(store),
    "ListParts": lambda store, pending: store.standing(pending),
    "CreateMultipartUpload": lambda store, _: store.begin("a"),
    "UploadPart": lambda store, _: upload(store),
    "PutObject": lambda store, _: store.put("a", b"x"),
    "HeadObject": lambda store, _: store.head("there"),
}
GARBAGE = {
    "nothing": Substitute(200),
    "HTML": Substitute(
        200, b"<!DOCTYPE html><html><body><br>Please log in</body></html>", {"Content-Type": "text/html"}
    ),
    "other XML": Substitute(200, b"<?xml version='1.0'?><Welcome/>", {"Content-Type": "application/xml"}),
    "half of it": Substitute(200, b"<?xml version='1.0'?><ListBu", {"Content-Type": "application/xml"}),
    "a bad date": Substitute(200, b"", {"Last-Modified": "soon", "ETag": '"e"'}),
    "502 in HTML": Substitute(502, b"<html>Bad Gateway<br></html>", {"Content-Type": "text/html"}),
    "503 of nothing": Substitute(503),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_garbage_is_transient(aws: Aws, bucket: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is answered instead of an answer, the call fails with an error that is worth another try."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)
    with fault_proxy(aws.endpoint_url) as proxy:
        stores = StoresFactory(SETTINGS)()
        store = await stores.open(dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url))
        await store.put("there", b"x")
        pending = await upload(store)
        for name, garbage in GARBAGE.items():
            if name == "a bad date" and operation in {"PutObject", "UploadPart"}:
                continue  # their answers need no date: this is a good one
            rule = proxy.add(Rule(Match(operation), garbage))
            with pytest.raises(TransientError) as raised:
                await CALLS[operation](store, pending)
            assert raised.value.failure is Failure.TRANSIENT, name
            assert f"s3://{bucket}" in raised.value.message
            proxy.remove(rule)
        await stores.aclose()
