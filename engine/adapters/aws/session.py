"""Clients of AWS services: made once a loop for a service, region and endpoint; signed call by call.

A client does not belong to one set of credentials. Making one costs tens of milliseconds, and on a free-threaded build
its class and methods are never freed (*measured*: 0.3 MiB a client), so a client a tenant would be a leak.
"""

from __future__ import annotations

import asyncio
import functools
import io
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from engine.adapters.aws.checksums import leave_to_us
from engine.adapters.aws.connecting import own_requests, requests_elsewhere, stay
from engine.adapters.aws.credentials import Identity, identity, sign_each_call, signing_as
from engine.adapters.aws.failures import EXPIRED, SDK_ERRORS, Unusable, error_code, meaning, signer
from engine.adapters.aws.retries import Throttle, tried
from engine.adapters.aws.secret import keys_of, region_of
from engine.adapters.settings import StoreSettings
from engine.ports import Credentials

__all__ = ["Body", "Clients", "Endpoint", "Service"]

type Service = Literal["s3", "sqs", "sts", "secretsmanager"]

_SERVICES: tuple[Service, ...] = ("s3", "sqs", "sts", "secretsmanager")
_TENANTS = 256  # remembered a loop; the least recently used is dropped and made again when needed
_PLACES = 32  # with a client each, of those whose region a message may name; the same

_KEYS_REFUSED = {"403", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "SignatureDoesNotMatch"}
"""Codes that say that keys themselves are no good, rather than what they allow; an answer to a HEAD has no code."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service somewhere, and who calls it: ``credentials`` None is the engine's own standard chain."""

    service: Service
    region: str
    url: str | None
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """What a client is for: whoever signs, except that what is ours is nobody else's."""

    service: Service
    region: str
    url: str | None
    ours: bool

    @property
    def named(self) -> bool:
        """Whether a message may have named the region; our buckets and queues lie where the configuration says."""
        return not self.ours or self.service in ("sts", "secretsmanager")


@dataclass(slots=True)
class _Client:
    """A client, what closes it, and how many calls of it are in progress."""

    client: Any
    closing: AsyncExitStack
    calls: int = 0


class Body(io.BytesIO):
    """A request's body. The HTTP library asks for the buffer only to learn its length, for which a plain ``BytesIO``
    over ``bytes`` would copy all of it."""

    def getbuffer(self) -> memoryview:
        return memoryview(self.getvalue())  # the very bytes it was made of


class _NoKeys(Exception):
    """A role could not be assumed, or a secret not be fetched, after all tries of that; ``args[0]`` is why."""


