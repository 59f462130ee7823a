"""One message's files: take over what an earlier attempt finished, run the rest, commit all of it or nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

import structlog

from engine.attempts import run_files
from engine.bounded import brief, each, uninterrupted
from engine.checkpoint import Checkpoint, checkpoint_key, fingerprint
from engine.commit import complete_all, publish
from engine.committing import announced
from engine.config import Settings
from engine.core.encoders import output_suffix
from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.errors import BatchFailed, DestinationExists, EngineError, Failure, ours
from engine.layout import MANIFEST, crowded_keys, output_keys
from engine.lease import Hold, NoLease
from engine.manifest import Manifest
from engine.pipeline import FileJob, FileProgress, FileResult, OnProgress
from engine.pool.assign import AssignPolicy
from engine.pool.open import Pool
from engine.ports import Location, ObjectStore, Stores
from engine.resume import abandon, adopt, discard, forget
from engine.sources import SourceFile, find_sources

__all__ = ["Batch", "Committed", "Effort", "run_batch"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message asks for.

    Attributes:
        files: the files, or the key prefix under which all objects are meant.
        root: key prefix of the batch at the destination: empty, or ending in ``/``.
        existing: what to do when the destination holds a manifest already: the work is done (``done``), somebody
            else's output is in the way (``refuse``), or it is to be replaced (``replace``).
    """

    batch_id: str
    mapping: Mapping
    source: Location
    files: Sequence[SourceFile] | str
    destination: Location
    root: str
    correlation_id: str | None = None
    existing: Literal["done", "refuse", "replace"] = "done"

    @property
    def resumable(self) -> bool:
        """Whether a message stands behind the batch: it will be tried again, and its folder is its own."""
        return self.existing == "done"


