"""Tenants of one loop: none keeps another waiting, none makes the loop grow, and each keeps its keys fresh."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from engine.adapters.aws.session import _PLACES, Clients, Endpoint
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.ports import Credentials, S3Location, Stores
from tests.adapters.conftest import allowing
from tests.faults import Alter, Cut, Drip, FaultProxy, Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

BODY = random.Random(3).randbytes(300_000)
SETTINGS = StoreSettings(attempts=3, read_bytes=50_000, min_bytes_per_s=1)
ROLE = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture
def proxy(aws: Aws) -> Iterator[FaultProxy]:
    with fault_proxy(aws.endpoint_url) as running:
        yield running


def keys(name: str) -> Credentials:
    return Credentials(access_key_id=f"AKIA{name}", secret_access_key="s")


async def read(stores: Stores, proxy: FaultProxy, bucket: str, key: str, credentials: Credentials) -> bytes:
    store = await stores.open(S3Location(bucket, "us-east-1", proxy.url, credentials))
    async with store.read(key) as reader:
        return b"".join([piece async for piece in reader])


async def test_an_endpoint_that_drips_holds_up_nobody_else(aws: Aws, bucket: str, proxy: FaultProxy) -> None:
    """While one tenant's connections, more than pools usually have, bring a byte now and then, another tenant of the
    same loop and the same endpoint reads all it wants."""
    aws.put(bucket, "slow.csv", BODY)
    aws.put(bucket, "fast.csv", BODY)
    drip = proxy.add(Rule(Match("GetObject", key="slow.csv"), Drip(50)))
    stores = StoresFactory(allowing(proxy.url, SETTINGS))()
    slow = [asyncio.create_task(read(stores, proxy, bucket, "slow.csv", keys("SLOW"))) for _ in range(120)]
    try:
        await asyncio.to_thread(drip.wait_hit, len(slow))
        fast = [read(stores, proxy, bucket, "fast.csv", keys("FAST")) for _ in range(20)]
        assert await asyncio.gather(*fast) == [BODY] * 20
        assert not any(task.done() for task in slow)
    finally:
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        await stores.aclose()


async def test_a_roles_keys_are_renewed_while_a_file_is_read(
    aws: Aws, bucket: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys about to expire are replaced before they sign again: a read that is resumed has new ones."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    aws.put(bucket, "a.csv", BODY)
    soon = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()

    def shortened(answer: bytes) -> bytes:
        return re.sub(rb"(?<=<Expiration>)[^<]+", soon, answer)

    proxy.add(Rule(Match("AssumeRole"), Alter(shortened)))
    proxy.add(Rule(Match("GetObject"), Cut("body", 120_000), times=2))
    stores = StoresFactory(allowing(proxy.url, SETTINGS))()
    assert await read(stores, proxy, bucket, "a.csv", Credentials(role_arn=ROLE)) == BODY
    await stores.aclose()
    signers = [call.access_key for call in proxy.calls("GetObject")]
    assert len(signers) == 3
    assert len(set(signers)) == 3
    assert {call.access_key for call in proxy.calls("AssumeRole")} == {"local"}


async def test_a_roles_keys_that_expired_early_are_asked_for_again(
    aws: Aws, bucket: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role whose keys end before their time is assumed again, and the file read on from where it was."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    aws.put(bucket, "a.csv", BODY)
    proxy.add(Rule(Match("GetObject"), Cut("body", 120_000), times=1))
    proxy.add(Rule(Match("GetObject"), Refuse(400, "ExpiredToken"), times=1))
    stores = StoresFactory(allowing(proxy.url, SETTINGS))()
    assert await read(stores, proxy, bucket, "a.csv", Credentials(role_arn=ROLE)) == BODY
    await stores.aclose()
    assert len(proxy.calls("AssumeRole")) == 2
    assert [call.status for call in proxy.calls("GetObject")] == [200, 400, 206]


@pytest.mark.one_build("gil")
async def test_a_loop_keeps_few_clients_whatever_messages_name(aws: Aws, bucket: str) -> None:
    """A message may name any region: what was not used for long is closed, but never our own, nor what is being
    called."""
    clients = Clients(allowing(aws.endpoint_url, StoreSettings(attempts=2)))
    ours = Endpoint("s3", "us-east-1", aws.endpoint_url)
    await clients.call(ours, "list_objects_v2", Bucket=bucket)
    first = Endpoint("s3", "region-0", aws.endpoint_url, keys("A"))
    kept = [await clients._client(each) for each in (ours, first)]
    for number in range(_PLACES + 3):
        region = Endpoint("s3", f"region-{number}", aws.endpoint_url, keys("A"))
        await clients.call(region, "list_objects_v2", Bucket=bucket)
        await clients._client(Endpoint("sts", f"region-{number}", None))
    assert len(clients._clients) == _PLACES + 1
    assert await clients._client(ours) is kept[0]
    assert await clients._client(first) is not kept[1]
    await clients.call(first, "list_objects_v2", Bucket=bucket)
    assert len(clients._clients) == _PLACES + 1
    busy = [kept for place, kept in clients._clients.items() if place.named]
    for each in busy:
        each.calls += 1
    await clients._client(Endpoint("sts", "one-more", None))
    assert len(clients._clients) == _PLACES + 2
    await clients.aclose()
    assert clients._clients == {}
