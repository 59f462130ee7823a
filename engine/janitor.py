"""Removes what dead attempts left at a destination: open uploads, checkpoints, and output that never got a manifest.

Touches only what lies where batches put it (``<batch>/data/``, ``<batch>/rejects/``, ``<batch>/checkpoints/``, or
these straight below the prefix, as ``engine run`` has them), and of visible objects only those that a checkpoint proves
to be the output of a batch without a manifest. A batch starts by doing the same for itself; this is for batches that
never start again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.bounded import each
from engine.checkpoint import FOLDER
from engine.layout import MANIFEST
from engine.lease import NoLease
from engine.ports import ObjectInfo, ObjectStore, OpenUpload, PendingUpload
from engine.resume import discard, read_checkpoint, uploads_of

__all__ = ["Swept", "sweep_destination"]

_NAME = rf"{FOLDER}[0-9a-f]{{32}}\.json"
_CHECKPOINT = re.compile(rf"(?P<root>(?:[^/]+/)?){_NAME}")
# In a folder, a small object whose writer was killed is left as an open upload too.
_OURS = re.compile(rf"(?:[^/]+/)?(?:(?:data|rejects)/.+|{_NAME}|{re.escape(MANIFEST)})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed, or would be."""

    uploads: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A checkpoint. ``dead``: to be removed, with what it refers to unless the batch is ``committed``."""

    key: str
    committed: bool
    dead: bool
    uploads: tuple[PendingUpload, ...]


async def sweep_destination(store: ObjectStore, prefix: str, *, before: float, dry_run: bool = False) -> Swept:
    """Removes what was left below ``prefix`` before a moment.

    Args:
        prefix: of all batches: empty, or ending in ``/``.
        before: seconds since the epoch. What is younger stays, and what it refers to; a batch's own attempts take 12
            hours at most. Checkpoints of a committed batch go whatever their age.
        dry_run: nothing is removed.

    Raises:
        EngineError, ExceptionGroup: the destination cannot be read or written.
    """
    found = await _checkpoints(store, prefix, before)
    opened = [upload async for upload in store.open_uploads(prefix) if _OURS.fullmatch(upload.key, len(prefix))]
    dead = [one for one in found if one.dead]
    dropped = [True for _ in dead] if dry_run else await each(lambda one: _drop(store, one, before), dead)
    doomed = {upload.upload_id for one, gone in zip(dead, dropped, strict=True) if gone for upload in one.uploads}
    kept = {upload.upload_id for one in found for upload in one.uploads} - doomed
    stale = [
        upload
        for upload in opened
        if upload.upload_id in doomed or (upload.begun < before and upload.upload_id not in kept)
    ]
    if not dry_run:
        await each(lambda upload: _abort(store, upload), stale)
    return Swept(len(stale), sum(dropped))


async def _checkpoints(store: ObjectStore, prefix: str, before: float) -> list[_Found]:
    listed = [
        (info, prefix + match["root"])
        async for info in store.list(prefix)
        if (match := _CHECKPOINT.fullmatch(info.key, len(prefix)))
    ]
    roots = sorted({root for _, root in listed})
    manifests = await each(lambda root: store.head(root + MANIFEST), roots)
    committed = {root for root, manifest in zip(roots, manifests, strict=True) if manifest is not None}

    async def one(info: ObjectInfo, root: str) -> _Found:
        uploads = uploads_of(await read_checkpoint(info.key, store), root)
        return _Found(info.key, root in committed, root in committed or _old(info, before), tuple(uploads))

    return await each(lambda place: one(*place), listed)


def _old(info: ObjectInfo, before: float) -> bool:
    return (info.modified or 0.0) < before


async def _drop(store: ObjectStore, one: _Found, before: float) -> bool:
    """Whether it was removed. Not where the batch has come back to life meanwhile, or has removed it itself."""
    if not one.committed:
        info = await store.head(one.key)
        if info is None or not _old(info, before):
            return False
    for upload in one.uploads:
        await (store.abort(upload) if one.committed else discard(store, upload, NoLease()))
    await store.delete(one.key)
    return True


async def _abort(store: ObjectStore, upload: OpenUpload) -> None:
    await store.abort(PendingUpload(upload.key, upload.upload_id, ()))
