"""The files of a batch, each run until it succeeds or has failed often enough; a finished one leaves a checkpoint."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import structlog

from engine.bounded import brief, uninterrupted
from engine.errors import EngineError, Failure, WorkerDied
from engine.pipeline import FileJob, FileResult, OnProgress
from engine.pool.assign import AssignPolicy, assign
from engine.pool.open import Pool
from engine.ports import ObjectStore, PendingUpload
from engine.split import run_split

__all__ = ["Finished", "run_files"]

log = structlog.get_logger()

type Finished = Callable[[FileJob, FileResult], Awaitable[None]]

_AHEAD = 2  # files that a worker has for each of its pipelines: it never waits, and thousands need not be cancelled
_SPLIT_AT_ONCE = 2  # files read in ranges: the second has work for workers that the end of the first leaves idle
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 20.0


async def run_files(
    jobs: Sequence[FileJob],
    *,
    pool: Pool,
    policy: AssignPolicy,
    attempts: int,
    source: ObjectStore,
    destination: ObjectStore,
    on_progress: OnProgress,
    finished: Finished,
) -> list[FileResult]:
    """Runs all files; results in the order of the jobs.

    Args:
        attempts: how often a file is run in all, when its failures are transient.
        finished: called with each file that is done, before another takes its place in the results.

    The first file that fails for good cancels the rest; what unfinished files uploaded is aborted then, and so when
    the caller is cancelled. What finished files uploaded is the caller's.

    Raises:
        ExceptionGroup: of the errors of all files that failed.
    """

    results: dict[int, FileResult] = {}
    split_turns = asyncio.Semaphore(_SPLIT_AT_ONCE)

    async def take(waiting: Iterator[tuple[int, FileJob]], worker: int) -> None:
        for place, job in waiting:
            run = partial(
                run_split,
                job,
                worker,
                pool=pool,
                source=source,
                destination=destination,
                turn=split_turns,
                on_progress=on_progress,
            )
            result = await _until_done(job, run, attempts, destination)
            await finished(job, result)
            results[place] = result

    queues: list[list[tuple[int, FileJob]]] = [[] for _ in range(pool.workers)]
    for place, worker in enumerate(assign([job.size for job in jobs], pool.workers, policy)):
        queues[worker].append((place, jobs[place]))
    takers: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        for worker, queue in enumerate(queues):
            waiting = iter(queue)  # shared: a task for every file would make cancelling many of them quadratic
            takers += [
                group.create_task(take(waiting, worker)) for _ in range(min(_AHEAD * pool.pipelines, len(queue)))
            ]
    for taker in takers:
        taker.result()  # raises where a file cancelled itself, which the group takes for an end like any other
    return [results[place] for place in range(len(jobs))]


async def _until_done(
    job: FileJob, run: Callable[[], Awaitable[FileResult]], attempts: int, destination: ObjectStore
) -> FileResult:
    for attempt in range(1, attempts + 1):
        try:
            return await run()
        except EngineError as error:
            if isinstance(error, WorkerDied):  # all others have cleaned up after themselves
                await uninterrupted(_abort_open(job, destination, error))
            if error.failure is not Failure.TRANSIENT or attempt == attempts:
                raise
            log.warning("file tried again", file=job.key, code=error.code, error=error.message, attempt=attempt)
            longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
            await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - jitter, not a secret
    raise AssertionError("attempts is at least 1")


async def _abort_open(job: FileJob, store: ObjectStore, cause: EngineError) -> None:
    """Aborts what a dead worker left open of a file. What fails is noted on ``cause``, which is what counts."""

    async def abort() -> None:
        for key in (job.data_key, job.rejects_key):
            async for upload in store.open_uploads(key):
                if upload.key == key:
                    await store.abort(PendingUpload(key, upload.upload_id, ()))

    try:
        await brief(abort())
    except EngineError as error:
        cause.add_note(f"an upload was left open: {error}")
