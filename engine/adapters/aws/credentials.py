"""Somebody else's credentials: exactly what was given, or an error; never a fall-through to the engine's own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from aiobotocore.credentials import AioCredentialResolver, AioCredentials, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.credentials import CredentialProvider, ReadOnlyCredentials
from botocore.exceptions import ProfileNotFound

from engine.errors import AccessDenied
from engine.ports import Credentials

__all__ = ["AssumeRole", "FetchKeys", "Identity", "check", "identity", "sign_each_call", "signing_as"]

type AssumeRole = Callable[[Credentials], Awaitable[dict[str, str]]]
type FetchKeys = Callable[[Credentials], Awaitable[ReadOnlyCredentials]]

# Links of the standard chain that do not depend on the profile: the machine's own identity.
_NOT_OF_A_PROFILE = ("env", "ec2-credentials-file", "boto-config", "container-role", "iam-role")


class Identity(Protocol):
    """What the SDK signs with."""

    async def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


signing_as: ContextVar[Identity] = ContextVar("signing_as")
"""Who signs the call in hand, for clients made ready by :func:`sign_each_call`. Set around one call, never longer."""


def check(credentials: Credentials) -> None:
    """Exactly one of: a pair of keys (with or without a session token), a role (with or without an external id), a
    secret's name, a profile; nothing empty.

    Raises:
        AccessDenied: anything else.
    """
    given = {name for name in Credentials.__slots__ if getattr(credentials, name) is not None}
    empty = sorted(name for name in given if not getattr(credentials, name).strip())
    if empty:
        raise AccessDenied(f"credentials: empty {', '.join(empty)}")
    if given in ({"profile"}, {"secret_id"}, {"role_arn"}, {"role_arn", "external_id"}):
        return
    if given - {"session_token"} == {"access_key_id", "secret_access_key"}:
        return
    raise AccessDenied(
        f"credentials: {', '.join(sorted(given)) or 'nothing'} given; give access_key_id and secret_access_key, "
        "or role_arn, or secret_id, or profile"
    )


async def identity(credentials: Credentials, assume: AssumeRole, fetch: FetchKeys) -> Identity:
    """The identity that ``credentials`` are, and nothing else. Roles are assumed, secrets fetched when they first sign.

    Raises:
        AccessDenied: they are empty or half-given, or the profile holds none.
    """
    check(credentials)
    if credentials.role_arn is not None:
        return AioDeferredRefreshableCredentials(functools.partial(assume, credentials), method="assume-role")
    if credentials.secret_id is not None:
        return _Fetched(functools.partial(fetch, credentials))
    if credentials.profile is not None:
        try:
            resolver = AioSession(profile=credentials.profile).get_component("credential_provider")
        except ProfileNotFound as error:
            raise AccessDenied(f"there is no profile {credentials.profile!r} on this machine") from error
        for name in _NOT_OF_A_PROFILE:
            resolver.remove(name)
        found: Identity | None = await resolver.load_credentials()
        if found is None:
            raise AccessDenied(f"profile {credentials.profile!r} holds no credentials")
        return found
    assert credentials.access_key_id is not None
    assert credentials.secret_access_key is not None
    return AioCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)


class _Fetched:
    """Keys that are fetched when they first sign: once for all who wait for them, again where that failed."""

    def __init__(self, fetch: Callable[[], Awaitable[ReadOnlyCredentials]]) -> None:
        self._fetch = fetch
        self._fetching = asyncio.Lock()
        self._keys: ReadOnlyCredentials | None = None

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        async with self._fetching:
            if self._keys is None:
                self._keys = await self._fetch()
            return self._keys


def sign_each_call(session: AioSession) -> None:
    """Clients of ``session`` sign every call as :data:`signing_as` says at that moment; without it they refuse."""
    session.register_component("credential_provider", AioCredentialResolver([_PerCallProvider()]))


class _PerCall(AioCredentials):
    """Holds no keys of its own: whatever reads them other than by this method gets what no service accepts."""

    def __init__(self) -> None:
        super().__init__("signed-call-by-call", "signed-call-by-call")

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:  # type: ignore[override] # async
        try:
            signer = signing_as.get()
        except LookupError:
            raise AccessDenied("a call for somebody else's bucket was about to be made without credentials") from None
        return await signer.get_frozen_credentials()


class _PerCallProvider(CredentialProvider):
    METHOD = "explicit"

    async def load(self) -> _PerCall:
        return _PerCall()
