"""Where files are, how they are read, and how they are written so that nothing is visible before all is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = [
    "Credentials",
    "LocalLocation",
    "Location",
    "ObjectInfo",
    "ObjectReader",
    "ObjectStore",
    "OpenStores",
    "OpenUpload",
    "Part",
    "PendingUpload",
    "S3Location",
    "SharedUpload",
    "Standing",
    "Stores",
    "Upload",
]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign for somebody else's bucket: keys, or a role to assume, or the name of a secret that holds keys, or a
    local profile. Never ours by omission; no ``repr`` shows a secret."""

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    profile: str | None = None
    secret_id: str | None = None


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
    """An object as it was seen: ``etag`` identifies its content, ``size`` is in bytes.

    ``modified`` is seconds since the epoch, where a listing told it.
    """

    key: str
    size: int
    etag: str
    version_id: str | None = None
    modified: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part: its number from 1, what the store called it, its size in bytes; its CRC32 in base64, where the
    store keeps one."""

    number: int
    etag: str
    size: int
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class PendingUpload:
    """All bytes are at the store and nothing is visible. Enough to complete or abort it from anywhere.

    The object that it becomes carries ``token``, unique to the upload, so that anybody can tell whose object lies at
    the key whatever its ETag looks like; empty where the store knows by other means.
    """

    key: str
    upload_id: str
    parts: tuple[Part, ...]
    token: str = ""

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that was begun and neither completed nor aborted; ``begun`` is seconds since the epoch."""

    key: str
    upload_id: str
    begun: float


@dataclass(frozen=True, slots=True)
class SharedUpload:
    """An upload that several send parts of, from any loop. Enough to send one, finish it or abort it.

    Attributes:
        token: as a :class:`PendingUpload`'s.
        part_bytes: how large parts are best made.
        least_bytes: how small no part may be but the last.
    """

    key: str
    upload_id: str
    token: str
    part_bytes: int
    least_bytes: int


type Standing = Literal["pending", "completed", "gone"]
"""What became of a finished upload: it waits to be completed; the object at its key is it; neither."""


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

    def read_range(
        self, of: ObjectInfo, start: int, stop: int, *, version_id: str | None = None
    ) -> AbstractAsyncContextManager[ObjectReader]:
        """Opens the bytes from ``start`` up to ``stop`` of an object that has been looked at before; as :meth:`read`.

        Iteration ends only after all of them. That they are bytes of this very object is sure: ``of`` tells its ETag.

        Raises:
            SourceChanged: there is another one by now.
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

    async def share(self, key: str) -> SharedUpload:
        """Starts an upload of ``key`` that several send parts of."""
        ...

    async def send_part(self, upload: SharedUpload, number: int, body: Sequence[bytes | memoryview]) -> Part:
        """Sends the part of this number, from 1 to 10,000, which need not be the next; replaces one sent before it."""
        ...

    async def append(self, upload: SharedUpload, parts: Sequence[Part]) -> None:
        """Says which parts come next in the object: their order is that in which they are appended, and of their
        numbers. One at a time."""

    async def finish_shared(self, upload: SharedUpload, parts: Sequence[Part]) -> PendingUpload:
        """Returns the handle that completes the upload, of all ``parts`` that were appended. What else was sent is
        dropped. An empty object is one empty part."""
        ...

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        """Makes a finished upload visible, replacing what was at its key; then looks at the object, and believes that
        rather than any answer. Idempotent: an upload that was completed before counts as long as the object is its.

        Raises:
            ConservationError: the object is this upload's, and its size or its number of parts is not as sent.
            TransientError: not completed as far as can be seen, or the upload is gone: the file must be written again.
        """
        ...

    async def standing(self, upload: PendingUpload) -> Standing:
        """What became of a finished upload. ``pending`` only if its parts are those that were sent."""
        ...

    async def abort(self, upload: PendingUpload) -> None:
        """Discards an upload. Idempotent; what was completed stays."""

    def open_uploads(self, prefix: str) -> AsyncIterator[OpenUpload]:
        """Every open upload whose key starts with ``prefix``, whoever began it (paginated behind the scenes)."""
        ...


class Stores(Protocol):
    """The stores of one event loop: made once a location, kept, closed together."""

    async def open(self, location: Location) -> ObjectStore: ...

    async def aclose(self) -> None: ...


class OpenStores(Protocol):
    """Makes a loop's :class:`Stores`; called on that loop. Must pickle, because workers may be processes."""

    def __call__(self) -> Stores: ...
