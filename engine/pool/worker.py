"""One worker: an event loop that runs at most M files at once. The same code in a thread and in a process.

A worker is told what to do by :meth:`Worker.submit`, :meth:`~Worker.cancel`, :meth:`~Worker.discard`,
:meth:`~Worker.seen` and :meth:`~Worker.close`, all called on its own loop, and answers through :class:`Events`.
It keeps nothing about a file once it has answered for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from engine.bounded import brief, each
from engine.errors import EngineError
from engine.longrows import LongRows, Room
from engine.pipeline import FileJob, FileProgress, FileResult, run_file
from engine.ports import OpenStores, Stores
from engine.ranges import RangeJob, RangeResult, run_range

__all__ = ["Events", "Job", "Outcome", "Result", "Worker", "WorkerSpec", "drive", "how", "portable", "release"]

LAG_EVERY_S = 1.0

type Job = FileJob | RangeJob
"""What a worker does: a file, or a range of one, which is called a file here as well."""

type Result = FileResult | RangeResult

type Outcome = Result | EngineError | None
"""How a file ended; None means cancelled, or its result discarded, with every upload aborted."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker is made from; pickles.

    Attributes:
        pipelines: files at once, at least 1.
        grace_s: seconds that cancelled files get to abort their uploads when the worker ends.
        room: for long rows, in one process; None where it is not counted.
        begin_process: called first in a worker that is a process: its logging is not the parent's.
    """

    pipelines: int
    open_stores: OpenStores
    grace_s: float
    room: Room | None = None
    begin_process: Callable[[], None] | None = None


class Events(Protocol):
    """What a worker tells; called on the worker's loop, must not block or raise."""

    def ready(self) -> None:
        """The stores are open and files are taken."""

    def progress(self, job_id: int, progress: FileProgress) -> None:
        """A file has come further. Not called again for this file until :meth:`Worker.seen`, or its end."""

    def done(self, job_id: int, outcome: Outcome) -> None:
        """A file has ended. Called once a file, unless the worker ends first."""

    def lag(self, seconds: float) -> None:
        """How late the loop ran a timer, about once a second."""

    def stuck(self, how: str) -> None:
        """The worker is ending and cannot stop its files in time; nothing more can be expected of it."""


@dataclass(slots=True)
class _Entry:
    """A file the worker has not answered for. ``unseen``: a progress is on its way; ``held``: the latest after it."""

    job_id: int
    job: Job
    task: asyncio.Task[Result] | None = None
    cancelled: bool = False
    unseen: bool = False
    held: FileProgress | None = None


