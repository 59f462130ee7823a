"""Keys that lie in Secrets Manager: whose they are, when they are fetched, and what no error says of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.adapters.aws.secret import keys_of, region_of
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import AccessDenied, Failure, TransientError
from engine.ports import Credentials, S3Location, Stores
from tests.adapters.conftest import allowing
from tests.faults import FaultProxy, Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

KEYS = {"access_key_id": "AKIACLIENT", "secret_access_key": "c1ient-s3cret"}


@dataclass(frozen=True, slots=True)
class Vault:
    """A client's bucket with one object, and a secret for it; all calls, to both, go through ``proxy``."""

    aws: Aws
    proxy: FaultProxy
    bucket: str
    name: str

    @classmethod
    def make(cls, aws: Aws, proxy: FaultProxy) -> Vault:
        bucket = aws.bucket("client")
        aws.put(bucket, "a.csv", b"a")
        vault = cls(aws, proxy, bucket, f"clients/{bucket}")
        vault.ask("create_secret", Name=vault.name, SecretString=json.dumps(KEYS))
        return vault

    def ask(self, operation: str, **parameters: Any) -> None:
        client = self.aws.server.client("secretsmanager")
        try:
            getattr(client, operation)(**parameters)
        finally:
            client.close()

    def keep(self, **keys: str) -> None:
        """Puts other keys into the secret."""
        self.ask("put_secret_value", SecretId=self.name, SecretString=json.dumps(keys))

    async def get(self, stores: Stores, name: str | None = None) -> bytes:
        credentials = Credentials(secret_id=name or self.name)
        store = await stores.open(S3Location(self.bucket, "us-east-1", self.proxy.url, credentials))
        return await store.get("a.csv")

    def signers(self, operation: str) -> list[str | None]:
        return [call.access_key for call in self.proxy.calls(operation)]


