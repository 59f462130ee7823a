"""A streamed GET that survives dropped connections."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.adapters.aws.checksums import Checksum, expected
from engine.adapters.aws.failures import SDK_ERRORS
from engine.adapters.aws.retries import backoff_s
from engine.errors import ChecksumMismatch, FileError, SourceChanged, TransientError
from engine.ports import ObjectInfo

if TYPE_CHECKING:
    from engine.adapters.aws.s3 import S3Store

__all__ = ["Pace", "S3Reader"]

_LONGEST_PIECE_S = 1.0  # of filling a piece; what is there by then is given


class EndedEarly(ConnectionError):
    """A body ended before its last byte. The name is what the user sees, as an error's code."""


class TooSlow(TimeoutError):
    """A body came slower than ``min_bytes_per_s``. The name is what the user sees, as an error's code."""


@dataclass(slots=True)
class Pace:
    """Whether a peer keeps up the slowest rate allowed, by the time that was spent waiting for it.

    A window ends well when it has brought the bytes that ``window_s`` seconds owe (or its own time, where that is
    longer), and the next one begins. A wait longer than what is left of a window is for the caller to cut.

    Attributes:
        slowest: bytes a second; 0 allows any rate, though no silence longer than a window.
        window_s: seconds.
        slow: the window that ended last was cut.
    """

    slowest: int
    window_s: float
    slow: bool = False
    _waited_s: float = 0.0
    _received: int = 0

    @property
    def left_s(self) -> float:
        """The longest wait, in seconds, that the window in hand still allows; 0 or less: only what is there already."""
        return self.window_s - self._waited_s

    def add(self, waited_s: float, received: int) -> None:
        """Counts ``received`` bytes that took ``waited_s`` seconds to come."""
        self._waited_s += waited_s
        self._received += received
        if self._received >= self.slowest * max(self._waited_s, self.window_s):
            self.restart()
            self.slow = False

    def restart(self) -> None:
        """Begins a window: what one connection took or brought does not count for the next one."""
        self._waited_s, self._received = 0.0, 0


