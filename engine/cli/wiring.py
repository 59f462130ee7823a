"""Picks the adapters: which stores, queue, mappings and pool the commands work with."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from engine.adapters.mappings import mapping_store
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.cli.starting import starting
from engine.config import Settings
from engine.core.reader import CHUNK_BYTES
from engine.memory import Fit, Sizes, fit
from engine.pool.build import (
    LOCAL_BATCH,
    ExecutorChoice,
    GilReport,
    choose_executor,
    cpus,
    import_all,
    is_free_threaded,
    memory_limit,
)
from engine.pool.open import Pool, open_pool
from engine.ports import MappingStore, Queue, Stores
from engine.telemetry import configure_logging

__all__ = [
    "Runtime",
    "executor_choice",
    "fit_of",
    "mappings",
    "memory_of",
    "open_dead_letters",
    "open_queue",
    "open_runtime",
    "store_settings",
]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What batches run on: workers, as many as fit into memory, and the calling loop's own stores."""

    pool: Pool
    stores: Stores
    choice: ExecutorChoice
    fit: Fit


@asynccontextmanager
async def open_runtime(settings: Settings, *, local: bool = False) -> AsyncIterator[Runtime]:
    """Starts the pool and opens the loop's stores; ends both when the body is left.

    Args:
        local: all sources and destinations are local folders, so that the SDK need not be imported.

    Raises:
        ConfigError: there is too little memory for the workers that are asked for.
        EngineError: a worker could not be started.
    """
    with starting():
        choice = executor_choice(settings, local=local)
    fits = fit_of(settings, choice)
    factory = StoresFactory(store_settings(settings))
    logs = functools.partial(configure_logging, settings.log)
    async with open_pool(
        choice.executor, fits.workers, fits.pipelines, factory, room=fits.room, begin_process=logs
    ) as pool:
        stores = factory()
        try:
            yield Runtime(pool, stores, choice, fits)
        finally:
            await stores.aclose()


def executor_choice(settings: Settings, *, local: bool = False) -> ExecutorChoice:
    """Threads or processes. Only a free-threaded build has to import everything first to know."""
    gil = import_all(LOCAL_BATCH if local else None) if is_free_threaded() else GilReport(False, True, True)
    return choose_executor(settings.pool.executor, gil)


def memory_of(settings: Settings) -> int:
    """The memory there is, in bytes: as configured, or what this container may use."""
    return settings.limits.memory_bytes or memory_limit()


def fit_of(settings: Settings, choice: ExecutorChoice) -> Fit:
    """What of this configuration's workers and pipelines runs in the memory there is.

    Raises:
        ConfigError: not even one file at a time on each worker would fit.
    """
    wanted = settings.pool.workers
    return fit(
        memory_of(settings),
        choice.executor,
        wanted or cpus(),
        settings.pool.pipelines,
        Sizes(
            read_bytes=settings.source.read_bytes,
            chunk_bytes=CHUNK_BYTES,
            part_bytes=settings.destination.part_bytes,
            row_bytes=settings.limits.row_bytes,
            split=settings.pool.split_bytes > 0,
        ),
        fewer_workers=not wanted,
    )


def store_settings(settings: Settings) -> StoreSettings:
    """What the configuration says about reading and writing objects."""
    source = settings.source
    return StoreSettings(
        read_bytes=source.read_bytes,
        connect_timeout_s=source.connect_timeout_s,
        read_timeout_s=source.read_timeout_s,
        min_bytes_per_s=source.min_bytes_per_s,
        attempts=source.attempts,
        part_bytes=settings.destination.part_bytes,
        allow_endpoints=tuple(source.allow_endpoints),
    )


async def open_queue(settings: Settings) -> Queue:
    """A queue client for the calling loop, with the engine's own credentials."""
    return _queue(settings, settings.queue.url)


async def open_dead_letters(settings: Settings) -> Queue:
    """The same for the dead-letter queue, which is reached as the queue is."""
    return _queue(settings, settings.queue.dead_letter_url)


def _queue(settings: Settings, url: str) -> Queue:
    from engine.adapters.aws.sqs import QueueSettings, SqsQueue

    return SqsQueue(QueueSettings(url, settings.queue.region, settings.queue.endpoint_url or None))


def mappings(settings: Settings, stores: Stores) -> MappingStore:
    """Where mappings are looked up; a bucket is reached as the destination is."""
    destination = settings.destination
    return mapping_store(
        settings.mappings.store, stores, region=destination.region, endpoint_url=destination.endpoint_url or None
    )
