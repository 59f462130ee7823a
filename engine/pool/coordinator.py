"""The coordinator's side of the workers: who works on which file, who has died, who takes its place.

Everything here belongs to one event loop, the coordinator's. Worker threads and processes reach it only through
:class:`LinkEvents`, whose methods the links call on that loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.errors import EngineError, ShuttingDown, WorkerDied
from engine.pipeline import FileJob, FileProgress, FileResult, OnProgress
from engine.pool.build import Executor
from engine.pool.worker import Job, Outcome, Result, WorkerSpec
from engine.ranges import RangeJob, RangeResult

__all__ = ["Coordinator", "Link", "LinkEvents", "PoolStatistics", "StartLink", "WorkerStatistics"]

_log = logging.getLogger(__name__)
_CLOSE_MARGIN_S = 5.0  # what a worker gets beyond its own two graces to end when the pool is closed


class LinkEvents(Protocol):
    """What a link tells the coordinator, on the coordinator's loop."""

    def ready(self) -> None: ...
    def progress(self, job_id: int, progress: FileProgress) -> None: ...
    def done(self, job_id: int, outcome: Outcome) -> None: ...
    def lag(self, seconds: float) -> None: ...
    def stuck(self, how: str) -> None: ...
    def ended(self, how: str) -> None:
        """The thread or process is gone; said once, last, also by one that was given up before."""


class Link(Protocol):
    """The way to one worker. No method waits for the worker; what is told to one that is gone disappears."""

    name: str

    def submit(self, job_id: int, job: Job) -> None: ...
    def cancel(self, job_id: int) -> None: ...
    def discard(self, job_id: int, job: Job, result: Result) -> None: ...
    def seen(self, job_id: int) -> None: ...
    def close(self) -> None: ...
    def kill(self) -> bool:
        """Ends the worker without its help; false where only the worker itself can do that."""

    def join(self) -> None:
        """Frees what the worker leaves behind; only after it has ended."""


type StartLink = Callable[[int, WorkerSpec, LinkEvents], Link]


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """One worker index since the pool was opened, whoever held it.

    Attributes:
        alive: there is a worker and it takes files.
        running, queued: files it has now; at most ``pipelines`` run.
        finished, failed, cancelled: files that ended so.
        deaths: workers that died on this index.
        loop_lag_s: how late its loop ran a timer when it last said so, in seconds.
    """

    worker: int
    alive: bool
    running: int
    queued: int
    finished: int
    failed: int
    cancelled: int
    deaths: int
    loop_lag_s: float


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """A snapshot of the pool; its size depends on the number of workers only."""

    executor: Executor
    pipelines: int
    workers: tuple[WorkerStatistics, ...]


@dataclass(slots=True, eq=False)
class _Pending:
    """A file somebody waits for. ``withdrawn``: they no longer want it, only its end."""

    job_id: int
    job: Job
    on_progress: OnProgress
    future: asyncio.Future[Result | None]
    withdrawn: bool = False


