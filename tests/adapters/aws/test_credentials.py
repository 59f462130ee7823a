"""Whose credentials sign what, against a server that checks them."""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.adapters.aws.credentials import check
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import AccessDenied, Unavailable
from engine.ports import Credentials, Location, S3Location, Stores
from tests.adapters.conftest import allowing
from tests.moto import Moto, moto_server

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Tenants:
    """A server that checks signatures and policies. Each tenant may use its own bucket alone; the engine's own keys,
    which are in the environment, may use ``ours`` and assume the role."""

    server: Moto
    keys: dict[str, Credentials]
    role_arn: str

    def location(self, bucket: str, credentials: Credentials | None) -> S3Location:
        return S3Location(bucket, REGION, self.server.endpoint_url, credentials)


@pytest.fixture(scope="module")
def tenants(aws_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with (
        moto_server(tmp_path_factory.mktemp("moto-auth") / "moto.log") as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("ours", "acme", "bolt", "role"):
            server.make_bucket(name)
            put(server, name)
        iam = server.client("iam")
        keys = {name: make_user(iam, name, allow(name)) for name in ("acme", "bolt")}
        ours = make_user(iam, "ours", [*allow("ours"), {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}])
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
        }
        role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=policy(allow("role")))
        iam.close()
        assert ours.access_key_id
        assert ours.secret_access_key
        patch.setenv("AWS_ACCESS_KEY_ID", ours.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", ours.secret_access_key)
        patch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
        check_signatures(server)
        yield Tenants(server, keys, role)


def put(server: Moto, bucket: str) -> None:
    client = server.client("s3")
    client.put_object(Bucket=bucket, Key="a.csv", Body=bucket.encode())
    client.close()


def allow(bucket: str) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]


def policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_user(iam: Any, name: str, statements: list[dict[str, Any]]) -> Credentials:
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(statements))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(access_key_id=made["AccessKeyId"], secret_access_key=made["SecretAccessKey"])


def check_signatures(server: Moto) -> None:
    """From here on the server refuses calls that are not signed by a known key whose policies allow them."""
    connection = http.client.HTTPConnection(urlsplit(server.endpoint_url).netloc)
    connection.request("POST", "/moto-api/reset-auth", body="0", headers={"Content-Type": "text/plain"})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.fixture
async def stores(tenants: Tenants) -> AsyncIterator[Stores]:
    opened = StoresFactory(allowing(tenants.server.endpoint_url, StoreSettings(attempts=2)))()
    yield opened
    await opened.aclose()


async def get(stores: Stores, location: Location) -> bytes:
    return await (await stores.open(location)).get("a.csv")


async def test_each_signs_for_itself(tenants: Tenants, stores: Stores) -> None:
    """Many calls at once on one loop, of tenants and of the engine itself, each reach their own bucket and no other."""

    async def one(bucket: str, name: str) -> bytes | AccessDenied:
        try:
            return await get(stores, tenants.location(bucket, tenants.keys.get(name)))
        except AccessDenied as error:
            return error

    names = ["ours", "acme", "bolt"]
    pairs = [(bucket, name) for bucket in names for name in names] * 5
    for (bucket, name), found in zip(pairs, await asyncio.gather(*(one(*pair) for pair in pairs)), strict=True):
        if bucket == name:
            assert found == bucket.encode()
        else:
            assert isinstance(found, AccessDenied)
            assert found.file == "a.csv"
            assert f"s3://{bucket}/a.csv" in found.message


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(),
        Credentials(access_key_id="AKIA"),
        Credentials(secret_access_key="hidden"),
        Credentials(session_token="token"),
        Credentials(access_key_id="", secret_access_key=""),
        Credentials(access_key_id="AKIA", secret_access_key=" "),
        Credentials(access_key_id="AKIA", secret_access_key="hidden", session_token=""),
        Credentials(access_key_id="AKIA", secret_access_key="hidden", profile="default"),
        Credentials(role_arn=""),
        Credentials(external_id="x"),
        Credentials(role_arn="arn:aws:iam::1:role/r", access_key_id="AKIA"),
        Credentials(profile=""),
        Credentials(secret_id=" "),
        Credentials(secret_id="s", access_key_id="AKIA", secret_access_key="hidden"),
    ],
)
async def test_half_given_credentials_are_refused(tenants: Tenants, stores: Stores, credentials: Credentials) -> None:
    """Empty, half-given or contradictory credentials are an error before any call, though the engine's own would do."""
    assert await get(stores, tenants.location("ours", None)) == b"ours"
    with pytest.raises(AccessDenied) as raised:
        await get(stores, tenants.location("ours", credentials))
    assert "hidden" not in raised.value.message


