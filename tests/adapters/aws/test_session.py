"""Clients: made once, shared, cheap in memory."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.settings import StoreSettings
from engine.errors import AccessDenied
from engine.ports import Credentials
from tests.adapters.conftest import allowing
from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.moto import Aws


async def test_one_client_whatever_the_credentials(aws: Aws, bucket: str) -> None:
    """Concurrent first calls, and calls of ever new tenants, make one client for the tenants and one for ourselves."""
    clients = Clients(allowing(aws.endpoint_url, StoreSettings(attempts=2)))
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
    clients = Clients(allowing(aws.endpoint_url, StoreSettings(attempts=2)))
    endpoint = Endpoint("s3", "us-east-1", aws.endpoint_url, Credentials(access_key_id="a", secret_access_key="b"))
    await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
    client = (await clients._client(endpoint)).client
    with pytest.raises(AccessDenied, match="without credentials"):
        await client.list_objects_v2(Bucket=bucket)
    await clients.aclose()


async def test_an_identity_does_not_outlive_its_call(aws: Aws, bucket: str) -> None:
    """After a call, and after one that failed, the task's context signs as nobody."""
    clients = Clients(allowing(aws.endpoint_url, StoreSettings(attempts=1)))
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


async def test_expired_keys_are_looked_for_again(
    aws: Aws, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call whose keys had expired asks whoever renews them (here a profile) for new ones, and is made with them."""
    shared = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    with fault_proxy(aws.endpoint_url) as proxy:
        clients = Clients(allowing(proxy.url, StoreSettings(attempts=1)))
        endpoint = Endpoint("s3", "us-east-1", proxy.url, Credentials(profile="acme"))
        shared.write_text("[acme]\naws_access_key_id=AKIAOLD\naws_secret_access_key=x\n")
        await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
        shared.write_text("[acme]\naws_access_key_id=AKIANEW\naws_secret_access_key=x\n")
        for code, signers in [("ExpiredToken", ["AKIAOLD", "AKIANEW"]), ("InvalidAccessKeyId", ["AKIANEW"] * 2)]:
            seen = len(proxy.requests)
            proxy.add(Rule(Match(), Refuse(400, code), times=1))
            await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
            assert [call.access_key for call in proxy.requests[seen:]] == signers
        proxy.add(Rule(Match(), Refuse(400, "ExpiredToken"), times=2))
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.call(endpoint, "list_objects_v2", Bucket=bucket)
        await clients.aclose()


async def test_keys_that_were_given_are_not_looked_for_again(aws: Aws, bucket: str) -> None:
    """Keys of a message are what they are: refused once, refused."""
    with fault_proxy(aws.endpoint_url, Rule(Match(), Refuse(400, "ExpiredToken"), times=1)) as proxy:
        clients = Clients(allowing(proxy.url, StoreSettings(attempts=1)))
        given = Credentials(access_key_id="AKIA", secret_access_key="x")
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.call(Endpoint("s3", "us-east-1", proxy.url, given), "list_objects_v2", Bucket=bucket)
        assert len(proxy.requests) == 1
        await clients.aclose()


def test_stores_import_no_sdk() -> None:
    """Work on local files alone never imports the AWS SDK."""
    code = (
        "import sys, engine.adapters.stores, engine.adapters.mappings, engine.adapters.memory;"
        "print(sorted({'aiobotocore', 'botocore', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_awscrt_only_makes_checksums() -> None:
    """With the AWS common runtime installed for its checksums, botocore still signs by itself, and where the GIL can be
    off it stays off."""
    code = (
        "import sys, engine.adapters.aws.s3, awscrt.checksums, botocore.compat;"
        "print(botocore.compat.HAS_CRT, getattr(sys, '_is_gil_enabled', lambda: True)())"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"False {gil}\n", "")
