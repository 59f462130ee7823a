"""The one way to a pool of workers."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from engine.errors import ConfigError, Problem
from engine.longrows import LongRows, Room
from engine.pipeline import FileJob, FileResult, OnProgress
from engine.pool.build import Executor
from engine.pool.coordinator import Coordinator, PoolStatistics, StartLink
from engine.pool.threads import ThreadLink
from engine.pool.worker import WorkerSpec
from engine.ports import OpenStores
from engine.ranges import RangeJob, RangeResult

__all__ = ["Pool", "open_pool"]


def _link(executor: Executor, room: Room | None) -> StartLink:
    if executor == "threads":
        return partial(ThreadLink, long_rows=LongRows(room))
    from engine.pool.processes import ProcessLink

    return ProcessLink


class Pool(Protocol):
    """N workers with an event loop each, which run M files at a time. Used on the loop that opened it."""

    workers: int
    pipelines: int

    async def run(self, job: FileJob, worker: int, on_progress: OnProgress) -> FileResult:
        """Runs one file on one worker, when one of its M pipelines is free.

        Cancelling the caller cancels the file in its worker and returns only when its uploads are aborted, or the
        worker is gone; a worker that takes longer than the pool's grace is given up.

        Args:
            job: the file.
            worker: which worker, from 0 to ``workers - 1``.
            on_progress: called on the caller's loop, with the latest progress; at most one call is on its way at a
                time, so that a slow caller gets fewer calls, not late ones. What it raises goes to the loop's
                exception handler.

        Raises:
            WorkerDied: the worker ended while it had the file, running or queued. Names file, batch and how.
            ShuttingDown: the pool was closed.
            EngineError: what the file failed with; an exception that is not the engine's own comes as an EngineError
                with its type and text, and its traceback as a note.
        """
        ...

    async def run_range(self, job: RangeJob, worker: int, on_progress: OnProgress) -> RangeResult:
        """Runs one range of a file; as :meth:`run`."""
        ...

    def statistics(self) -> PoolStatistics:
        """What the workers are doing now."""
        ...


@asynccontextmanager
async def open_pool(
    executor: Executor,
    workers: int,
    pipelines: int,
    open_stores: OpenStores,
    *,
    grace_s: float = 30.0,
    room: Room | None = None,
    begin_process: Callable[[], None] | None = None,
) -> AsyncIterator[Pool]:
    """Starts N workers and, when the body is left, cancels what they run, waits for it and ends them.

    Args:
        executor: ``threads`` or ``processes``; :func:`engine.pool.build.choose_executor` decides.
        workers: N, threads or processes; they live as long as the pool.
        pipelines: M, files at once on each worker.
        open_stores: called once on each worker's loop; for processes it must pickle.
        grace_s: seconds a cancelled file gets to abort its uploads before its worker is given up.
        room: memory for long rows, in each process that runs files; None: it is not counted.
        begin_process: called first in every worker process; must pickle.

    Raises:
        ConfigError: fewer than one worker or pipeline.
        EngineError: a worker could not be started.
    """
    problems = [
        Problem(f"pool.{name}", f"{value} is less than 1")
        for name, value in (("workers", workers), ("pipelines", pipelines))
        if value < 1
    ]
    if problems:
        raise ConfigError(problems)
    spec = WorkerSpec(pipelines, open_stores, grace_s, room, begin_process)
    pool = Coordinator(executor, workers, spec, _link(executor, room))
    try:
        await pool.boot()
        gc.freeze()  # a collection stops every thread: spare it what start-up made, the little garbage in it too
        try:
            yield pool
        finally:
            gc.unfreeze()
    finally:
        await pool.aclose()