class Clients:
    """The clients of one loop, to which every method belongs; the lock only keeps a client from being made twice."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._clients: dict[_Place, _Client] = {}  # least recently used first
        self._creating = asyncio.Lock()
        self._identities: dict[tuple[Credentials, str], Identity] = {}  # least recently used first
        self._throttles: dict[Endpoint, Throttle] = {}  # least recently used first
        self._ours: AioSession | None = None
        self._theirs: AioSession | None = None
        self.without_checksums: set[tuple[str, str | None]] = set()  # region and url of what refused them

    async def call(
        self,
        endpoint: Endpoint,
        operation: str,
        *,
        try_s: float | None = None,
        attempts: int | None = None,
        **parameters: Any,
    ) -> Any:
        """Makes one call, tried ``settings.attempts`` times (see ``retries``); what it answers or raises is the SDK's,
        untranslated. An endpoint (with its credentials) that asks to slow down is asked less; others do not wait.
        Keys of a role, a secret or a profile that are refused are asked for again, and the call made with the new ones.

        Args:
            attempts: instead of the settings'.
            try_s: the longest that one try may take, in seconds.
            parameters: the operation's; ``Body`` as bytes, which every try sends from their start.

        Raises:
            AccessDenied: the endpoint's credentials are empty, half-given or not there.
        """
        throttle = _recent(self._throttles, endpoint, Throttle)
        once = functools.partial(self._once, endpoint, operation, try_s, parameters)
        for last in (False, True):
            try:
                return await tried(once, attempts or self._settings.attempts, throttle)
            except _NoKeys as failed:
                raise failed.args[0] from None
            except ClientError as error:
                if not self._forget(endpoint, error) or last:
                    raise
        raise AssertionError

    async def _once(self, endpoint: Endpoint, operation: str, try_s: float | None, parameters: dict[str, Any]) -> Any:
        if "Body" in parameters:
            parameters = {**parameters, "Body": Body(parameters["Body"])}
        try:
            async with asyncio.timeout(try_s):
                kept = await self._client(endpoint)
                kept.calls += 1
                try:
                    call = functools.partial(getattr(kept.client, operation), **parameters)
                    return await (call() if endpoint.credentials is None else self._signed(endpoint, call))
                finally:
                    kept.calls -= 1
        except ValueError as error:
            if isinstance(error, (*SDK_ERRORS, UnicodeError)):
                raise
            raise Unusable from error  # a date or a number in an answer that is none

    async def _signed(self, endpoint: Endpoint, call: Callable[[], Awaitable[Any]]) -> Any:
        reset = signing_as.set(await self._identity(endpoint))
        try:
            return await call()
        finally:
            signing_as.reset(reset)

    def _forget(self, endpoint: Endpoint, error: ClientError) -> bool:
        """Drops keys that ``error`` refuses, where others may be had for the credentials; whether it did. A role can be
        assumed again, a secret or a profile may hold new ones by now."""
        if endpoint.credentials is None or signer(endpoint.credentials) != "renewed":
            return False
        refused = meaning(error) is EXPIRED or error_code(error) in _KEYS_REFUSED
        if refused:
            self._identities.pop((endpoint.credentials, endpoint.region), None)
        return refused

    async def aclose(self) -> None:
        """Closes every client; no call may be in progress. Idempotent."""
        self._identities.clear()
        self._throttles.clear()
        async with AsyncExitStack() as closing:
            while self._clients:
                closing.push_async_exit(self._clients.popitem()[1].closing)

    async def _client(self, endpoint: Endpoint) -> _Client:
        place = _Place(endpoint.service, endpoint.region, endpoint.url, endpoint.credentials is None)
        if place not in self._clients:
            async with self._creating:
                if place not in self._clients:
                    self._clients[place] = await self._create(endpoint, ours=place.ours)
                    await self._close_idle(place)
        self._clients[place] = kept = self._clients.pop(place)
        return kept

    async def _close_idle(self, newest: _Place) -> None:
        """Closes what messages' regions led to and was not called for longest. A body that is still being read goes on
        as after a reset."""
        named = [place for place in self._clients if place.named and place != newest]
        for place in named[: max(0, len(named) + 1 - _PLACES)]:
            if not self._clients[place].calls:
                await self._clients.pop(place).closing.aclose()

    async def _create(self, endpoint: Endpoint, *, ours: bool) -> _Client:
        if self._ours is None or self._theirs is None:
            loader = await asyncio.to_thread(_loader)
            self._ours, self._theirs = AioSession(), AioSession()
            for session in (self._ours, self._theirs):
                session.register_component("data_loader", loader)
            sign_each_call(self._theirs)
            self._theirs.register("before-call.s3", stay)
            self._ours.register("before-send.sqs.SendMessage", _in_pieces)
        session = self._ours if ours else self._theirs
        closing = AsyncExitStack()
        client: Any = await closing.enter_async_context(
            session.create_client(
                endpoint.service,
                region_name=endpoint.region,
                endpoint_url=endpoint.url,
                config=_config(self._settings, endpoint, ours=ours),
            )
        )
        client.meta.events.register("before-call.s3.GetObject", leave_to_us)
        return _Client(client, closing)

    async def _identity(self, endpoint: Endpoint) -> Identity:
        credentials = endpoint.credentials
        assert credentials is not None
        key = (credentials, endpoint.region)
        found = self._identities.get(key)
        if found is None:
            found = await identity(
                credentials,
                functools.partial(self._assume_role, endpoint.region),
                functools.partial(self._fetch_keys, endpoint.region),
            )
        return _recent(self._identities, key, lambda: found)

    async def _assume_role(self, region: str, credentials: Credentials) -> dict[str, str]:
        """Temporary keys of a role, asked for with the engine's own credentials; in the form that the SDK refreshes."""
        arguments: dict[str, Any] = {"ExternalId": credentials.external_id} if credentials.external_id else {}
        try:
            answer = await self.call(
                Endpoint("sts", region, None),
                "assume_role",
                RoleArn=credentials.role_arn,
                RoleSessionName="engine",
                **arguments,
            )
        except SDK_ERRORS as error:
            raise _NoKeys(error) from error
        keys = answer["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }

    async def _fetch_keys(self, region: str, credentials: Credentials) -> ReadOnlyCredentials:
        """The keys that a secret holds, asked for with the engine's own credentials.

        Raises:
            AccessDenied: it holds something else.
        """
        secret_id = credentials.secret_id
        assert secret_id is not None
        try:
            place = Endpoint("secretsmanager", region_of(secret_id, region), None)
            answer = await self.call(place, "get_secret_value", SecretId=secret_id)
        except SDK_ERRORS as error:
            raise _NoKeys(error) from error
        return keys_of(secret_id, answer)


def _recent[K, V](kept: dict[K, V], key: K, make: Callable[[], V]) -> V:
    """``kept[key]``, made where it is missing, and now the most recently used; the least so goes."""
    value = kept.pop(key) if key in kept else make()
    while len(kept) >= _TENANTS:
        del kept[next(iter(kept))]
    kept[key] = value
    return value


def _in_pieces(request: Any, **_: Any) -> None:
    """A message may be so long that the HTTP library warns of sending it at once."""
    request.body = Body(request.body)


def _config(settings: StoreSettings, endpoint: Endpoint, *, ours: bool) -> AioConfig:
    return AioConfig(
        **(own_requests() if ours else requests_elsewhere(settings, endpoint.region, endpoint.url)),
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        # Its quota of retries goes by client, and all tenants share one: see ``retries``.
        retries={"mode": "standard", "total_max_attempts": 1},
        # 0 is no limit. Pipelines bound the connections; with a limit, readers that hold one each while they wait for
        # an upload of the same client would wait for ever.
        max_pool_connections=0,
        s3={
            # Stores other than AWS often have no virtual-hosted names.
            "addressing_style": "path" if endpoint.url else "auto",
            # TLS protects bodies, and a checksum among the signed headers says what they are.
            "payload_signing_enabled": False,
            # Its cache of session keys goes by bucket and would mix up those who share a client.
            "disable_s3_express_session_auth": True,
        },
        # S3Store names those that it wants: stores other than AWS often do not know them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # A variable or profile of ours must not take somebody else's requests elsewhere.
        ignore_configured_endpoint_urls=not ours,
    )


_loading = threading.Lock()  # held while _loaded() runs for the first time


@functools.cache
def _loaded() -> Any:
    session: Any = AioSession()  # the stubs lack this method
    for service in _SERVICES:
        session.warm_up_loader_caches(service)
    return session.get_component("data_loader")


def _loader() -> Any:
    """The SDK's service descriptions, read from disk once a process and shared by all loops, which only read them."""
    with _loading:
        return _loaded()
