"""A multipart upload with bounded memory: one part on its way while the next one fills."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.bounded import stop
from engine.ports import Part, PendingUpload

if TYPE_CHECKING:
    from engine.adapters.aws.s3 import S3Store

__all__ = ["S3Upload", "part_size"]

_PARTS_A_SIZE = 1000


def part_size(number: int, first: int) -> int:
    """Bytes of part ``number`` (from 1): doubles every thousand parts, so that S3's limit of 10,000 parts is not met
    below 7.8 TiB (for the default first size of 8 MiB)."""
    return first << ((number - 1) // _PARTS_A_SIZE)


class S3Upload:
    """An :class:`~engine.ports.Upload`. Holds at most two parts, and what a single ``write`` was given.

    Bytes are copied once, when a part is full. (*Measured* on CPython 3.13t: a buffer that grows instead costs 2 ms a
    MiB, because growing it moves it.)
    """

    def __init__(self, store: S3Store, key: str, upload_id: str, token: str, part_bytes: int) -> None:
        self._store = store
        self._key = key
        self._upload_id = upload_id
        self._token = token
        self._part_bytes = part_bytes
        self._parts: list[Part] = []
        self._filling: list[memoryview] = []
        self._filled = 0  # bytes of _filling
        self._sending: asyncio.Task[Part] | None = None
        self.most_buffered = 0  # the most bytes ever held, for tests and for tuning

    async def write(self, data: bytes) -> None:
        """Takes ``data``; waits while a full part cannot be sent because the one before it is still on its way."""
        rest = memoryview(data)
        while rest:
            taken = rest[: part_size(self._number, self._part_bytes) - self._filled]
            rest = rest[len(taken) :]
            self._filling.append(taken)
            self._filled += len(taken)
            self.most_buffered = max(self.most_buffered, self._filled + self._in_flight)
            if self._filled == part_size(self._number, self._part_bytes):
                await self._send()

    async def finish(self) -> PendingUpload:
        if self._filled or not (self._parts or self._sending):
            await self._send()  # an empty object is one empty part
        await self._sent()
        return PendingUpload(self._key, self._upload_id, tuple(self._parts), self._token)

    async def abort(self) -> None:
        """Stops the part on its way, then discards the upload. A part is never sent after its upload was aborted."""
        sending, self._sending = self._sending, None
        await stop(sending)
        self._filling.clear()
        self._filled = 0
        await self._store.abort(PendingUpload(self._key, self._upload_id, ()))

    @property
    def _number(self) -> int:
        """The part that fills now."""
        return len(self._parts) + (self._sending is not None) + 1

    @property
    def _in_flight(self) -> int:
        return part_size(self._number - 1, self._part_bytes) if self._sending is not None else 0

    async def _send(self) -> None:
        await self._sent()
        body, size, number = b"".join(self._filling), self._filled, self._number
        self._filling.clear()
        self._filled = 0
        self._sending = asyncio.create_task(
            self._store.upload_part(self._key, self._upload_id, number, body, size), name=f"part {number}: {self._key}"
        )

    async def _sent(self) -> None:
        if self._sending is not None:
            part = await self._sending
            self._parts.append(part)
            self._sending = None
