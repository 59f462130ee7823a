"""What the engine needs from the outside, as protocols. ``adapters`` implements them; nothing else knows an SDK.

All objects here belong to one event loop: they are opened on it, used on it and closed on it. What crosses a thread
or a process (locations, pending uploads, deliveries) is plain frozen data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "Credentials",
    "Delivery",
    "LocalLocation",
    "Location",
    "MappingStore",
    "ObjectInfo",
    "ObjectReader",
    "ObjectStore",
    "OpenStores",
    "Part",
    "PendingUpload",
    "Queue",
    "S3Location",
    "Stores",
    "Upload",
]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign for somebody else's bucket: keys, or a role to assume, or a local profile. Never ours by omission."""

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class LocalLocation:
    """A folder of this machine; keys are paths below it, with ``/``."""

    root: str

    def __str__(self) -> str:
        return self.root


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket. ``credentials`` None means the engine's own (standard AWS chain): destination and queue only."""

    bucket: str
    region: str
    endpoint_url: str | None = None
    credentials: Credentials | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}"


type Location = LocalLocation | S3Location


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as it was seen: ``etag`` identifies its content, ``size`` is in bytes."""

    key: str
    size: int
    etag: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part: its number from 1, what the store called it, its size in bytes."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class PendingUpload:
    """All bytes are at the store and nothing is visible. Enough to complete or abort it from anywhere."""

    key: str
    upload_id: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


class ObjectReader(Protocol):
    """An object being read, in order, in pieces of at most the store's ``read_bytes``.

    Iteration ends only after ``info.size`` bytes. A read that ends early is never an end of file: it is resumed, or
    raises :class:`~engine.errors.TransientError`; a replaced object raises :class:`~engine.errors.SourceChanged`.
    """

    info: ObjectInfo

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...


class Upload(Protocol):
    """An object being written, invisible until completed. Used by one task at a time."""

    async def write(self, data: bytes) -> None:
        """Takes ``data``; waits (backpressure) while a full part is still on its way."""

    async def finish(self) -> PendingUpload:
        """Sends what is left and returns the handle that completes it. An empty object is allowed."""

    async def abort(self) -> None:
        """Discards everything sent. Idempotent; never raises for an upload that is already gone."""


class ObjectStore(Protocol):
    """A folder or a bucket."""

    def read(self, key: str, *, version_id: str | None = None) -> AbstractAsyncContextManager[ObjectReader]:
        """Opens an object for reading.

        Raises:
            SourceMissing: no such key, version or bucket.
            AccessDenied: not allowed to read it.
            TransientError: the store cannot be reached or answers with server faults.
        """
        ...

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """All objects whose key starts with ``prefix``, in key order (paginated behind the scenes)."""
        ...

    async def head(self, key: str) -> ObjectInfo | None:
        """The object's state, or None when it does not exist."""

    async def get(self, key: str) -> bytes:
        """A small object whole (mappings, manifests). Raises as :meth:`read`."""
        ...

    async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
        """Writes a small object at once; returns its ETag, or None when ``only_if_absent`` and it exists."""

    async def delete(self, key: str) -> None:
        """Removes an object. Idempotent."""

    async def begin(self, key: str) -> Upload:
        """Starts an upload of ``key``."""
        ...

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        """Makes a finished upload visible, replacing what was at its key."""
        ...

    async def abort(self, upload: PendingUpload) -> None:
        """Discards a finished upload. Idempotent."""

    async def abort_open(self, prefix: str) -> int:
        """Discards every open upload whose key starts with ``prefix``, whoever began it; returns how many."""
        ...


class Stores(Protocol):
    """The stores of one event loop: made once a location, kept, closed together."""

    async def open(self, location: Location) -> ObjectStore: ...

    async def aclose(self) -> None: ...


class OpenStores(Protocol):
    """Makes a loop's :class:`Stores`; called on that loop. Must pickle, because workers may be processes."""

    def __call__(self) -> Stores: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One receive of a message. The receipt acknowledges this receive only."""

    message_id: str
    receipt: str = field(repr=False)
    body: str = field(repr=False)
    receive_count: int = 1


class Queue(Protocol):
    """A queue with visibility timeouts (SQS)."""

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        """Long-polls for one message, up to ``wait_s`` seconds; it stays invisible to others for ``visibility_s``."""

    async def ack(self, delivery: Delivery) -> None:
        """Deletes the message."""

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """Sets the visibility timeout, counted from now; 0 makes the message visible at once."""

    async def send(self, body: str) -> str:
        """Puts a message on the queue; returns its id."""
        ...

    async def aclose(self) -> None: ...


class MappingStore(Protocol):
    """Where mappings are looked up by id."""

    async def get(self, mapping_id: str) -> tuple[str, bytes]:
        """The document's name (``<mapping_id>.json`` or ``.toml``) and its text.

        Raises:
            MappingError: there is no such mapping, or the id is not one.
            TransientError: the store cannot be reached.
        """
        ...

    async def aclose(self) -> None: ...
