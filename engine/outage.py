"""Waiting for our own side to come back. An outage is not the fault of the message in hand, nor of those that wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from engine.batch import Batch
from engine.errors import EngineError
from engine.layout import MANIFEST
from engine.ports import Stores

__all__ = ["Backoff", "in_time", "pause", "probe", "wait_for"]

log = structlog.get_logger()


class Backoff:
    """Pauses that double from ``first_s`` to ``longest_s``, each cut at random by up to a half."""

    def __init__(self, first_s: float = 1.0, longest_s: float = 30.0) -> None:
        self._next_s = first_s
        self._longest_s = longest_s

    def next_s(self) -> float:
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


async def probe(batch: Batch, stores: Stores) -> None:
    """Reads and writes where the batch goes, and leaves nothing there.

    Raises:
        EngineError: the destination cannot be used.
    """
    store = await stores.open(batch.destination)
    await store.head(batch.root + MANIFEST)
    upload = await store.begin(batch.root + "data/.probe")
    await upload.abort()


async def wait_for(usable: Callable[[], Awaitable[None]], what: str, stop: asyncio.Event) -> None:
    """Returns when ``usable`` no longer fails, or when told to stop. A store that hangs must not keep us."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            async with in_time(stop, 0):
                await usable()
        except TimeoutError:
            return
        except EngineError as error:
            pause_s = backoff.next_s()
            log.warning("no message is taken", unusable=what, error=str(error), again_in_s=round(pause_s, 1))
            await pause(pause_s, stop)
        else:
            return


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Waits; not longer than until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


@asynccontextmanager
async def in_time(stop: asyncio.Event, spare_s: float, most_s: float | None = None) -> AsyncIterator[None]:
    """Gives its body ``spare_s`` seconds once told to stop, and ``most_s`` in all.

    Raises:
        TimeoutError: the body did not end in time, and was cancelled.
    """
    running = True
    async with asyncio.timeout(most_s) as limit:

        def hurry(_: object) -> None:
            if running and not limit.expired():  # it may be on its way when the body ends: a limit left is not set
                end = asyncio.get_running_loop().time() + spare_s
                limit.reschedule(min(end, limit.when() or end))

        on_stop = asyncio.ensure_future(stop.wait())
        on_stop.add_done_callback(hurry)
        try:
            yield
        finally:
            running = False
            on_stop.remove_done_callback(hurry)
            on_stop.cancel()