@dataclass(frozen=True, slots=True)
class Effort:
    """How batches are run, whichever they are: names as in ``config.toml``.

    Attributes:
        assign: which worker gets which file.
        attempts: how often a file is run in all, when its failures are transient.
        split_bytes: files over this are read by several workers; 0: never.
    """

    assign: AssignPolicy = "round_robin"
    limits: Limits = field(default_factory=Limits)
    attempts: int = 1
    split_bytes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Effort:
        """What the configuration says."""
        return cls(
            settings.pool.assign, Limits.of(settings.limits), settings.failure.attempts, settings.pool.split_bytes
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is visible; ``before`` when an earlier attempt had done all of it, ``resumed`` so many files."""

    manifest: Manifest
    before: bool = False
    resumed: int = 0


async def run_batch(
    batch: Batch,
    *,
    pool: Pool,
    stores: Stores,
    effort: Effort,
    on_files: Callable[[Sequence[SourceFile]], None],
    on_progress: OnProgress,
    hold: Hold | None = None,
) -> Committed:
    """Runs a batch to its commit.

    Args:
        stores: of the calling loop; the workers have their own.
        on_files: called once, with the files, before the first of them is read.
        hold: the lease on the batch's message, where it has one.

    On failure, and on cancellation, what unfinished files uploaded is aborted before the exception leaves. So is what
    finished files uploaded, unless the batch is resumable and may be tried again: then their checkpoints are kept, and
    the next attempt reads none of their bytes. After a lost lease nothing is undone that another worker may use.

    Raises:
        BatchFailed: something failed; every failed file is named.
        DestinationExists: there is a manifest, and ``batch.existing`` is ``refuse``.
    """
    run = _Run(batch, pool, effort, on_progress, hold or NoLease())
    try:
        destination = await stores.open(batch.destination)
        source = await stores.open(batch.source)
        try:
            return await run.commit(source, destination, on_files)
        except BaseException as error:
            await uninterrupted(run.clean_up(destination, error))
            raise
    except DestinationExists:
        raise
    except EngineError as error:
        raise BatchFailed(batch.batch_id, [error]) from error
    except ExceptionGroup as group:
        errors = [error for error in _leaves(group) if isinstance(error, EngineError)]
        if len(errors) < len(list(_leaves(group))):
            raise
        raise BatchFailed(batch.batch_id, errors) from group


class _Run:
    """One attempt. Used on one loop."""

    def __init__(self, batch: Batch, pool: Pool, effort: Effort, on_progress: OnProgress, hold: Hold) -> None:
        self._attempt = uuid.uuid4().hex
        self._batch = batch
        self._pool = pool
        self._effort = effort
        self._on_progress = on_progress
        self._hold = hold
        self._jobs: list[FileJob] = []
        self._done: dict[int, FileResult] = {}  # finished files by index: their uploads are to be kept or discarded

    async def commit(
        self,
        source: ObjectStore,
        destination: ObjectStore,
        on_files: Callable[[Sequence[SourceFile]], None],
    ) -> Committed:
        batch = self._batch
        earlier = await _earlier(batch, destination)
        if earlier is not None and batch.resumable:
            await self._forget(destination)
            return Committed(earlier, before=True)
        sized = self._effort.assign == "largest_first" or self._effort.split_bytes > 0
        sources = await find_sources(batch.files, batch.source, source, self._hold, sized=sized)
        self._jobs = _jobs(batch, sources, self._effort)
        on_files(sources)
        resumed = await self._resume(source, destination) if batch.resumable else 0
        await run_files(
            [job for job in self._jobs if job.index not in self._done],
            pool=self._pool,
            policy=self._effort.assign,
            attempts=self._effort.attempts,
            source=source,
            destination=destination,
            on_progress=self._progress,
            finished=lambda job, result: self._finished(job, result, destination),
        )
        self._hold.check()
        if earlier is not None:  # from here until the new manifest the batch counts as not committed
            await destination.delete(batch.root + MANIFEST)
        async with announced(batch.root, self._attempt, destination) if batch.resumable else nullcontext():
            files = await complete_all([self._done[job.index] for job in self._jobs], destination, self._hold)
        manifest = Manifest(
            batch_id=batch.batch_id,
            mapping_id=batch.mapping.id,
            mapping_sha256=batch.mapping.sha256,
            files=files,
            correlation_id=batch.correlation_id,
            attempt=self._attempt,
        )
        self._done.clear()  # nothing is undone any more: whether a manifest was written may never be known
        await publish(manifest, batch.root, destination, self._hold)
        if earlier is not None:
            stale = earlier.keys - manifest.keys
            await each(destination.delete, sorted(stale))
        if batch.resumable:
            await self._forget(destination)
        return Committed(manifest, resumed=resumed)

    async def clean_up(self, destination: ObjectStore, cause: BaseException) -> None:
        """Discards what finished files uploaded, unless somebody may need it. What fails is noted on ``cause``,
        which is what the caller must hear of."""
        kind = _kind(cause)
        if kind is Failure.LEASE_LOST or (self._batch.resumable and (kind is not Failure.PERMANENT or ours(cause))):
            return
        try:
            self._hold.check()
        except EngineError:
            return  # another worker may have taken over these very uploads
        try:
            if self._batch.resumable:
                await abandon(self._batch.root, destination, self._hold, self._attempt)
            else:
                uploads = [upload for result in self._done.values() for upload in result.uploads]
                await each(lambda upload: discard(destination, upload, self._hold), uploads)
        except* EngineError as errors:
            cause.add_note(f"an upload was left open: {next(_leaves(errors))}")

    async def _resume(self, source: ObjectStore, destination: ObjectStore) -> int:
        self._done = await adopt(self._batch.root, self._jobs, source, destination, self._hold)
        for index, result in self._done.items():
            self._progress(FileProgress(index, result.bytes_read, result.counts, done=True))
        if self._done:
            log.info("batch resumed", files_done=len(self._done), files=len(self._jobs))
        return len(self._done)

    async def _finished(self, job: FileJob, result: FileResult, destination: ObjectStore) -> None:
        self._done[job.index] = result
        if not self._batch.resumable:
            return
        try:
            self._hold.check()  # a worker that has lost the message must not replace what the next one leaves
            checkpoint = Checkpoint(fingerprint(job), self._attempt, result)
            await destination.put(checkpoint_key(self._batch.root, job.key, job.version_id), checkpoint.to_json())
        except BaseException as error:
            # Without its checkpoint nobody would find the file. If it was written all the same, it points to uploads
            # that are gone, and is dropped.
            del self._done[job.index]
            try:
                await uninterrupted(brief(each(destination.abort, result.uploads)))
            except* EngineError as errors:
                error.add_note(f"an upload was left open: {next(_leaves(errors))}")
            raise

    def _progress(self, progress: FileProgress) -> None:
        self._hold.advanced()
        self._on_progress(progress)

    async def _forget(self, destination: ObjectStore) -> None:
        """The batch is committed; that something of it is left over must not fail it."""
        try:
            await forget(self._batch.root, destination, self._hold)
        except* EngineError as errors:
            log.warning("left over, for engine janitor to remove", error=str(next(_leaves(errors))))


def _kind(error: BaseException) -> Failure:
    """What a failed attempt means for the message. Anything but an engine error, or a cancellation, is a bug."""
    if isinstance(error, asyncio.CancelledError):
        return Failure.SHUTDOWN
    found = [each for each in _leaves(error) if isinstance(each, EngineError)]
    return BatchFailed("", found).kind if found else Failure.PERMANENT


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _earlier(batch: Batch, destination: ObjectStore) -> Manifest | None:
    """The manifest that is already at the destination, if there is one."""
    key = batch.root + MANIFEST
    if await destination.head(key) is None:
        return None
    if batch.existing == "refuse":
        raise DestinationExists(
            f"{batch.destination}/{key} exists: this output is committed already", batch=batch.batch_id
        )
    return Manifest.from_json(await destination.get(key))


def _jobs(batch: Batch, files: Sequence[SourceFile], effort: Effort) -> list[FileJob]:
    suffix = output_suffix(batch.mapping.output.format, batch.mapping.output.compression)
    keys = output_keys(batch.root, [file.name or file.key for file in files], suffix)
    # Ranges of text are one object all the same.
    crowded = crowded_keys([key.data for key in keys]) if suffix == ".parquet" and effort.split_bytes else set()
    return [
        FileJob(
            batch_id=batch.batch_id,
            index=index,
            source=batch.source,
            key=file.key,
            version_id=file.version_id,
            size=file.size,
            destination=batch.destination,
            data_key=key.data,
            rejects_key=key.rejects,
            mapping=batch.mapping.canonical,
            mapping_sha256=batch.mapping.sha256,
            limits=effort.limits,
            replay=file.replay,
            split_bytes=effort.split_bytes if key.data not in crowded else 0,
        )
        for index, (file, key) in enumerate(zip(files, keys, strict=True))
    ]
