"""Marks of attempts that make output visible and may write the manifest that names it at any moment.

Two receives of one message may work on one batch at once, none of them having lost its lease: a standard queue may
deliver twice, and a sender may send twice. What one of them has completed must not be deleted by another. So each puts
up its mark before its first Complete; whoever finds an object completed then finds the mark as well.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.bounded import brief, uninterrupted
from engine.checkpoint import FOLDER
from engine.errors import AlreadyCommitted, EngineError
from engine.layout import MANIFEST
from engine.ports import ObjectInfo, ObjectStore

__all__ = ["LIFE_S", "MARK", "announced", "mark_key", "may_be_named", "stale"]

LIFE_S = 12 * 3600
"""No attempt lives longer (``lease.CEILING_S``), so no manifest is written that long after its mark."""

MARK = FOLDER + "committing-"
"""What the keys of marks begin with, below a batch's root; a checkpoint's never does."""


def mark_key(root: str, attempt: str) -> str:
    return f"{root}{MARK}{attempt}"


def stale(mark: ObjectInfo, life_s: float = LIFE_S) -> bool:
    """Whether its attempt has ended, however that was."""
    return mark.modified is not None and mark.modified < time.time() - life_s


@asynccontextmanager
async def announced(root: str, attempt: str, store: ObjectStore) -> AsyncIterator[None]:
    """Completes uploads in its body. The mark stays after that, until the batch is committed and tidied up; where the
    body fails it is taken down, for this attempt then writes no manifest.

    Raises:
        AlreadyCommitted: there is a manifest: what it names must not be written over.
    """
    key = mark_key(root, attempt)
    try:
        await store.put(key, b"")
        if await store.head(root + MANIFEST) is not None:
            raise AlreadyCommitted(f"{root}{MANIFEST} exists: another attempt has committed this batch meanwhile")
        yield
    except BaseException:
        with contextlib.suppress(EngineError):  # a mark that is left costs time, nothing else
            await uninterrupted(brief(store.delete(key)))
        raise


async def may_be_named(root: str, store: ObjectStore, *, attempt: str = "", life_s: float = LIFE_S) -> bool:
    """Whether a manifest names what is visible of a batch, or an attempt other than ``attempt`` may yet write one."""
    own = mark_key(root, attempt)
    async for mark in store.list(root + MARK):
        if mark.key != own and not stale(mark, life_s):
            return True
    # Looked for last: who commits takes down the mark after the manifest is written.
    return await store.head(root + MANIFEST) is not None
