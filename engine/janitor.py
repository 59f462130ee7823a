"""Removes what dead attempts left at a destination: open uploads, checkpoints, and output that never got a manifest.

Touches only what lies where batches put it (``<batch>/data/``, ``<batch>/rejects/``, ``<batch>/checkpoints/``, or
these straight below the prefix, as ``engine run`` has them), and of visible objects only those that a checkpoint proves
to be the output of a batch without a manifest, of which no attempt can be alive. A batch starts by doing the same for
itself; this is for batches that never start again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.bounded import each
from engine.checkpoint import FOLDER
from engine.committing import LIFE_S, MARK, may_be_named, stale
from engine.layout import MANIFEST
from engine.lease import NoLease
from engine.ports import ObjectInfo, ObjectStore, OpenUpload, PendingUpload
from engine.resume import discard, read_checkpoint, uploads_of

__all__ = ["Swept", "sweep_destination"]

_SPARED_S = LIFE_S + 3600
"""What is visible stays for so long after the last sign of life of its batch, whatever is asked: between its first
Complete and its manifest it must not be taken for dead. An hour is for clocks that differ."""

_NAME = rf"{FOLDER}[0-9a-f]{{32}}\.json"
_CHECKPOINT = re.compile(rf"(?P<root>(?:[^/]+/)?){_NAME}")
_MARK = re.compile(rf"(?P<root>(?:[^/]+/)?){MARK}[0-9a-f]{{32}}")
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
    root: str
    committed: bool
    dead: bool
    uploads: tuple[PendingUpload, ...]


async def sweep_destination(store: ObjectStore, prefix: str, *, before: float, dry_run: bool = False) -> Swept:
    """Removes what was left below ``prefix`` before a moment.

    Args:
        prefix: of all batches: empty, or ending in ``/``.
        before: seconds since the epoch. What is younger stays, and what it refers to; a batch's own attempts take 12
            hours at most. Checkpoints of a committed batch go whatever their age. Whatever this says, visible output
            stays, with its checkpoint, for 13 hours after that was written, and as long after an attempt's mark.
        dry_run: nothing is removed.

    Raises:
        EngineError, ExceptionGroup: the destination cannot be read or written.
    """
    found, marks = await _found(store, prefix, before)
    opened = [upload async for upload in store.open_uploads(prefix) if _OURS.fullmatch(upload.key, len(prefix))]
    dead = [one for one in found if one.dead]
    dropped = await each(lambda one: (_would_go if dry_run else _drop)(store, one, before), dead)
    doomed = {upload.upload_id for one, gone in zip(dead, dropped, strict=True) if gone for upload in one.uploads}
    kept = {upload.upload_id for one in found for upload in one.uploads} - doomed
    left = [
        upload
        for upload in opened
        if upload.upload_id in doomed or (upload.begun < before and upload.upload_id not in kept)
    ]
    if not dry_run:
        await each(lambda upload: _abort(store, upload), left)
        await each(store.delete, marks)
    return Swept(len(left), sum(dropped))


async def _found(store: ObjectStore, prefix: str, before: float) -> tuple[list[_Found], list[str]]:
    """The checkpoints, and the keys of those marks that are to be removed."""
    listed: list[tuple[ObjectInfo, str]] = []
    marks: list[tuple[ObjectInfo, str]] = []
    async for info in store.list(prefix):
        for pattern, places in ((_CHECKPOINT, listed), (_MARK, marks)):
            if match := pattern.fullmatch(info.key, len(prefix)):
                places.append((info, prefix + match["root"]))
    roots = sorted({root for _, root in (*listed, *marks)})
    manifests = await each(lambda root: store.head(root + MANIFEST), roots)
    committed = {root for root, manifest in zip(roots, manifests, strict=True) if manifest is not None}

    async def one(info: ObjectInfo, root: str) -> _Found:
        uploads = uploads_of(await read_checkpoint(info.key, store), root)
        dead = root in committed or _old(info, before)
        return _Found(info.key, root, root in committed, dead, tuple(uploads))

    past = [info.key for info, root in marks if root in committed or (_old(info, before) and stale(info, _SPARED_S))]
    return await each(lambda place: one(*place), listed), past


def _old(info: ObjectInfo, before: float) -> bool:
    return (info.modified or 0.0) < before


async def _drop(store: ObjectStore, one: _Found, before: float) -> bool:
    """Whether it was removed. Not where the batch has come back to life meanwhile, or has removed it itself, nor where
    an object that is visible has to stay."""
    gone = True
    if one.committed:
        await each(store.abort, one.uploads)
    else:
        info = await store.head(one.key)
        if info is None or not _old(info, before):
            return False
        gone = all([await discard(store, upload, NoLease(), lambda: _needed(store, one)) for upload in one.uploads])
    if gone:
        await store.delete(one.key)
    return gone


async def _would_go(store: ObjectStore, one: _Found, _: float) -> bool:
    """What :func:`_drop` would say."""
    visible = not one.committed and any([await store.standing(upload) == "completed" for upload in one.uploads])
    return not (visible and await _needed(store, one))


async def _needed(store: ObjectStore, one: _Found) -> bool:
    """Whether what is visible of a batch without a manifest has to stay; asked just before each of it is deleted."""
    info = await store.head(one.key)
    young = info is None or not stale(info, _SPARED_S)  # None: its batch has just tidied up
    return young or await may_be_named(one.root, store, life_s=_SPARED_S)


async def _abort(store: ObjectStore, upload: OpenUpload) -> None:
    await store.abort(PendingUpload(upload.key, upload.upload_id, ()))
