"""A worker in a thread of this process: for free-threaded builds, where N of them run at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from engine.longrows import LongRows
from engine.pipeline import FileProgress
from engine.pool.coordinator import LinkEvents
from engine.pool.worker import Job, Outcome, Result, Worker, WorkerSpec, drive, how, release

__all__ = ["ThreadLink"]


class ThreadLink:
    """The coordinator's end of a worker thread. Its public methods and ``events`` belong to the coordinator's loop.

    The two loops meet in ``call_soon_threadsafe`` alone, which is what orders the memory accesses of both threads.

    Args:
        long_rows: shared by all worker threads, those that were given up too.
    """

    def __init__(self, index: int, spec: WorkerSpec, events: LinkEvents, *, long_rows: LongRows) -> None:
        self._coordinator = asyncio.get_running_loop()
        self._events = events
        self._loop = asyncio.new_event_loop()  # run and closed by the worker's thread
        self._worker = Worker(spec, _Outward(self._post, events), long_rows)
        self._grace_s = spec.grace_s
        # A daemon, so that a file that cannot be interrupted keeps nobody from exiting.
        self._thread = threading.Thread(target=self._main, name=f"engine-worker-{index}", daemon=True)
        self._thread.start()
        self.name = f"worker {index} (thread)"

    def submit(self, job_id: int, job: Job) -> None:
        self._call(self._worker.submit, job_id, job)

    def cancel(self, job_id: int) -> None:
        self._call(self._worker.cancel, job_id)

    def discard(self, job_id: int, job: Job, result: Result) -> None:
        self._call(self._worker.discard, job_id, job, result)

    def seen(self, job_id: int) -> None:
        self._call(self._worker.seen, job_id)

    def close(self) -> None:
        self._call(self._worker.close)

    def kill(self) -> bool:
        """A thread cannot be killed: it is told to end, and ends when its files do."""
        self.close()
        return False

    def join(self) -> None:
        """Waits for a thread that has told its end, which is no wait at all."""
        self._thread.join()

    def _call[*T](self, method: Callable[[*T], None], *args: *T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker's end is on its way to us
            self._loop.call_soon_threadsafe(method, *args)

    def _post[*T](self, method: Callable[[*T], None], *args: *T) -> None:
        with contextlib.suppress(RuntimeError):  # the coordinator's loop is closed: nobody is left to tell
            self._coordinator.call_soon_threadsafe(method, *args)

    def _main(self) -> None:
        """The thread."""
        ended = "ended without a word"
        try:
            ended = how(drive(self._loop, self._worker))
            self._loop.run_until_complete(release(self._grace_s))
        except BaseException as error:  # noqa: BLE001  however the thread ends, the coordinator is told
            ended = how(error)
        finally:
            self._loop.close()
            self._post(self._events.ended, ended)


class _Outward:
    """A worker's events, handed over to the coordinator's loop."""

    def __init__(self, post: Callable[..., None], events: LinkEvents) -> None:
        self._post = post
        self._events = events

    def ready(self) -> None:
        self._post(self._events.ready)

    def progress(self, job_id: int, progress: FileProgress) -> None:
        self._post(self._events.progress, job_id, progress)

    def done(self, job_id: int, outcome: Outcome) -> None:
        self._post(self._events.done, job_id, outcome)

    def lag(self, seconds: float) -> None:
        self._post(self._events.lag, seconds)

    def stuck(self, how: str) -> None:
        self._post(self._events.stuck, how)
