"""One message's files: assign them to workers, gather what they became, commit all of it or nothing.

The commit follows Hadoop's S3A committers: every output is a pending upload, invisible until completed; when all files
are done they are completed together, and the manifest, written last and only once, is the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.core.encoders import output_suffix
from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.errors import BatchFailed, ConservationError, DestinationExists, EngineError, SourceMissing, WorkerDied
from engine.layout import MANIFEST, output_keys
from engine.manifest import FileEntry, Manifest, ObjectEntry
from engine.pipeline import FileJob, FileResult, OnProgress
from engine.pool.assign import AssignPolicy, assign
from engine.pool.open import Pool
from engine.ports import Location, ObjectInfo, ObjectStore, PendingUpload, Stores

__all__ = ["Batch", "Committed", "SourceFile", "run_batch"]

_AT_ONCE = 16  # small calls to a store in flight


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a batch.

    Attributes:
        name: what output keys are derived from, by default the key.
        replay: None for a CSV file; for the reject file of one, the labels of that one's header.
    """

    key: str
    version_id: str | None = None
    size: int = 0
    name: str | None = None
    replay: tuple[str, ...] | None = None


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


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is visible; ``before`` when an earlier attempt had done it."""

    manifest: Manifest
    before: bool = False


async def run_batch(
    batch: Batch,
    *,
    pool: Pool,
    stores: Stores,
    policy: AssignPolicy,
    limits: Limits,
    on_files: Callable[[Sequence[SourceFile]], None],
    on_progress: OnProgress,
    check_lease: Callable[[], None] = lambda: None,
) -> Committed:
    """Runs a batch to its commit.

    Args:
        stores: of the calling loop; the workers have their own.
        on_files: called once, with the files, before the first of them is read.
        check_lease: called before each step that makes something visible; raises LeaseLost when the message may be
            somebody else's by now.

    On any failure, and on cancellation, everything uploaded is discarded before the exception leaves.

    Raises:
        BatchFailed: something failed; every failed file is named.
        DestinationExists: there is a manifest, and ``batch.existing`` is ``refuse``.
    """
    try:
        destination = await stores.open(batch.destination)
        earlier = await _earlier(batch, destination)
        if earlier is not None and batch.existing == "done":
            return Committed(earlier, before=True)
        files = await _files(batch, stores, sized=policy == "largest_first")
        on_files(files)
        results = await _run_files(_jobs(batch, files, limits), pool, policy, destination, on_progress)
        return await _commit(batch, results, destination, earlier, check_lease)
    except DestinationExists:
        raise
    except EngineError as error:
        raise BatchFailed(batch.batch_id, [error]) from error
    except ExceptionGroup as group:
        errors, others = group.split(EngineError)
        if errors is None or others is not None:
            raise
        raise BatchFailed(batch.batch_id, [e for e in errors.exceptions if isinstance(e, EngineError)]) from group


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


async def _files(batch: Batch, stores: Stores, *, sized: bool) -> list[SourceFile]:
    """The batch's files; with their sizes where they are asked for or cost nothing."""
    source = await stores.open(batch.source)
    if isinstance(batch.files, str):
        found = [SourceFile(info.key, size=info.size) async for info in source.list(batch.files)]
        found = [file for file in found if not file.key.endswith("/")]  # what consoles make for an empty folder
        if not found:
            raise SourceMissing(f"no object under {batch.source}/{batch.files}")
        return found
    if not sized or all(file.size for file in batch.files):
        return list(batch.files)
    infos = await _bounded(source.head(file.key) for file in batch.files)
    return [
        replace(file, size=info.size if info is not None else 0)  # a missing one is reported when it is read
        for file, info in zip(batch.files, infos, strict=True)
    ]


def _jobs(batch: Batch, files: Sequence[SourceFile], limits: Limits) -> list[FileJob]:
    suffix = output_suffix(batch.mapping.output.format, batch.mapping.output.compression)
    keys = output_keys(batch.root, [file.name or file.key for file in files], suffix)
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
            limits=limits,
            replay=file.replay,
        )
        for index, (file, key) in enumerate(zip(files, keys, strict=True))
    ]


