"""Bounds on waiting: many small calls a few at once, and clean-up that a cancellation does not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

__all__ = ["each", "uninterrupted"]

_AT_ONCE = 16
_GRACE_S = 10.0


async def each[A, B](work: Callable[[A], Awaitable[B]], items: Iterable[A]) -> list[B]:
    """Awaits ``work(item)`` for every item; results in the order of the items.

    The first failure cancels the rest and leaves, with those that came in the same moment, as an ExceptionGroup.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(item: A) -> B:
        async with slots:
            return await work(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def uninterrupted[T](work: Coroutine[Any, Any, T], *, grace_s: float = _GRACE_S) -> T:
    """Awaits ``work``. When the caller is cancelled meanwhile, ``work`` goes on to its end all the same, for at most
    ``grace_s`` seconds more, and only then the cancellation leaves."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            if cancelled is None:
                asyncio.get_running_loop().call_later(grace_s, task.cancel)
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: the cancellation is what counts
        raise cancelled
    return task.result()
