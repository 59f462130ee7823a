"""Where requests go: no further than the endpoint that they are for, and in somebody else's name to public addresses.

An endpoint that a message chose must not lead the engine to what only the engine can reach. Its name is no proof, as a
name may have another address each time it is asked for; so the socket itself looks at the address that it is given.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import BotoCoreError, ClientError

from engine.adapters.aws.addresses import is_public
from engine.adapters.settings import StoreSettings
from engine.origins import origin

__all__ = [
    "AddressRefused",
    "EndlessAnswer",
    "Redirected",
    "WrongRegion",
    "own_requests",
    "public_socket",
    "requests_elsewhere",
    "stay",
    "told_region",
]

_LONGEST_ANSWER = 16 * 1_048_576
"""Bytes that are read of an answer which is held as a whole: a list of 1,000 keys has 4 MiB at most, an error hardly
one KiB. An object's body is not held."""

_REGION = re.compile(r"[a-z0-9-]{1,32}")  # an answer's word is not repeated to people unless it looks like one


class AddressRefused(PermissionError):
    """A socket was to be connected to what is not a public address. ``address`` is what it was given, ``host`` the name
    that led there, where known. The text is the same for all, so that several of one name are still one error to those
    who gather them."""

    def __init__(self, address: str, host: str = "") -> None:
        super().__init__("not a public address")
        self.address = address
        self.host = host


class Redirected(ConnectionError):
    """An endpoint answered with a redirection, which nobody followed."""

    def __init__(self, host: str, status: int) -> None:
        super().__init__("redirected")
        self.host = host
        self.status = status


class EndlessAnswer(ConnectionError):
    """An endpoint answered with more than any answer has that is held as a whole."""

    def __init__(self, host: str) -> None:
        super().__init__("endless answer")
        self.host = host


class WrongRegion(ConnectionError):
    """S3 answered that the bucket is in another region. The name is what the user sees, as a code."""

    def __init__(self, region: str) -> None:
        super().__init__("another region")
        self.region = region


class _PublicSocket(socket.socket):
    """Connects to public addresses only. What connects sockets, asyncio's loop, does it by ``connect`` alone."""

    __slots__ = ()

    def connect(self, address: Any) -> None:
        if not is_public(address[0]):
            raise AddressRefused(address[0])
        super().connect(address)


def public_socket(addr_info: tuple[Any, ...]) -> socket.socket:
    """An HTTP connector's ``socket_factory``. A connector asks it for every socket, also where it looks no name up."""
    family, kind, protocol, _, _ = addr_info
    return _PublicSocket(family, kind, protocol)


class OwnSession(AIOHTTPSession):
    """The SDK's HTTP session for our own requests, as its synchronous twin is: a redirection is an answer. The one that
    it follows would carry a body and a signature made for one host to another."""

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Direct(await super()._get_session(proxy_url))  # type: ignore[misc] # the stubs lack it


class ElsewhereSession(AIOHTTPSession):
    """The same for requests in somebody else's name, where a redirection is an error whatever else the answer holds,
    and an answer has an end.

    Raises, beside what the SDK's session raises:
        AddressRefused: no address of the host is public, and :func:`public_socket` makes the sockets.
        EndlessAnswer: an answer that is held as a whole is too long; also where its content is read.
        Redirected: the answer's status is 300 to 399.
        WrongRegion: so it is, and S3 says where the bucket is.
    """

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Bounded(await super()._get_session(proxy_url))  # type: ignore[misc] # the stubs lack it

    async def send(self, request: Any) -> Any:
        try:
            answer = await super().send(request)
        except BotoCoreError as error:
            for cause in _causes(error):
                if isinstance(cause, AddressRefused):
                    raise AddressRefused(cause.address, _host(request.url)) from error
                if isinstance(cause, EndlessAnswer):
                    raise cause from error
            raise
        if 300 <= answer.status_code < 400:
            answer.raw.close()
            if region := _region(answer.headers.get("x-amz-bucket-region")):
                raise WrongRegion(region)
            raise Redirected(_host(request.url), answer.status_code)
        return answer


def told_region(error: BaseException) -> str | None:
    """The region that an error names as the bucket's; None where it names none."""
    if isinstance(error, WrongRegion):
        return error.region
    if not isinstance(error, ClientError):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said: Any = error.response.get("Error", {})
    return _region(said.get("Region")) or _region(headers.get("x-amz-bucket-region"))


def _region(text: Any) -> str | None:
    return text if isinstance(text, str) and _REGION.fullmatch(text) else None


def own_requests() -> dict[str, Any]:
    """Of a client's configuration, what its own requests go by."""
    return {"http_session_cls": OwnSession}


def requests_elsewhere(settings: StoreSettings, region: str, url: str | None) -> dict[str, Any]:
    """Of a client's configuration, what keeps requests in somebody else's name where they belong."""
    return {
        "http_session_cls": ElsewhereSession,
        "connector_args": {} if _listed(settings, region, url) else {"socket_factory": public_socket},
        "proxies": {},  # none of our environment's: behind one nobody sees the address
    }


def _listed(settings: StoreSettings, region: str, url: str | None) -> bool:
    """Whether the operator lists the endpoint. AWS's own goes by its region's name there: it has private addresses in a
    network with an interface endpoint of S3."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    try:
        return origin(url or f"https://s3.{region}.{suffix}") in settings.allow_endpoints
    except ValueError:
        return False


def stay(context: dict[str, Any], **_: Any) -> None:
    """For the event ``before-call.s3``. The SDK asks another region's S3 when it is told that a bucket is there, and
    remembers that for all who share a client; a request that was sent on already it leaves alone."""
    context.setdefault("s3_redirect", {})["redirected"] = True


class _Direct:
    """An HTTP session of which redirections are not followed."""

    __slots__ = ("_session",)

    def __init__(self, session: Any) -> None:
        self._session = session

    def request(self, method: str, **how: Any) -> Any:
        return self._session.request(method, **{**how, "allow_redirects": False})


class _Bounded(_Direct):
    """The same, whose answers have an end."""

    __slots__ = ()

    async def request(self, method: str, **how: Any) -> Any:
        answer = await super().request(method, **how)
        answer.content = _Content(answer.content, f"{answer.url.scheme}://{answer.url.authority}")
        return answer


class _Content:
    """What an answer is read through. A stream is read by so many bytes, and anything else all at once."""

    __slots__ = ("_content", "_host")

    def __init__(self, content: Any, host: str) -> None:
        self._content = content
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, size: int = -1) -> bytes:
        """Raises EndlessAnswer instead of holding more than ``_LONGEST_ANSWER`` bytes."""
        if size >= 0:
            piece: bytes = await self._content.read(size)
            return piece
        found = bytearray()
        while piece := await self._content.readany():
            found += piece
            if len(found) > _LONGEST_ANSWER:
                raise EndlessAnswer(self._host)
        return bytes(found)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what led to it, the nearest first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
