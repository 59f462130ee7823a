"""The bytes of one range of a file on their way into an object that several ranges write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engine.bounded import stop
from engine.errors import FileError
from engine.ports import ObjectStore, Part, SharedUpload

__all__ = ["Block", "PartWriter", "Piece"]


@dataclass(frozen=True, slots=True)
class Block:
    """The part numbers that a range may use, from ``first`` up to ``stop``; ``part_bytes`` is how large parts are."""

    upload: SharedUpload
    first: int
    stop: int
    part_bytes: int

    def size(self, number: int) -> int:
        """Bytes of a part. The last quarter of the numbers doubles it each time: a range may become far more than it
        should, and still has its place."""
        steady = self.first + (self.stop - self.first) * 3 // 4
        return self.part_bytes << max(0, number - steady)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a range became: its first bytes, the parts after them that were sent, its last bytes.

    Bytes at either end are held back because what they become a part of begins or ends in another range. Where there
    are parts, the first bytes are enough for one.
    """

    head: bytes
    parts: tuple[Part, ...]
    tail: bytes

    @property
    def size(self) -> int:
        return len(self.head) + sum(part.size for part in self.parts) + len(self.tail)


class PartWriter:
    """Takes a range's bytes. Used by one task; holds two parts at most, the first bytes, and what it was just given."""

    def __init__(self, store: ObjectStore, block: Block) -> None:
        self._store = store
        self._block = block
        self._head: list[memoryview] = []
        self._head_left = block.upload.least_bytes
        self._parts: list[Part] = []
        self._filling: list[memoryview] = []
        self._filled = 0  # bytes of _filling
        self._sending: asyncio.Task[Part] | None = None

    async def write(self, data: bytes) -> None:
        """Takes ``data``; waits while a full part cannot be sent because the one before it is still on its way."""
        rest = memoryview(data)
        if self._head_left:
            self._head.append(rest[: self._head_left])
            rest = rest[len(self._head[-1]) :]
            self._head_left -= len(self._head[-1])
        while rest:
            size = self._block.size(self._number)
            taken = rest[: size - self._filled]
            rest = rest[len(taken) :]
            self._filling.append(taken)
            self._filled += len(taken)
            if self._filled == size:
                await self._send()

    async def finish(self) -> Piece:
        """Waits until all parts are there."""
        await self._sent()
        return Piece(b"".join(self._head), tuple(self._parts), b"".join(self._filling))

    async def abort(self) -> None:
        """Stops the part on its way. What was sent is the upload's, and goes with it."""
        sending, self._sending = self._sending, None
        await stop(sending)

    @property
    def _number(self) -> int:
        """The part that fills now."""
        return self._block.first + len(self._parts) + (self._sending is not None)

    async def _send(self) -> None:
        await self._sent()
        number = self._number
        if number >= self._block.stop:
            raise FileError("a range of the file becomes too many parts: set pool.split_bytes to 0 for such files")
        body, self._filling, self._filled = self._filling, [], 0
        upload = self._block.upload
        self._sending = asyncio.create_task(
            self._store.send_part(upload, number, body), name=f"part {number}: {upload.key}"
        )

    async def _sent(self) -> None:
        if self._sending is not None:
            self._parts.append(await self._sending)
            self._sending = None
