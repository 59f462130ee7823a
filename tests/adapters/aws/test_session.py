"""Clients: made once, shared, cheap in memory."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys

import pytest

from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.settings import StoreSettings
from engine.errors import AccessDenied
from engine.ports import Credentials
from tests.moto import Aws


async def test_one_client_whatever_the_credentials(aws: Aws, bucket: str) -> None:
    """Concurrent first calls, and calls of ever new tenants, make one client for the tenants and one for ourselves."""
    clients = Clients(StoreSettings(attempts=2))
    tenants = [Credentials(access_key_id=f"AKIA{number}", secret_access_key="s") for number in range(300)]
    endpoints = [Endpoint("s3", "us-east-1", aws.endpoint_url, credentials) for credentials in [None, *tenants[:20]]]
    await asyncio.gather(*(clients.call(endpoint, "list_objects_v2", Bucket=bucket) for endpoint in endpoints))
    assert len(clients._clients) == 2
    for credentials in tenants:
        await clients._identity(Endpoint("s3", "us-east-1", aws.endpoint_url, credentials))
    assert len(clients._identities) == 256
    await clients.aclose()
    await clients.aclose()


async def test_a_tenants_client_refuses_to_call_without_credentials(aws: Aws, bucket: str) -> None:
    """The client that tenants share has no credentials of its own to fall back on."""
    clients = Clients(StoreSettings(attempts=2))
    endpoint = Endpoint("s3", "us-east-1", aws.endpoint_url, Credentials(access_key_id="a", secret_access_key="b"))
    await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
    client = await clients._client(endpoint)
    with pytest.raises(AccessDenied, match="without credentials"):
        await client.list_objects_v2(Bucket=bucket)
    await clients.aclose()


async def test_an_identity_does_not_outlive_its_call(aws: Aws, bucket: str) -> None:
    """After a call, and after one that failed, the task's context signs as nobody."""
    clients = Clients(StoreSettings(attempts=1))
    before = dict(contextvars.copy_context())
    credentials = Credentials(access_key_id="a", secret_access_key="b")
    for url in (aws.endpoint_url, "http://127.0.0.1:1"):
        endpoint = Endpoint("s3", "us-east-1", url, credentials)
        await asyncio.gather(clients.call(endpoint, "list_objects_v2", Bucket=bucket), return_exceptions=True)
        try:
            await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
        except Exception:  # noqa: BLE001 - one of the two must fail; how is not the matter here
            assert url != aws.endpoint_url
        assert dict(contextvars.copy_context()) == before
    await clients.aclose()


def test_stores_import_no_sdk() -> None:
    """Work on local files alone never imports the AWS SDK."""
    code = (
        "import sys, engine.adapters.stores, engine.adapters.mappings, engine.adapters.memory;"
        "print(sorted({'aiobotocore', 'botocore', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
