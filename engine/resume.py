"""What earlier attempts of a batch left at the destination: taken over where it still holds, discarded where not.

Discarding also fences: a worker that lost its lease and does not know it yet finds its uploads gone, and cannot
complete them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from engine.bounded import each
from engine.checkpoint import FOLDER, Checkpoint, checkpoint_key, fingerprint
from engine.committing import MARK, mark_key, may_be_named, stale
from engine.errors import SourceMissing, TransientError
from engine.layout import MANIFEST
from engine.lease import Hold
from engine.pipeline import FileJob, FileResult
from engine.ports import ObjectStore, OpenUpload, PendingUpload

__all__ = ["abandon", "adopt", "discard", "forget", "read_checkpoint", "sweep", "uploads_of"]


async def adopt(
    root: str, jobs: Sequence[FileJob], source: ObjectStore, destination: ObjectStore, hold: Hold
) -> dict[int, FileResult]:
    """The files that an earlier attempt finished, by their index; all else that it left is discarded.

    With thousands of files this alone takes minutes: here and below each look at one is a step forward.

    To be called only where there is no manifest.

    Raises:
        LeaseLost: the batch may be another worker's by now.
        TransientError: visible output would have to go that another attempt may be about to commit.
    """
    wanted = {checkpoint_key(root, job.key, job.version_id): job for job in jobs}
    found = await _checkpoints(root, destination, hold)

    async def one(key: str) -> FileResult | None:
        checkpoint, job = await read_checkpoint(key, destination), wanted.get(key)
        if checkpoint is not None and job is not None and await _holds(checkpoint, job, source, destination):
            # Written again: to the janitor its age is that of the attempt that counts on it.
            await destination.put(key, checkpoint.to_json())
            hold.advanced()
            return replace(checkpoint.result, index=job.index)
        if not await _drop(key, checkpoint, root, destination, hold):
            raise TransientError(
                f"another attempt may be about to commit output that is not this one's: {key} says of it"
            )
        return None

    adopted = {result.index: result for result in await each(one, found) if result is not None}
    await sweep(root, destination, hold, keep={u.upload_id for result in adopted.values() for u in result.uploads})
    return adopted


async def _holds(checkpoint: Checkpoint, job: FileJob, source: ObjectStore, destination: ObjectStore) -> bool:
    """Whether the file would become the same again, and what it became is still there."""
    if checkpoint.fingerprint != fingerprint(job):
        return False
    if job.version_id in (None, "null"):  # any other version never changes
        info = await source.head(job.key)
        if info is None or info.etag != checkpoint.result.source.etag:
            return False
    return all([await destination.standing(upload) != "gone" for upload in checkpoint.result.uploads])


async def _nobody() -> bool:
    return False


async def discard(
    store: ObjectStore, upload: PendingUpload, hold: Hold, needed: Callable[[], Awaitable[bool]] = _nobody
) -> bool:
    """Undoes an upload whatever became of it: pending or completed. Only where there is no manifest that names it.

    Args:
        needed: asked before a visible object is deleted: whether it must stay.

    Returns whether the upload is undone.

    Raises:
        LeaseLost: the object may be another worker's by now; it stays.
    """
    await store.abort(upload)
    if await store.standing(upload) == "completed":
        if await needed():
            return False
        hold.check()
        await store.delete(upload.key)
    return True


async def abandon(root: str, store: ObjectStore, hold: Hold, attempt: str = "") -> None:
    """Discards all that the attempts of a batch have left: it will not be tried again. Where there is a manifest, it is
    another attempt's by now, and all stays; what is visible stays while any but ``attempt`` may be about to write one,
    and its checkpoints with it, by which ``engine janitor`` finds it.

    Raises:
        LeaseLost: the batch may be another worker's by now.
    """
    if await store.head(root + MANIFEST) is not None:
        return
    found = await _checkpoints(root, store, hold, attempt=attempt)

    async def one(key: str) -> None:
        await _drop(key, await read_checkpoint(key, store), root, store, hold, attempt)

    await each(one, found)
    await sweep(root, store, hold)


async def _checkpoints(
    root: str, store: ObjectStore, hold: Hold, *, attempt: str = "", marks: bool = False
) -> list[str]:
    """Keys of checkpoints, and of the marks that tell nothing any more: old ones and that of ``attempt``, or all."""
    found: list[str] = []
    async for info in store.list(root + FOLDER):
        a_mark = info.key.startswith(root + MARK)
        if not a_mark or marks or stale(info) or info.key == mark_key(root, attempt):
            found.append(info.key)
        hold.advanced()
    return found


async def read_checkpoint(key: str, store: ObjectStore) -> Checkpoint | None:
    """None for what is no checkpoint of this version, and for what somebody has removed meanwhile."""
    try:
        return Checkpoint.from_json(await store.get(key))
    except SourceMissing:
        return None


def uploads_of(checkpoint: Checkpoint | None, root: str) -> list[PendingUpload]:
    """What a checkpoint that was found below ``root`` refers to. One that was copied there from another batch's folder
    refers to nothing: that batch may be committed."""
    own = (f"{root}data/", f"{root}rejects/")
    return [upload for upload in checkpoint.result.uploads if upload.key.startswith(own)] if checkpoint else []


async def _drop(
    key: str, checkpoint: Checkpoint | None, root: str, store: ObjectStore, hold: Hold, attempt: str = ""
) -> bool:
    """Whether all that it speaks of is gone, and the checkpoint itself."""
    needed = partial(may_be_named, root, store, attempt=attempt)
    gone = all([await discard(store, upload, hold, needed) for upload in uploads_of(checkpoint, root)])
    if gone:
        await store.delete(key)
    hold.advanced()
    return gone


async def sweep(root: str, store: ObjectStore, hold: Hold, *, keep: Collection[str] = ()) -> int:
    """Aborts every open upload of the batch whose id is not among ``keep``, whoever began it; returns how many."""
    doomed: list[OpenUpload] = []
    for folder in ("data/", "rejects/"):
        async for upload in store.open_uploads(root + folder):
            hold.advanced()
            if upload.upload_id not in keep:
                doomed.append(upload)

    async def abort(upload: OpenUpload) -> None:
        await store.abort(PendingUpload(upload.key, upload.upload_id, ()))
        hold.advanced()

    await each(abort, doomed)
    return len(doomed)


async def forget(root: str, store: ObjectStore, hold: Hold) -> None:
    """Removes what a committed batch needs no more: checkpoints and marks, and uploads of attempts that came to
    nothing."""

    async def delete(key: str) -> None:
        await store.delete(key)
        hold.advanced()

    await each(delete, await _checkpoints(root, store, hold, marks=True))
    await sweep(root, store, hold)