async def test_wrong_keys_are_refused(tenants: Tenants, stores: Stores) -> None:
    """An unknown key and a wrong secret are refused, where the engine's own keys would have been let in."""
    known = tenants.keys["acme"]
    for wrong in (
        Credentials(access_key_id="AKIAUNKNOWN", secret_access_key="x"),
        dataclasses.replace(known, secret_access_key="wrong-secret"),
        dataclasses.replace(known, session_token="made-up"),
    ):
        with pytest.raises(AccessDenied) as raised:
            await get(stores, tenants.location("ours", wrong))
        assert "wrong-secret" not in str(raised.value)


async def test_role(tenants: Tenants, stores: Stores) -> None:
    """A role is assumed with the engine's own keys, and then only what the role allows is allowed."""
    credentials = Credentials(role_arn=tenants.role_arn, external_id="tenant-7")
    assert await get(stores, tenants.location("role", credentials)) == b"role"
    with pytest.raises(AccessDenied):
        await get(stores, tenants.location("ours", credentials))


async def test_role_that_cannot_be_assumed(tenants: Tenants, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine may not assume the role, nothing else is tried, and the error says what to check."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
    with pytest.raises(AccessDenied, match="role"):
        await get(stores, tenants.location("role", Credentials(role_arn=tenants.role_arn)))


async def test_profile(tenants: Tenants, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile gives its own keys; one without keys, or one that is not there, never means the engine's."""
    acme = tenants.keys["acme"]
    shared = tmp_path / "credentials"
    shared.write_text(
        f"[acme]\naws_access_key_id={acme.access_key_id}\naws_secret_access_key={acme.secret_access_key}\n"
        "[empty]\nregion=us-east-1\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    assert await get(stores, tenants.location("acme", Credentials(profile="acme"))) == b"acme"
    for name in ("empty", "absent"):
        with pytest.raises(AccessDenied, match=name):
            await get(stores, tenants.location("ours", Credentials(profile=name)))


async def test_environment_cannot_redirect_a_tenant(
    tenants: Tenants, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint or a session token in our environment changes nothing for a tenant's calls."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "ours")
    assert await get(stores, tenants.location("acme", tenants.keys["acme"])) == b"acme"


async def test_engine_without_credentials(tenants: Tenants, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that has no credentials at all says so, and does not call without; the message is not to blame."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unavailable, match="NoCredentials"):
        await get(stores, tenants.location("ours", None))


@pytest.mark.parametrize(
    ("whole", "emptied"),
    [
        (Credentials(access_key_id="a", secret_access_key="b"), "secret_access_key"),
        (Credentials(access_key_id="a", secret_access_key="b", session_token="c"), "access_key_id"),
        (Credentials(role_arn="arn"), "role_arn"),
        (Credentials(role_arn="arn", external_id="x"), "role_arn"),
        (Credentials(secret_id="s"), "secret_id"),
        (Credentials(profile="p"), "profile"),
    ],
)
def test_complete_credentials_pass(whole: Credentials, emptied: str) -> None:
    """Each way to give credentials whole is accepted, and no longer when a part that it needs is taken away."""
    check(whole)
    with pytest.raises(AccessDenied):
        check(dataclasses.replace(whole, **{emptied: None}))