class _Slot:
    """What outlives the workers of one index."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.life: _Life | None = None
        self.finished = self.failed = self.cancelled = self.deaths = 0
        self.loop_lag_s = 0.0


class _Life:
    """One worker from its start to its end; its files end with it. The :class:`LinkEvents` of its link."""

    def __init__(self, pool: Coordinator, slot: _Slot, start: StartLink, spec: WorkerSpec) -> None:
        loop = asyncio.get_running_loop()
        self._pool = pool
        self._slot = slot
        self.pending: dict[int, _Pending] = {}
        self.booted: asyncio.Future[None] = loop.create_future()  # set when ready, and when it ended before that
        self.is_ready = False
        self.how: str | None = None  # how it ended, or why it was given up
        self.gone = asyncio.Event()  # its thread or process has ended
        self.link = start(slot.index, spec, self)

    def ready(self) -> None:
        self.is_ready = True
        self._boot_over()

    def progress(self, job_id: int, progress: FileProgress) -> None:
        pending = self.pending.get(job_id)
        if pending is None:
            return
        try:
            if not pending.withdrawn:
                pending.on_progress(progress)
        except Exception as error:  # noqa: BLE001  as for any callback of a loop: reported, and the file goes on
            context = {"message": "on_progress failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        self.link.seen(job_id)

    def done(self, job_id: int, outcome: Outcome) -> None:
        pending = self.pending.get(job_id)
        if pending is None:
            return
        if pending.withdrawn and isinstance(outcome, FileResult | RangeResult):
            self.link.discard(job_id, pending.job, outcome)  # done is called again after it
            return
        del self.pending[job_id]
        if isinstance(outcome, EngineError):
            self._slot.failed += 1
            pending.future.set_exception(outcome)
        else:
            if outcome is None:
                self._slot.cancelled += 1
            else:
                self._slot.finished += 1
            pending.future.set_result(outcome)

    def lag(self, seconds: float) -> None:
        self._slot.loop_lag_s = seconds

    def stuck(self, how: str) -> None:
        self.give_up(how)

    def ended(self, how: str) -> None:
        self.link.join()
        self.gone.set()
        self._pool.buried(self)
        self._end(how)

    def give_up(self, how: str) -> None:
        """Stops counting on a worker that does not answer; what it still tells is ignored."""
        if not self.link.kill():
            self._pool.buried(self)  # left behind: nobody waits for it
        self._end(how)

    def _end(self, how: str) -> None:
        if self.how is not None:
            return
        self.how = how
        pending, self.pending = list(self.pending.values()), {}
        for one in pending:
            self._slot.failed += 1
            one.future.set_exception(self._pool.lost(one.job, f"{self.link.name} {how}"))
        self._pool.replace(self._slot, self)
        self._boot_over()

    def _boot_over(self) -> None:
        if not self.booted.done():
            self.booted.set_result(None)


class Coordinator:
    """A pool of N workers; see :func:`engine.pool.open.open_pool`."""

    def __init__(self, executor: Executor, workers: int, spec: WorkerSpec, start: StartLink) -> None:
        self.workers = workers
        self.pipelines = spec.pipelines
        self._executor: Executor = executor
        self._spec = spec
        self._start = start
        self._slots = [_Slot(index) for index in range(workers)]
        self._lives: set[_Life] = set()  # every worker whose thread or process may still be there
        self._ids = itertools.count()
        self._closing = False

    async def boot(self) -> None:
        """Starts all workers and waits until every one takes files.

        Raises:
            EngineError: one could not be started.
        """
        lives = [self._begin(slot) for slot in self._slots]
        for life in lives:
            await life.booted
            if life.how is not None:
                raise WorkerDied(f"{life.link.name} could not start: {life.how}")

    async def run(self, job: FileJob, worker: int, on_progress: OnProgress) -> FileResult:
        """See :class:`engine.pool.open.Pool`."""
        result = await self._run(job, worker, on_progress)
        assert isinstance(result, FileResult)
        return result

    async def run_range(self, job: RangeJob, worker: int, on_progress: OnProgress) -> RangeResult:
        """See :class:`engine.pool.open.Pool`."""
        result = await self._run(job, worker, on_progress)
        assert isinstance(result, RangeResult)
        return result

    async def _run(self, job: Job, worker: int, on_progress: OnProgress) -> Result:
        if self._closing:
            raise ShuttingDown("the pool is closed", batch=job.batch_id, file=job.key)
        slot = self._slots[worker]
        try:
            life = slot.life or self._begin(slot)
        except EngineError as error:
            raise WorkerDied(error.message, batch=job.batch_id, file=job.key) from error
        loop = asyncio.get_running_loop()
        pending = _Pending(next(self._ids), job, on_progress, loop.create_future())
        life.link.submit(pending.job_id, job)
        life.pending[pending.job_id] = pending
        try:
            await asyncio.wait({pending.future})
        except asyncio.CancelledError:
            await self._withdraw(life, pending)
            raise
        result = pending.future.result()
        if result is None:  # cancelled in the worker, though nobody here asked for it
            raise EngineError("the worker cancelled the file", batch=job.batch_id, file=job.key)
        return result

    async def _withdraw(self, life: _Life, pending: _Pending) -> None:
        """Returns when the file has aborted its uploads, or its worker is gone. Cannot be cancelled; is bounded."""
        loop = asyncio.get_running_loop()
        pending.withdrawn = True
        if not pending.future.done():
            life.link.cancel(pending.job_id)
        elif pending.future.exception() is None and (result := pending.future.result()) is not None:
            if life.how is not None:
                return  # nobody is left to abort it; a batch that fails sweeps its prefix as well
            pending.future = loop.create_future()  # the result came in the very moment it was no longer wanted
            life.pending[pending.job_id] = pending
            life.link.discard(pending.job_id, pending.job, result)
        deadline = loop.time() + self._spec.grace_s
        while not pending.future.done():
            left = deadline - loop.time()
            if left <= 0:
                life.give_up(f"did not stop a cancelled file within {self._spec.grace_s:g} s")
                break
            try:
                await asyncio.wait({pending.future}, timeout=left)
            except asyncio.CancelledError:
                continue  # we are leaving already, once the file has
        pending.future.exception()  # seen: a cancelled file's error is nobody's

    def statistics(self) -> PoolStatistics:
        """What the workers are doing now."""
        return PoolStatistics(self._executor, self._spec.pipelines, tuple(map(self._of, self._slots)))

    def _of(self, slot: _Slot) -> WorkerStatistics:
        has = len(slot.life.pending) if slot.life is not None else 0
        running = min(has, self._spec.pipelines)
        return WorkerStatistics(
            worker=slot.index,
            alive=slot.life is not None and slot.life.is_ready,
            running=running,
            queued=has - running,
            finished=slot.finished,
            failed=slot.failed,
            cancelled=slot.cancelled,
            deaths=slot.deaths,
            loop_lag_s=slot.loop_lag_s,
        )

    async def aclose(self) -> None:
        """Cancels what runs and waits, within bounds, until every thread or process has ended.

        When cancelled itself it waits no longer: processes are killed, threads left behind.
        """
        self._closing = True
        for life in self._lives:
            life.link.close()
        try:
            await self._all_gone(3 * self._spec.grace_s + _CLOSE_MARGIN_S)
        finally:
            for life in list(self._lives):
                life.give_up("did not end in time")
            await self._all_gone(_CLOSE_MARGIN_S)

    async def _all_gone(self, timeout_s: float) -> None:
        if self._lives:
            waits = [asyncio.create_task(life.gone.wait()) for life in self._lives]
            try:
                await asyncio.wait(waits, timeout=timeout_s)
            finally:
                for wait in waits:
                    wait.cancel()

    def lost(self, job: Job, how: str) -> EngineError:
        """The error of a file whose worker is gone."""
        if self._closing:
            return ShuttingDown("the pool was closed", batch=job.batch_id, file=job.key)
        return WorkerDied(f"{how}; the file was not finished", batch=job.batch_id, file=job.key)

    def replace(self, slot: _Slot, life: _Life) -> None:
        """Called once for each worker that is gone, whatever it was that ended it."""
        if slot.life is life:
            slot.life = None
        if self._closing:
            return
        slot.deaths += 1
        _log.warning("%s %s", life.link.name, life.how)
        if life.is_ready:  # one that cannot even start is tried again when a file comes, not in a circle
            try:
                self._begin(slot)
            except EngineError as error:
                _log.warning("no replacement yet: %s", error)

    def _begin(self, slot: _Slot) -> _Life:
        life = slot.life = _Life(self, slot, self._start, self._spec)
        self._lives.add(life)
        return life

    def buried(self, life: _Life) -> None:
        """Called once for each worker whose thread or process has ended."""
        self._lives.discard(life)