@pytest.fixture
def vault(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with fault_proxy(aws.endpoint_url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", proxy.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOURS")
        yield Vault.make(aws, proxy)


@pytest.fixture
def factory(vault: Vault) -> StoresFactory:
    return StoresFactory(allowing(vault.proxy.url, StoreSettings(attempts=1)))


async def test_a_secrets_keys_sign_and_ours_fetch_them(vault: Vault, factory: StoresFactory) -> None:
    """The secret is fetched with the engine's own keys, once a loop however many ask at once; what it holds signs."""
    stores = factory()
    assert await asyncio.gather(*(vault.get(stores) for _ in range(5))) == [b"a"] * 5
    assert vault.signers("GetSecretValue") == ["AKIAOURS"]
    assert vault.signers("GetObject") == ["AKIACLIENT"] * 5
    assert "x-amz-security-token" not in vault.proxy.calls("GetObject")[0].headers
    vault.keep(**KEYS, session_token="t0ken")
    other = factory()
    assert await vault.get(other) == b"a"
    assert vault.proxy.calls("GetObject")[-1].headers["x-amz-security-token"] == "t0ken"
    for each in (stores, other):
        await each.aclose()


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
async def test_refused_keys_are_fetched_again(vault: Vault, factory: StoresFactory, code: str) -> None:
    """Keys that have expired, or were replaced, are fetched again within the very call; a batch does not notice."""
    stores = factory()
    await vault.get(stores)
    vault.keep(access_key_id="AKIANEW", secret_access_key="n")
    vault.proxy.add(Rule(Match("GetObject"), Refuse(403, code), times=1))
    assert await vault.get(stores) == b"a"
    assert vault.signers("GetObject") == ["AKIACLIENT", "AKIACLIENT", "AKIANEW"]
    assert len(vault.signers("GetSecretValue")) == 2
    await stores.aclose()


async def test_keys_that_stay_refused_are_not_asked_for_without_end(vault: Vault, factory: StoresFactory) -> None:
    """One more look at the secret a call; then the refusal is an error. What keys do not allow is no reason to look."""
    stores = factory()
    vault.proxy.add(Rule(Match("GetObject"), Refuse(403, "InvalidAccessKeyId"), times=2))
    with pytest.raises(AccessDenied, match="InvalidAccessKeyId"):
        await vault.get(stores)
    assert len(vault.signers("GetSecretValue")) == 2
    vault.proxy.add(Rule(Match("GetObject"), Refuse(403, "AccessDenied"), times=1))
    with pytest.raises(AccessDenied, match=r"\(AccessDenied\)"):
        await vault.get(stores)
    assert len(vault.signers("GetSecretValue")) == 3
    assert len(vault.signers("GetObject")) == 3
    await stores.aclose()


async def test_a_name_is_another_secret_in_another_region(vault: Vault, factory: StoresFactory) -> None:
    """A secret is looked for in the source's region, and what one region gave does not stand in for another's."""
    stores = factory()
    for region in ("us-east-1", "eu-west-1"):
        store = await stores.open(S3Location(vault.bucket, region, vault.proxy.url, Credentials(secret_id=vault.name)))
        if region == "us-east-1":
            assert await store.get("a.csv") == b"a"
        else:
            with pytest.raises(AccessDenied, match="ResourceNotFoundException"):
                await store.get("a.csv")
    await stores.aclose()


async def test_a_secret_that_cannot_be_fetched(vault: Vault, factory: StoresFactory) -> None:
    """No such secret, or one that we may not fetch, is permanent and says what to check; a busy service is not. Nothing
    is sent to the client's endpoint, and the next try asks again."""
    stores = factory()
    with pytest.raises(AccessDenied, match=r"ResourceNotFoundException\): check secret_id") as missing:
        await vault.get(stores, "clients/none")
    assert missing.value.failure is Failure.PERMANENT
    for refuse, error in [
        (Refuse(400, "AccessDeniedException"), AccessDenied),
        (Refuse(400, "ThrottlingException"), TransientError),
        (Refuse(500, "InternalServiceError"), TransientError),
    ]:
        rule = vault.proxy.add(Rule(Match("GetSecretValue"), refuse))
        with pytest.raises(error):
            await vault.get(stores)
        vault.proxy.remove(rule)
    assert vault.signers("GetObject") == []
    assert await vault.get(stores) == b"a"
    await stores.aclose()


WRONG = [
    "",
    "c1ient-s3cret",
    '"c1ient-s3cret"',
    '["AKIACLIENT", "c1ient-s3cret"]',
    "{}",
    '{"access_key_id": "AKIACLIENT"}',
    '{"secret_access_key": "c1ient-s3cret"}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": null}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": ""}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": " "}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": 7}',
    '{"access_key_id": " ", "secret_access_key": "c1ient-s3cret"}',
    '{"access_key_id": "AKIACLIENT\\n", "secret_access_key": "c1ient-s3cret"}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": "c1ient-s3cret", "session_token": "a b"}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": "c1ient-s3cret", "session_token": ""}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": "c1ient-s3cret", "AKIAMORE": "x"}',
    '{"AccessKeyId": "AKIACLIENT", "SecretAccessKey": "c1ient-s3cret"}',
    '{"access_key_id": "AKIACLIENT", "secret_access_key": "c1ient-s3cret"',
    '{"access_key_id": ' * 1000,
]


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_a_secret_of_another_shape_is_one_clear_error(text: str) -> None:
    """Whatever else a secret holds is permanent, names the secret and what it must be, and quotes nothing of it."""
    with pytest.raises(AccessDenied) as refused:
        keys_of("clients/acme", {"SecretString": text})
    said = str(refused.value)
    assert "'clients/acme' must be a JSON object of access_key_id, secret_access_key" in said
    assert not any(part in said for part in ("s3cret", "AKIA", "line 1"))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


async def test_a_wrong_secret_fails_the_call(vault: Vault, factory: StoresFactory) -> None:
    """The error comes through the SDK as it is; a secret of bytes is a wrong one, and nothing is sent to the client."""
    vault.ask("put_secret_value", SecretId=vault.name, SecretBinary=json.dumps(KEYS).encode())
    stores = factory()
    with pytest.raises(AccessDenied, match="must be a JSON object") as refused:
        await vault.get(stores)
    assert "c1ient" not in str(refused.value)
    assert vault.signers("GetObject") == []
    await stores.aclose()


def test_where_a_secret_is_looked_for() -> None:
    """An ARN says its region; a name is looked for in the source's."""
    arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:clients/acme-AbCdEf"
    assert region_of(arn, "us-east-1") == "eu-north-1"
    assert region_of("clients/acme", "us-east-1") == "us-east-1"
    for wrong in ("arn:aws", "arn:aws:secretsmanager:evil.example/x:1:secret:a", "arn:aws:secretsmanager::1:secret:a"):
        assert region_of(wrong, "us-east-1") == "us-east-1"
    assert "c1ient" not in repr(replace(Credentials(secret_access_key="c1ient-s3cret"), secret_id=arn))
