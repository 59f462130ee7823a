"""One range of a file, streamed: the records that begin in it, and what they become.

A range is read from a place where a record begins on, or is thought to begin, up to the end of the record that its last
byte is in. Both places are part of its result; who puts ranges together compares them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from engine.bounded import uninterrupted
from engine.core.boundary import likely_record
from engine.core.plan import cached_plan
from engine.core.reader import CHUNK_BYTES, Middle
from engine.core.stepping.call import CallTally
from engine.core.transform import Counts, Output, Transform
from engine.errors import (
    EngineError,
    HeaderError,
    PatternTimeout,
    RowRefused,
    TransformFailed,
)
from engine.longrows import LongRows, Seat
from engine.parts import Block, PartWriter, Piece
from engine.pipeline import ABORT_S, FileJob, FileProgress, OnProgress, all_sent
from engine.ports import Location, ObjectInfo, ObjectStore, PendingUpload, Stores, Upload

__all__ = ["FAULTS", "RangeJob", "RangeResult", "run_range"]

FAULTS = (HeaderError, PatternTimeout, RowRefused, TransformFailed)
"""What a range fails with because of its rows."""

_BEYOND_BYTES = 65_536  # read with a range, for the end of its last record; twice as many each time they are too few
_CHUNK_BYTES = CHUNK_BYTES
_GUESS_BYTES = 262_144  # of a range, among which a record must begin


@dataclass(frozen=True, slots=True)
class RangeJob:
    """Everything a worker needs to process one range of a file. Plain data: it crosses threads and processes.

    Attributes:
        source: the object as it was looked at; all ranges are of this one.
        start, stop: the bytes of the file whose records are meant.
        exact: whether a record is known to begin at ``start``.
        middle: what has to be known of the file's head; None for the first range, which has it.
        output: where text goes among that of other ranges, or the key of an object of its own.
        rejects_bytes: having so many bytes of reject records, the range ends with the record that it is in.
    """

    file: FileJob
    source: ObjectInfo
    start: int
    stop: int
    exact: bool
    middle: Middle | None
    output: Block | str
    rejects_bytes: int

    @property
    def batch_id(self) -> str:
        return self.file.batch_id

    @property
    def key(self) -> str:
        return self.file.key

    @property
    def destination(self) -> Location:
        return self.file.destination


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What a range became: nothing visible, and nothing of it counts before it is known to begin where it should.

    Attributes:
        start: where it was read from; None where that could not be decided, and nothing was done.
        end: where the next record begins, or the file ends.
        lines: line ends between the two.
        rejects: reject records; rows and lines in them are counted from ``start``.
        piece: its text, where that goes among that of other ranges.
        data: else its own object.
    """

    start: int | None
    end: int
    counts: Counts = field(default_factory=Counts)
    lines: int = 0
    rejects: bytes = b""
    piece: Piece | None = None
    data: PendingUpload | None = None
    tallies: dict[str, CallTally] = field(default_factory=dict)

    @property
    def uploads(self) -> tuple[PendingUpload, ...]:
        return () if self.data is None else (self.data,)


async def run_range(
    job: RangeJob, stores: Stores, on_progress: OnProgress, long_rows: LongRows | None = None
) -> RangeResult:
    """Runs one range. Progress, memory, cancellation and failure are as for :func:`engine.pipeline.run_file`; parts of
    a shared upload are its owner's.

    What rows make a file fail with is raised only for a range whose start is known; another one counts as undecided.

    Raises:
        EngineError: with ``batch`` and ``file`` filled in.
    """
    try:
        source = await stores.open(job.file.source)
        output = _output(job, await stores.open(job.destination))
        try:
            with (long_rows or LongRows()).seat() as seat:
                return await _Run(job, source, output, on_progress, seat).stream()
        except BaseException as error:
            await uninterrupted(_abort(output, error))
            if not job.exact and isinstance(error, FAULTS):
                return RangeResult(None, job.start)
            raise
    except EngineError as error:
        error.at(batch=job.batch_id, file=job.key)
        raise


