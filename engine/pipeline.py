"""One file, streamed: read, unpack, frame, map, encode, upload parts. Nothing it writes is visible when it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.bounded import uninterrupted
from engine.core.decompress import decompressor
from engine.core.limits import Limits
from engine.core.plan import cached_plan
from engine.core.transform import Counts, Transform
from engine.errors import ConservationError, EngineError
from engine.longrows import LongRows, Seat
from engine.ports import Location, ObjectInfo, ObjectStore, PendingUpload, Stores, Upload

__all__ = ["ABORT_S", "FileJob", "FileProgress", "FileResult", "OnProgress", "all_sent", "run_file"]

ABORT_S = 5.0
"""Uploads that are aborted get so long: a store that does not answer must not hold up a shutdown."""


@dataclass(frozen=True, slots=True)
class FileJob:
    """Everything a worker needs to process one file. Plain data: it crosses threads and processes.

    Attributes:
        index: the file's place in its batch, from 0.
        size: bytes, as listed; used to balance workers, never trusted.
        mapping: the mapping in its canonical JSON form; ``mapping_sha256`` is its identity.
        data_key, rejects_key: full keys at the destination.
        replay: None for a CSV file; for the reject file of one, the labels of that one's header.
        split_bytes: a file over this may be read by several workers; 0: never.
    """

    batch_id: str
    index: int
    source: Location
    key: str
    version_id: str | None
    size: int
    destination: Location
    data_key: str
    rejects_key: str
    mapping: bytes
    mapping_sha256: str
    limits: Limits
    replay: tuple[str, ...] | None = None
    split_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far a file has come; totals since its start, not differences. ``done``: all its output is uploaded."""

    index: int
    bytes_read: int
    counts: Counts
    done: bool = False


@dataclass(frozen=True, slots=True)
class FileResult:
    """A file whose output lies at the destination, whole and invisible.

    Attributes:
        labels: its header's, as it was read.
        more: where the data is several objects, those after ``data``.
    """

    index: int
    source: ObjectInfo
    bytes_read: int
    counts: Counts
    data: PendingUpload
    rejects: PendingUpload | None
    labels: tuple[str, ...] = ()
    more: tuple[PendingUpload, ...] = ()

    @property
    def uploads(self) -> tuple[PendingUpload, ...]:
        rejects = () if self.rejects is None else (self.rejects,)
        return (self.data, *self.more, *rejects)


type OnProgress = Callable[[FileProgress], None]


async def run_file(
    job: FileJob, stores: Stores, on_progress: OnProgress, long_rows: LongRows | None = None
) -> FileResult:
    """Runs one file through its mapping.

    ``on_progress`` is called on this loop after each piece read; it must not block. Where a row is long, the file waits
    for memory that ``long_rows`` counts.

    On any error, and on cancellation, the uploads begun here are aborted before the exception leaves.

    Raises:
        EngineError: with ``batch`` and ``file`` filled in.
    """
    try:
        source = await stores.open(job.source)
        destination = await stores.open(job.destination)
        output = _Output(job, destination)
        try:
            with (long_rows or LongRows()).seat() as seat:
                return await _stream(job, source, output, on_progress, seat)
        except BaseException as error:
            await uninterrupted(output.abort(error))
            raise
    except EngineError as error:
        error.at(batch=job.batch_id, file=job.key)
        raise


async def _stream(
    job: FileJob, source: ObjectStore, output: _Output, on_progress: OnProgress, seat: Seat
) -> FileResult:
    plan = cached_plan(job.mapping, job.mapping_sha256, job.limits)
    transform = Transform(plan, file=job.key, replay=job.replay)
    # Reject files are the engine's own; what a mapping says of its sources does not hold for them.
    compression = plan.compression if job.replay is None else "none"
    unpacked = decompressor(job.key, compression, job.limits.expansion_ratio)
    bytes_read = 0
    await output.begin()
    async with source.read(job.key, version_id=job.version_id) as reader:
        async for piece in reader:
            bytes_read += len(piece)
            for text in unpacked.feed(piece):
                await seat.hold(transform.held + len(text), row=transform.counts.rows_read + 1)
                for data, rejects in transform.feed(text):
                    await output.write(data, rejects)
                await asyncio.sleep(0)  # one piece may become many: other files of this loop go on between two steps
            on_progress(FileProgress(job.index, bytes_read, transform.counts))
        info = reader.info
    if bytes_read != info.size:
        raise ConservationError(f"read {bytes_read} bytes of an object of {info.size}")
    for data, rejects in transform.feed(unpacked.finish()):
        await output.write(data, rejects)
    for data, rejects in transform.finish():
        await output.write(data, rejects)
    counts = transform.counts
    if counts.rows_read != counts.rows_written + counts.rows_rejected:
        raise ConservationError(
            f"{counts.rows_read} rows read, {counts.rows_written} written and {counts.rows_rejected} rejected"
        )
    data_upload, rejects_upload = await output.finish()
    on_progress(FileProgress(job.index, bytes_read, counts, done=True))
    return FileResult(job.index, info, bytes_read, counts, data_upload, rejects_upload, transform.labels)


class _Output:
    """The two objects a file may become: data always, rejects once there is one."""

    def __init__(self, job: FileJob, store: ObjectStore) -> None:
        self._job = job
        self._store = store
        self._data: Upload | None = None
        self._rejects: Upload | None = None
        self._data_bytes = self._rejects_bytes = 0  # what went into them

    async def begin(self) -> None:
        self._data = await self._store.begin(self._job.data_key)

    async def write(self, data: bytes, rejects: bytes) -> None:
        if data and self._data is not None:
            self._data_bytes += len(data)
            await self._data.write(data)
        if rejects:
            if self._rejects is None:
                self._rejects = await self._store.begin(self._job.rejects_key)
            self._rejects_bytes += len(rejects)
            await self._rejects.write(rejects)

    async def finish(self) -> tuple[PendingUpload, PendingUpload | None]:
        """Raises ConservationError where the parts sent are not the bytes written, in order."""
        assert self._data is not None
        data = all_sent(await self._data.finish(), self._data_bytes)
        if self._rejects is None:
            return data, None
        return data, all_sent(await self._rejects.finish(), self._rejects_bytes)

    async def abort(self, cause: BaseException) -> None:
        """Discards both, within ``ABORT_S``: a store that does not answer must not hold up a shutdown. What is
        left open is noted on ``cause``, which is what the caller must hear of; the next attempt sweeps it."""
        try:
            async with asyncio.timeout(ABORT_S):
                for upload in (self._data, self._rejects):
                    if upload is not None:
                        await self._abort_one(upload, cause)
        except TimeoutError:
            cause.add_note("an upload was left open: no answer")

    async def _abort_one(self, upload: Upload, cause: BaseException) -> None:
        try:
            await upload.abort()
        except EngineError as error:
            cause.add_note(f"an upload was left open: {error}")


def all_sent(upload: PendingUpload, size: int) -> PendingUpload:
    """Raises ConservationError where the parts sent are not the bytes written, in order."""
    numbers = [part.number for part in upload.parts]
    if upload.size != size or numbers != list(range(1, len(numbers) + 1)):
        raise ConservationError(
            f"{size} bytes were written to {upload.key}, {upload.size} were sent in parts {numbers}"
        )
    return upload
