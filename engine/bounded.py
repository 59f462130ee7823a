"""Bounds on waiting: many small calls a few at once, and clean-up that a cancellation does not cut short."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from engine.errors import TransientError

__all__ = ["BRIEF_S", "brief", "each", "stop", "uninterrupted"]

BRIEF_S = 5.0
"""What aborting uploads may take at a store that does not answer."""

_AT_ONCE = 16
_GRACE_S = 10.0


async def each[A, B](work: Callable[[A], Awaitable[B]], items: Iterable[A]) -> list[B]:
    """Awaits ``work(item)`` for every item; results in the order of the items.

    The first failure cancels the rest and leaves, with those that came in the same moment, as an ExceptionGroup.
    """
    todo = list(items)
    results: dict[int, B] = {}
    waiting = iter(enumerate(todo))  # shared: a task for every item would make cancelling many of them quadratic

    async def take() -> None:
        for index, item in waiting:
            results[index] = await work(item)

    async with asyncio.TaskGroup() as group:
        takers = [group.create_task(take()) for _ in range(min(_AT_ONCE, len(todo)))]
    for taker in takers:
        taker.result()  # raises where work cancelled itself, which the group takes for an end like any other
    return [results[index] for index in range(len(todo))]


async def brief[T](work: Awaitable[T]) -> T:
    """Awaits clean-up for at most ``BRIEF_S``: a store that does not answer must not hold up a shutdown.

    Raises:
        TransientError: it was given up; what it began may be left.
    """
    try:
        async with asyncio.timeout(BRIEF_S):
            return await work
    except TimeoutError as error:
        raise TransientError(f"no answer within {BRIEF_S:g} s") from error


async def stop(task: asyncio.Task[Any] | None) -> None:
    """Cancels ``task`` and returns once it has ended; what came of it does not matter any more."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])  # raises only when the caller is cancelled, which the task's own end is not
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()


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