class Worker:
    """The loop body of one worker. Everything but the constructor belongs to the loop's thread.

    Args:
        long_rows: shared by the workers of a process.
    """

    def __init__(self, spec: WorkerSpec, events: Events, long_rows: LongRows) -> None:
        self._spec = spec
        self._long_rows = long_rows
        self._events = events
        self._queue: asyncio.Queue[_Entry | None] = asyncio.Queue()  # None: a pipeline is to end
        self._entries: dict[int, _Entry] = {}  # queued and running; cleared one by one as they are answered for
        self._discards: set[asyncio.Task[None]] = set()
        self._stores: Stores | None = None
        self._stop = asyncio.Event()
        self._fatal: BaseException | None = None

    def submit(self, job_id: int, job: Job) -> None:
        """Queues a file. Ids are never used twice."""
        entry = self._entries[job_id] = _Entry(job_id, job)
        self._queue.put_nowait(entry)

    def cancel(self, job_id: int) -> None:
        """Cancels a queued or running file; its end is told once it has cleaned up. No-op when it has ended."""
        entry = self._entries.get(job_id)
        if entry is None or entry.cancelled:
            return
        entry.cancelled = True  # once only: a second cancellation would interrupt the clean-up that the first began
        if entry.task is None:
            self._answer(entry, None)  # the pipeline that meets it in the queue skips it
        else:
            entry.task.cancel()

    def discard(self, job_id: int, job: Job, result: Result) -> None:
        """Aborts the uploads of a file whose result nobody took; its end is told again, as cancelled."""
        task = asyncio.create_task(self._discard(job_id, job, result))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)

    def seen(self, job_id: int) -> None:
        """The last progress of this file has been taken: the next may be told."""
        entry = self._entries.get(job_id)
        if entry is None:
            return
        entry.unseen = False
        if entry.held is not None:
            held, entry.held = entry.held, None
            self._progress(entry, held)

    def close(self) -> None:
        """Asks :meth:`serve` to cancel everything and end. Files that have not ended are not answered for."""
        self._stop.set()

    def fail(self, error: BaseException) -> None:
        """As :meth:`close`, because of ``error``; only the first error counts."""
        if self._fatal is None:
            self._fatal = error
        self.close()

    async def serve(self) -> BaseException | None:
        """Opens the stores and works until :meth:`close` or :meth:`fail`; then cancels what runs, waits for its
        clean-up and closes the stores. Returns what killed the worker, None when it was closed.

        Raises:
            BaseException: whatever ``open_stores`` raised.
        """
        self._stores = self._spec.open_stores()
        lag = asyncio.create_task(self._watch_lag())
        pipelines = [asyncio.create_task(self._pipeline(self._stores)) for _ in range(self._spec.pipelines)]
        for task in pipelines:
            task.add_done_callback(self._pipeline_ended)
        self._events.ready()
        await self._stop.wait()
        lag.cancel()
        for entry in self._entries.values():
            if entry.task is not None and not entry.cancelled:
                entry.cancelled = True
                entry.task.cancel()
        for _ in pipelines:
            self._queue.put_nowait(None)
        _, late = await asyncio.wait([lag, *pipelines, *self._discards], timeout=self._spec.grace_s)
        if late:
            self._events.stuck(f"{how(self._fatal)}, and its files did not stop within {self._spec.grace_s:g} s")
            await asyncio.wait(late)  # a process is killed here; a thread ends when its files do
        try:
            async with asyncio.timeout(self._spec.grace_s):
                await self._stores.aclose()
        except Exception as error:  # noqa: BLE001  the timeout too; what a store raises here fails no file
            self._fatal = self._fatal or error
        return self._fatal

    async def _pipeline(self, stores: Stores) -> None:
        while (entry := await self._queue.get()) is not None and not self._stop.is_set():
            if not entry.cancelled:
                await self._run_one(entry, stores)

    def _pipeline_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def _run_one(self, entry: _Entry, stores: Stores) -> None:
        entry.task = asyncio.create_task(self._run(entry, stores))
        await asyncio.wait({entry.task})
        outcome: Outcome = None
        if entry.task.cancelled():
            if not entry.cancelled:
                outcome = EngineError("the file cancelled itself", batch=entry.job.batch_id, file=entry.job.key)
        elif (error := entry.task.exception()) is None:
            outcome = entry.task.result()
            if entry.cancelled or self._stop.is_set():  # it finished all the same, and nobody will take the result
                await self._abort(entry.job, outcome)
                outcome = None
        elif isinstance(error, MemoryError) or not isinstance(error, Exception):
            self.fail(error)
        elif not entry.cancelled:
            outcome = portable(error, entry.job)
        if not self._stop.is_set():
            self._answer(entry, outcome)

    async def _run(self, entry: _Entry, stores: Stores) -> Result:
        job, on_progress = entry.job, partial(self._progress, entry)
        if isinstance(job, RangeJob):
            return await run_range(job, stores, on_progress, self._long_rows)
        return await run_file(job, stores, on_progress, self._long_rows)

    def _answer(self, entry: _Entry, outcome: Outcome) -> None:
        del self._entries[entry.job_id]
        if entry.held is not None:
            self._events.progress(entry.job_id, entry.held)
        self._events.done(entry.job_id, outcome)

    def _progress(self, entry: _Entry, progress: FileProgress) -> None:
        if entry.unseen:
            entry.held = progress  # replaced, never queued: a slow coordinator gets fewer, not later ones
        else:
            entry.unseen = True
            self._events.progress(entry.job_id, progress)

    async def _discard(self, job_id: int, job: Job, result: Result) -> None:
        await self._abort(job, result)
        self._events.done(job_id, None)

    async def _abort(self, job: Job, result: Result) -> None:
        assert self._stores is not None  # there is a result, so there were stores
        try:
            store = await self._stores.open(job.destination)
            await brief(each(store.abort, result.uploads))
        except Exception:  # noqa: BLE001, S110  nothing else can be done here; a batch that fails sweeps its prefix as well
            pass

    async def _watch_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._events.lag(max(0.0, loop.time() - due))


def portable(error: Exception, job: Job) -> EngineError:
    """The error as it may leave the worker: an engine error that names batch and file and holds no frames.

    Tracebacks keep a pipeline's data alive and would be freed by another thread, so they are dropped; an error that
    the engine did not raise on purpose keeps its traceback as text, in a note.
    """
    if not isinstance(error, EngineError):
        text = "".join(traceback.format_exception(error))
        error = EngineError(f"{type(error).__name__}: {error}")
        error.add_note(text)
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error.at(batch=job.batch_id, file=job.key)


def how(error: BaseException | None) -> str:
    """How a worker ended, for people."""
    return "ended" if error is None else f"ended: {type(error).__name__}: {error}"


def drive(loop: asyncio.AbstractEventLoop, worker: Worker) -> BaseException | None:
    """Runs a worker on ``loop``, on this thread, to its end; returns what killed it, None when it was closed.

    SystemExit and KeyboardInterrupt raised in a task escape from the loop at once; the loop is then run on, so that
    the worker's other files can abort their uploads.
    """
    serving = loop.create_task(worker.serve())
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except BaseException as error:  # noqa: BLE001  returned in the end
            worker.fail(error)
    return serving.exception() or serving.result()


async def release(grace_s: float) -> None:
    """The last thing to run on a loop before it is closed: ends its generators and the threads it started."""
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await loop.shutdown_default_executor()
