"""A streamed GET that survives dropped connections."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from engine.adapters.aws.failures import SDK_ERRORS, translated
from engine.errors import SourceChanged, TransientError
from engine.ports import ObjectInfo

if TYPE_CHECKING:
    from engine.adapters.aws.s3 import S3Store

__all__ = ["S3Reader"]

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 20.0


class S3Reader:
    """An :class:`~engine.ports.ObjectReader`.

    A connection that drops, ends early, falls silent or is slower than the settings allow is replaced by one that goes
    on at the next byte, of the same object (``If-Match``), after a jittered backoff; ``settings.attempts`` failures
    within one piece are final.
    """

    def __init__(self, store: S3Store, version_id: str | None, info: ObjectInfo, body: Any) -> None:
        self.info = info
        self._store = store
        self._version_id = version_id
        self._body = body
        self._received = 0
        self._chunks: list[bytes] = []  # of the piece in hand
        self._held = 0  # their bytes

    @classmethod
    async def open(cls, store: S3Store, key: str, version_id: str | None) -> S3Reader:
        """Raises as :meth:`~engine.ports.ObjectStore.read`."""
        version = {"VersionId": version_id} if version_id is not None else {}
        found = await store.call("get_object", key, "read", **version)
        info = ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'), found.get("VersionId"))
        return cls(store, version_id, info, found["Body"])

    def close(self) -> None:
        """Frees the connection: back to the pool after the last byte, closed before it. Idempotent."""
        self._body.close()

    def __aiter__(self) -> S3Reader:
        return self

    async def __anext__(self) -> bytes:
        size = min(self._store.settings.read_bytes, self.info.size - self._received + self._held)
        if not size:
            raise StopAsyncIteration
        failures = 0
        while self._held < size:
            try:
                await self._fill(size)
            except SDK_ERRORS as error:
                self._body.close()
                failures += 1
                if failures >= self._store.settings.attempts:
                    raise self._dropped(error) from error
                longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2**failures)
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, not a secret
                await self._resume()
        piece = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        return piece

    async def _fill(self, size: int) -> None:
        """Receives until ``size`` bytes are held. A body that ends before is an error, never an end of file."""
        settings = self._store.settings
        slowest_s = settings.read_timeout_s + size / settings.min_bytes_per_s if settings.min_bytes_per_s else None
        async with asyncio.timeout(slowest_s):
            while self._held < size:
                chunk = await self._body.read(size - self._held)
                if not chunk:
                    raise ConnectionResetError("the body ended early")
                self._chunks.append(chunk)
                self._held += len(chunk)
                self._received += len(chunk)

    async def _resume(self) -> None:
        version = {"VersionId": self._version_id} if self._version_id is not None else {}
        found = await self._store.call(
            "get_object",
            self.info.key,
            "read",
            Range=f"bytes={self._received}-",
            IfMatch=f'"{self.info.etag}"',
            **version,
        )
        self._body = found["Body"]
        if found["ETag"].strip('"') != self.info.etag:  # a store that ignores If-Match
            self._body.close()
            raise SourceChanged(f"{self._place} was replaced while it was read", file=self.info.key)
        if found.get("ContentRange") != f"bytes {self._received}-{self.info.size - 1}/{self.info.size}":
            self._body.close()
            raise TransientError(f"{self._place} cannot be resumed: the store ignores ranges", file=self.info.key)

    @property
    def _place(self) -> str:
        return f"{self._store.location}/{self.info.key}"

    def _dropped(self, error: BaseException) -> TransientError:
        failure = translated(error, self._place, purpose="read", file=self.info.key)
        return TransientError(
            f"{failure.message}: {self._received} of {self.info.size} bytes came, "
            f"then the connection failed {self._store.settings.attempts} times",
            file=self.info.key,
        )
