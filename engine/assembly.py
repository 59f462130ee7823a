"""Puts what ranges became together, in their order: one object of text or one of Parquet each, and the rejects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from engine.bounded import each
from engine.core.rejects import moved
from engine.errors import ConservationError, EngineError
from engine.layout import numbered
from engine.parts import Block
from engine.pipeline import ABORT_S, FileJob, all_sent
from engine.ports import ObjectStore, Part, PendingUpload, SharedUpload, Upload
from engine.ranges import RangeResult

__all__ = ["Assembly", "Objects", "Rejects", "Text", "discard_all"]

_NUMBERS = 10_000  # that S3 has for the parts of an upload
_ROOM = 2  # times the text of a range, its output may be before its parts have to grow


class Assembly(Protocol):
    """The data of a file that is read in ranges. Used by one task; :meth:`output` by many."""

    def output(self, number: int) -> Block | str:
        """Where the range with this number, from 0, is to write. What an earlier run of it wrote is given up."""
        ...

    async def take(self, number: int, result: RangeResult) -> None:
        """Adds a range; they come in order. A range may come in several results."""
        ...

    async def drop(self, result: RangeResult) -> None:
        """Gives up a range that did not begin where it should."""
        ...

    async def finish(self) -> tuple[PendingUpload, ...]:
        """The file's data, whole and invisible; at least one object.

        Raises:
            ConservationError: the parts sent are not the bytes written, in order.
        """
        ...

    async def abort(self, cause: BaseException) -> None:
        """Discards everything; no range is running any more."""
        ...


class Text:
    """One object, whose parts the ranges send. Where two ranges meet, their last and first bytes are a part together.

    Every range has a block of part numbers. The first of them is for what comes before the parts that it sends itself.
    """

    def __init__(self, store: ObjectStore, upload: SharedUpload, ranges: int, range_bytes: int) -> None:
        self._store = store
        self._upload = upload
        self._each = (_NUMBERS - 1) // ranges
        self._part_bytes = max(upload.part_bytes, _ROOM * range_bytes * 4 // (3 * self._each))
        self._free = dict.fromkeys(range(ranges), 0)  # numbers used up in each block, by ranges that were taken
        self._joint: list[bytes] = []  # what is not yet in a part
        self._joint_bytes = 0
        self._parts: list[Part] = []
        self._size = 0

    @classmethod
    async def begin(cls, store: ObjectStore, key: str, ranges: int, range_bytes: int) -> Text:
        return cls(store, await store.share(key), ranges, range_bytes)

    def output(self, number: int) -> Block:
        first = 1 + number * self._each
        return Block(self._upload, first + self._free[number] + 1, first + self._each, self._part_bytes)

    async def take(self, number: int, result: RangeResult) -> None:
        assert result.piece is not None
        self._size += result.piece.size
        free = 1 + number * self._each + self._free[number]
        self._join(result.piece.head)
        parts = result.piece.parts
        if not parts:
            self._join(result.piece.tail)
        if (parts and self._joint) or (self._joint_bytes >= self._part_bytes and free < 1 + (number + 1) * self._each):
            await self._send(free)
            free += 1
        if parts:
            await self._append(parts)
            free = parts[-1].number + 1
            self._join(result.piece.tail)
        self._free[number] = free - 1 - number * self._each

    async def drop(self, result: RangeResult) -> None:
        """Its parts are replaced by those of its next run, and what is not is never used."""

    async def finish(self) -> tuple[PendingUpload, ...]:
        if self._joint or not self._parts:  # an empty object is one empty part
            await self._send(_NUMBERS)
        numbers = [part.number for part in self._parts]
        upload = await self._store.finish_shared(self._upload, self._parts)
        if upload.size != self._size or any(one >= other for one, other in pairwise(numbers)):
            raise ConservationError(
                f"{self._size} bytes were written to {upload.key}, {upload.size} were sent in parts {numbers}"
            )
        return (upload,)

    async def abort(self, cause: BaseException) -> None:
        await discard_all(self._store, [PendingUpload(self._upload.key, self._upload.upload_id, ())], cause)

    def _join(self, data: bytes) -> None:
        if data:
            self._joint.append(data)
            self._joint_bytes += len(data)

    async def _send(self, number: int) -> None:
        body, self._joint, self._joint_bytes = self._joint, [], 0
        await self._append([await self._store.send_part(self._upload, number, body)])

    async def _append(self, parts: Sequence[Part]) -> None:
        self._parts += parts
        await self._store.append(self._upload, parts)


class Objects:
    """An object each range. Those without rows are left out, unless there is no other."""

    def __init__(self, store: ObjectStore, key: str, ranges: int) -> None:
        self._store = store
        self._key = key
        self._taken = [0] * ranges  # results of each range so far
        self._keys: set[str] = set()  # given out
        self._kept: list[PendingUpload] = []
        self._empty: PendingUpload | None = None
        self._begun: list[PendingUpload] = []  # everything that may have to be discarded

    def output(self, number: int) -> str:
        key = numbered(self._key, number, self._taken[number])
        self._keys.add(key)
        return key

    async def take(self, number: int, result: RangeResult) -> None:
        assert result.data is not None
        self._taken[number] += 1
        self._begun.append(result.data)
        if result.counts.rows_written:
            self._kept.append(result.data)
        elif self._empty is None:
            self._empty = result.data
        else:
            await self.drop(result)

    async def drop(self, result: RangeResult) -> None:
        for upload in result.uploads:
            self._begun.append(upload)
            await self._store.abort(upload)

    async def finish(self) -> tuple[PendingUpload, ...]:
        if self._empty is None:
            return tuple(self._kept)
        if not self._kept:
            return (self._empty,)
        await self._store.abort(self._empty)
        return tuple(self._kept)

    async def abort(self, cause: BaseException) -> None:
        """As the protocol says; what a worker that died has left open is found by its key."""
        await discard_all(self._store, self._begun, cause)
        try:
            async with asyncio.timeout(ABORT_S):
                left = [
                    PendingUpload(upload.key, upload.upload_id, ())
                    async for upload in self._store.open_uploads(self._key.rpartition(".")[0] + ".")
                    if upload.key in self._keys
                ]
        except (EngineError, TimeoutError) as error:
            cause.add_note(f"an upload was left open: {str(error) or 'no answer'}")
        else:
            await discard_all(self._store, left, cause)


class Rejects:
    """The reject object, begun with its first record."""

    def __init__(self, job: FileJob, store: ObjectStore) -> None:
        self._job = job
        self._store = store
        self._upload: Upload | None = None
        self._size = 0

    async def take(self, records: bytes, *, rows: int, lines: int) -> None:
        """Adds records of a range that so many rows and lines come before."""
        if not records:
            return
        if self._upload is None:
            self._upload = await self._store.begin(self._job.rejects_key)
        records = moved(records, self._job.key, rows=rows, lines=lines)
        self._size += len(records)
        await self._upload.write(records)

    async def finish(self) -> PendingUpload | None:
        return all_sent(await self._upload.finish(), self._size) if self._upload is not None else None

    async def abort(self, cause: BaseException) -> None:
        if self._upload is not None:
            try:
                async with asyncio.timeout(ABORT_S):
                    await self._upload.abort()
            except (EngineError, TimeoutError) as error:
                cause.add_note(f"an upload was left open: {str(error) or 'no answer'}")


async def discard_all(store: ObjectStore, uploads: Sequence[PendingUpload], cause: BaseException) -> None:
    """Aborts uploads, within ``ABORT_S``. What is left open is noted on ``cause``, which the caller must hear of."""
    try:
        async with asyncio.timeout(ABORT_S):
            await each(store.abort, uploads)
    except* (EngineError, TimeoutError) as errors:
        cause.add_note(f"an upload was left open: {str(errors.exceptions[0]) or 'no answer'}")