async def _run_files(
    jobs: Sequence[FileJob], pool: Pool, policy: AssignPolicy, destination: ObjectStore, on_progress: OnProgress
) -> list[FileResult]:
    """Runs all files, or none: the first failure cancels the rest and discards what the others uploaded."""
    tasks: list[asyncio.Task[FileResult]] = []
    try:
        async with asyncio.TaskGroup() as group:
            for job, worker in zip(jobs, assign([job.size for job in jobs], pool.workers, policy), strict=True):
                tasks.append(group.create_task(pool.run(job, worker, on_progress), name=job.key))
    except BaseException as error:
        await _discarded(_leftovers(jobs, tasks, destination), error)
        raise
    return [task.result() for task in tasks]


def _leftovers(
    jobs: Sequence[FileJob], tasks: Sequence[asyncio.Task[FileResult]], store: ObjectStore
) -> list[Awaitable[object]]:
    """Aborts of what finished files uploaded and what dead workers left open; the others cleaned up themselves."""
    aborts: list[Awaitable[object]] = []
    for job, task in zip(jobs, tasks, strict=False):  # fewer tasks than jobs when cancelled while starting them
        if task.cancelled():
            continue
        if isinstance(task.exception(), WorkerDied):
            aborts += [store.abort_open(job.data_key), store.abort_open(job.rejects_key)]
        elif task.exception() is None:
            aborts += [store.abort(upload) for upload in _uploads([task.result()])]
    return aborts


async def _discarded(aborts: Iterable[Awaitable[object]], cause: BaseException) -> None:
    """Awaits all aborts. What fails is noted on ``cause``, which is what the caller must hear of."""

    async def one(abort: Awaitable[object]) -> None:
        try:
            await abort
        except EngineError as error:
            cause.add_note(f"an upload was left open: {error}")

    await _bounded(one(abort) for abort in aborts)


def _uploads(results: Iterable[FileResult]) -> list[PendingUpload]:
    return [upload for result in results for upload in (result.data, result.rejects) if upload is not None]


async def _commit(
    batch: Batch,
    results: Sequence[FileResult],
    destination: ObjectStore,
    earlier: Manifest | None,
    check_lease: Callable[[], None],
) -> Committed:
    """Makes everything visible, the manifest last. Up to the first Complete a failure leaves nothing behind."""
    key = batch.root + MANIFEST
    visible: dict[str, ObjectInfo] = {}

    async def complete(upload: PendingUpload) -> None:
        info = await destination.complete(upload)
        if info.size != upload.size:
            raise ConservationError(f"{upload.key} holds {info.size} bytes, {upload.size} were sent")
        visible[upload.key] = info

    uploads = _uploads(results)
    try:
        check_lease()
        if earlier is not None:  # from here until the new manifest the batch counts as not committed
            await destination.delete(key)
        await _bounded(complete(upload) for upload in uploads)
        check_lease()
        manifest = Manifest(
            batch_id=batch.batch_id,
            mapping_id=batch.mapping.id,
            mapping_sha256=batch.mapping.sha256,
            files=[_entry(result, visible) for result in results],
            correlation_id=batch.correlation_id,
        )
        written = await destination.put(key, manifest.to_json(), only_if_absent=True)
    except BaseException as error:
        await _discarded((destination.abort(upload) for upload in uploads if upload.key not in visible), error)
        raise
    if written is None:  # another worker committed the same batch meanwhile: same input, same output
        return Committed(Manifest.from_json(await destination.get(key)), before=True)
    if earlier is not None:
        stale = {entry.key for file in earlier.files for entry in (file.output, file.rejects) if entry is not None}
        await _bounded(destination.delete(old) for old in sorted(stale - visible.keys()))
    return Committed(manifest)


def _entry(result: FileResult, visible: dict[str, ObjectInfo]) -> FileEntry:
    def written(upload: PendingUpload) -> ObjectEntry:
        info = visible[upload.key]
        return ObjectEntry(info.key, info.size, info.etag)

    return FileEntry(
        source=result.source.key,
        version_id=result.source.version_id,
        etag=result.source.etag,
        bytes_read=result.bytes_read,
        rows_read=result.counts.rows_read,
        rows_written=result.counts.rows_written,
        rows_rejected=result.counts.rows_rejected,
        cells_nulled=result.counts.cells_nulled,
        errors=dict(sorted(result.counts.codes.items())),
        output=written(result.data),
        rejects=written(result.rejects) if result.rejects is not None else None,
        labels=list(result.labels),
    )


async def _bounded[T](calls: Iterable[Awaitable[T]]) -> list[T]:
    """Awaits all, a few at once; results in order. A failure cancels the rest and leaves as an ExceptionGroup."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with slots:
            return await call

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]