class S3Reader:
    """An :class:`~engine.ports.ObjectReader`.

    A connection that drops, ends early, falls silent or is slower than the settings allow is replaced by one that goes
    on at the next byte, of the same object (``If-Match``), after a jittered backoff. ``settings.attempts`` failures
    are final; a whole piece of progress at the rate allowed gives all of them back. Where the store keeps a checksum of
    the whole object, the last piece is given only if all that came, over however many connections, agrees with it.
    """

    def __init__(
        self, store: S3Store, version_id: str | None, info: ObjectInfo, body: Any, checksum: Checksum | None
    ) -> None:
        self.info = info
        self._stop = info.size  # the byte of the object to read up to
        self._checksum = checksum
        self._store = store
        self._version_id = version_id
        self._body = body
        self._received = 0  # of the object, those before a range among them
        self._chunks: list[bytes] = []  # of the piece in hand
        self._held = 0  # their bytes
        self._failures = 0
        self._since_failed = 0  # bytes since that was last 0
        self._pace = Pace(store.settings.min_bytes_per_s, store.settings.read_timeout_s)

    @classmethod
    async def open(cls, store: S3Store, key: str, version_id: str | None) -> S3Reader:
        """Raises as :meth:`~engine.ports.ObjectStore.read`; FileError where the store tells no ETag or no size."""
        version = {"VersionId": version_id} if version_id is not None else {}
        found = await _answer(store, "get_object", key, checksum={"ChecksumMode": "ENABLED"}, **version)
        try:
            info = await _info(store, key, version, found)
        except BaseException:
            found["Body"].close()
            raise
        return cls(store, version_id, info, found["Body"], expected(found))

    @classmethod
    async def open_range(
        cls, store: S3Store, of: ObjectInfo, start: int, stop: int, version_id: str | None
    ) -> S3Reader:
        """Raises as :meth:`~engine.ports.ObjectStore.read_range`. A checksum of the whole object says nothing here."""
        reader = cls(store, version_id, of, None, None)
        reader._received, reader._stop = start, stop
        if start < stop:
            await reader._resume()
        return reader

    def close(self) -> None:
        """Frees the connection: back to the pool after the last byte, closed before it. Idempotent."""
        if self._body is not None:
            self._body.close()

    def __aiter__(self) -> S3Reader:
        return self

    async def __anext__(self) -> bytes:
        size = min(self._store.settings.read_bytes, self._stop - self._received)
        if not size:
            raise StopAsyncIteration
        while True:
            try:
                await self._fill(size)
                break
            except SDK_ERRORS as error:
                self._body.close()
                self._failures += 1
                if self._failures >= self._store.settings.attempts:
                    raise self._dropped(error) from error
                await asyncio.sleep(backoff_s(self._failures))
                await self._resume()
        self._since_failed += self._held
        if not self._pace.slow and self._since_failed >= self._store.settings.read_bytes:
            self._failures = self._since_failed = 0
        piece = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        self._check(piece)
        return piece

    def _check(self, piece: bytes) -> None:
        """Counts ``piece`` in the object's checksum, and compares that before the last piece is given."""
        if self._checksum is None:
            return
        self._checksum.update(piece)
        if self._received == self.info.size and not self._checksum.holds:
            raise ChecksumMismatch(
                f"{self._place}: the bytes that came are not those of its {self._checksum.name}", file=self.info.key
            )

    async def _fill(self, size: int) -> None:
        """Receives until ``size`` bytes are held, or some are and that takes long: a slow source is no source that
        hangs, and whoever waits for its bytes is to see them come. A body that ends early is an error, never an end of
        file."""
        now = asyncio.get_running_loop().time
        last = now() + _LONGEST_PIECE_S
        while self._held < size and (not self._held or now() < last):
            began = now()
            limit = asyncio.timeout(self._pace.left_s)
            try:
                async with limit:
                    chunk = await self._body.read(size - self._held)
            except TimeoutError as error:
                if not limit.expired():
                    raise
                self._pace.slow = True
                raise TooSlow from error
            if not chunk:
                raise EndedEarly
            self._chunks.append(chunk)
            self._held += len(chunk)
            self._received += len(chunk)
            self._pace.add(now() - began, len(chunk))

    async def _resume(self) -> None:
        version = {"VersionId": self._version_id} if self._version_id is not None else {}
        found = await _answer(
            self._store,
            "get_object",
            self.info.key,
            Range=f"bytes={self._received}-{self._stop - 1 if self._stop < self.info.size else ''}",
            IfMatch=f'"{self.info.etag}"',
            **version,
        )
        self._body = found["Body"]  # close() frees it, whatever follows
        self._pace.restart()
        if found.get("ETag", "").strip('"') != self.info.etag:  # a store that ignores If-Match
            raise SourceChanged(f"{self._place} was replaced while it was read", file=self.info.key)
        if found.get("ContentRange") != f"bytes {self._received}-{self._stop - 1}/{self.info.size}":
            raise TransientError(f"{self._place}: the store ignores ranges", file=self.info.key)

    @property
    def _place(self) -> str:
        return f"{self._store.location}/{self.info.key}"

    def _dropped(self, error: BaseException) -> TransientError:
        failure = self._store.translated(error, self.info.key, "read")
        kind = type(failure) if isinstance(failure, TransientError) else TransientError
        return kind(
            f"{failure.message}: {self._received} of {self.info.size} bytes came, "
            f"then the connection failed {self._store.settings.attempts} times",
            file=self.info.key,
        )


async def _answer(store: S3Store, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
    """One request, each try of which ends in time even when the head of its answer drips in.

    Raises as :meth:`~engine.ports.ObjectStore.read`.
    """
    try_s = store.settings.connect_timeout_s + store.settings.read_timeout_s
    return await store.call(operation, key, "read", try_s=try_s, **parameters)


async def _info(store: S3Store, key: str, version: dict[str, str], found: dict[str, Any]) -> ObjectInfo:
    """The object that an answer is about. Without an ETag or a size, nothing would tell a part of it from all of it."""
    place = f"{store.location}/{key}"
    etag: str = found.get("ETag", "").strip('"')
    if not etag:
        raise FileError(f"cannot read {place} safely: the store gives no ETag", file=key)
    size: int | None = found.get("ContentLength")
    if size is None:  # a chunked body, or one that lasts until the connection ends
        head = await _answer(store, "head_object", key, IfMatch=f'"{etag}"', **version)
        size = head.get("ContentLength")
    if size is None:
        raise FileError(f"cannot read {place} safely: the store does not tell its size", file=key)
    return ObjectInfo(key, size, etag, found.get("VersionId"))