class _Run:
    """A range being read."""

    def __init__(
        self, job: RangeJob, source: ObjectStore, output: _Shared | _Own, on_progress: OnProgress, seat: Seat
    ) -> None:
        self._job = job
        self._source = source
        self._output = output
        self._on_progress = on_progress
        self._seat = seat
        self._plan = cached_plan(job.file.mapping, job.file.mapping_sha256, job.file.limits)
        self._transform = Transform(self._plan, file=job.key, part=True, middle=job.middle, chunk_bytes=_CHUNK_BYTES)
        self._rejects: list[bytes] = []
        self._rejects_bytes = 0
        self._ending = False  # whether the reader has been told where to end

    async def stream(self) -> RangeResult:
        job, reader = self._job, self._transform.reader
        # One byte earlier a line end may tell that a record begins at the start.
        fed = job.start if job.exact else job.start - 1
        start: int | None = job.start if job.exact else None
        held = b""  # until the start is known
        async with aclosing(_pieces(job, self._source, fed)) as pieces:
            async for piece in pieces:
                if start is None:
                    held += piece
                    if len(held) < min(_GUESS_BYTES, job.stop + _BEYOND_BYTES - fed, job.source.size - fed):
                        continue
                    start = self._begin(held, fed)
                    if start is None:
                        break
                    piece, fed = held[start - fed :], start  # noqa: PLW2901  what the range begins with
                await self._feed(piece, fed)
                fed += len(piece)
                self._on_progress(FileProgress(job.file.index, fed - start, self._transform.counts))
                if reader.ended:
                    break
        if start is None:
            await _abort(self._output, None)
            return RangeResult(None, job.start)
        await self._take(self._transform.finish())
        result = RangeResult(
            start=start,
            end=fed - reader.unread,
            counts=self._transform.counts,
            lines=reader.lines,
            rejects=b"".join(self._rejects),
            tallies=self._transform.tallies,
        )
        return await self._output.finish(result)

    def _begin(self, text: bytes, at: int) -> int | None:
        """Where the first record of the range is likely to begin; None where nothing speaks for a place in it."""
        assert self._job.middle is not None
        place = likely_record(text, self._plan.dialect, self._job.middle)
        return at + place if place is not None and at + place < self._job.stop else None

    async def _feed(self, piece: bytes, at: int) -> None:
        transform = self._transform
        await self._seat.hold(transform.held + len(piece), row=transform.counts.rows_read + 1)
        stop = self._job.stop - at
        if not self._ending and stop < len(piece):
            await self._take(self._transform.feed(piece[: max(stop, 0)]))
            self._end_here()
            piece = piece[max(stop, 0) :]
        await self._take(self._transform.feed(piece))
        if self._rejects_bytes >= self._job.rejects_bytes:
            self._end_here()
        await asyncio.sleep(0)

    def _end_here(self) -> None:
        if not self._ending:
            self._ending = True
            self._transform.reader.end_here()

    async def _take(self, outputs: Iterator[Output]) -> None:
        for data, rejects in outputs:
            await self._output.write(data)
            if rejects:
                self._rejects.append(rejects)
                self._rejects_bytes += len(rejects)


async def _pieces(job: RangeJob, store: ObjectStore, at: int) -> AsyncGenerator[bytes]:
    """The file's bytes from ``at`` on: first those of the range, then as many more as are asked for."""
    stop, beyond, size = job.stop, _BEYOND_BYTES, job.source.size
    while at < size:
        stop = min(stop + beyond, size)
        async with store.read_range(job.source, at, stop, version_id=job.file.version_id) as reader:
            async for piece in reader:
                yield piece
        at, beyond = stop, 2 * beyond


class _Shared:
    """Text among that of other ranges."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer

    async def write(self, data: bytes) -> None:
        await self._writer.write(data)

    async def finish(self, result: RangeResult) -> RangeResult:
        return replace(result, piece=await self._writer.finish())

    async def abort(self) -> None:
        await self._writer.abort()


class _Own:
    """An object of the range's own, begun with its first byte."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._upload: Upload | None = None
        self._size = 0

    async def write(self, data: bytes) -> None:
        if data:
            if self._upload is None:
                self._upload = await self._store.begin(self._key)
            self._size += len(data)
            await self._upload.write(data)

    async def finish(self, result: RangeResult) -> RangeResult:
        """Raises ConservationError where the parts sent are not the bytes written, in order."""
        assert self._upload is not None, "a file without rows has bytes too"
        return replace(result, data=all_sent(await self._upload.finish(), self._size))

    async def abort(self) -> None:
        if self._upload is not None:
            await self._upload.abort()


def _output(job: RangeJob, store: ObjectStore) -> _Shared | _Own:
    return _Own(store, job.output) if isinstance(job.output, str) else _Shared(PartWriter(store, job.output))


async def _abort(output: _Shared | _Own, cause: BaseException | None) -> None:
    """Discards what the range has begun. What is left open is noted on ``cause``; the next attempt sweeps it."""
    try:
        async with asyncio.timeout(ABORT_S):
            await output.abort()
    except (EngineError, TimeoutError) as error:
        if cause is not None:
            cause.add_note(f"an upload was left open: {str(error) or 'no answer'}")
