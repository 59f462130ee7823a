"""A worker in a process of its own: for builds with a GIL, and to compare."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import multiprocessing
import os
import signal
import socket
import threading
from multiprocessing import resource_tracker

from engine.errors import EngineError
from engine.longrows import LongRows
from engine.pipeline import FileProgress
from engine.pool.channel import Channel, Frame
from engine.pool.coordinator import LinkEvents
from engine.pool.worker import Job, Outcome, Result, Worker, WorkerSpec, drive, how, release

__all__ = ["ProcessLink"]

_SPAWN = multiprocessing.get_context("spawn")
_OURS = {signal.SIGINT, signal.SIGTERM}  # signals that are the coordinator's alone to answer
_REAP_S = 10.0  # from a closed channel to the end of its process; after that it is killed


class ProcessLink:
    """The coordinator's end of a worker process. Belongs to the coordinator's loop."""

    def __init__(self, index: int, spec: WorkerSpec, events: LinkEvents) -> None:
        self._events = events
        self._last_words: str | None = None
        self._killed = False
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _SPAWN.Process(
                    target=_child, args=(theirs, spec), name=f"engine-worker-{index}", daemon=True
                )
                _start(self._process)
        except Exception as error:
            ours.close()
            raise EngineError(f"worker {index} could not be started: {type(error).__name__}: {error}") from error
        atexit.register(self._process.kill)  # should the coordinator leave without closing the pool
        self.name = f"worker {index} (process {self._process.pid})"
        self._channel = Channel(self._received, self._lost)
        self._opening = asyncio.create_task(self._channel.open(ours))
        self._reaping: asyncio.Task[None] | None = None

    def submit(self, job_id: int, job: Job) -> None:
        self._channel.send(("submit", job_id, job))

    def cancel(self, job_id: int) -> None:
        self._channel.send(("cancel", job_id))

    def discard(self, job_id: int, job: Job, result: Result) -> None:
        self._channel.send(("discard", job_id, job, result))

    def seen(self, job_id: int) -> None:
        self._channel.send(("seen", job_id))

    def close(self) -> None:
        self._channel.send(("close",))

    def kill(self) -> bool:
        self._killed = True
        self._process.kill()
        return True

    def join(self) -> None:
        """Frees what a process that has ended still holds here."""
        self._process.join()
        atexit.unregister(self._process.kill)
        self._process.close()

    def _received(self, frame: Frame) -> None:
        match frame:
            case ("progress", job_id, progress):
                self._events.progress(job_id, progress)
            case ("done", job_id, outcome):
                self._events.done(job_id, outcome)
            case ("lag", seconds):
                self._events.lag(seconds)
            case ("ready",):
                self._events.ready()
            case ("stuck", how):
                self._events.stuck(how)
            case ("ended", words):
                self._last_words = words
                self._channel.close()  # which lets the process go

    def _lost(self) -> None:
        self._reaping = asyncio.create_task(self._reap())

    async def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self._process.sentinel, gone.set)
        try:
            async with asyncio.timeout(_REAP_S):
                await gone.wait()
        except TimeoutError:
            self.kill()
            await gone.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._events.ended(self._how())

    def _how(self) -> str:
        if self._last_words is not None:
            return self._last_words
        status = self._process.exitcode
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            hint = " (out of memory?)" if name == "SIGKILL" and not self._killed else ""
            return f"was killed by {name}{hint}"
        return f"exited with status {status}"


def _start(process: multiprocessing.context.SpawnProcess) -> None:
    """Starts a process that never sees SIGINT or SIGTERM, not even before its first line of Python runs."""
    resource_tracker.ensure_running()  # older ones unblock the signals again when they start themselves
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)  # a spawned process inherits the mask
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Child:
    """The worker's end. Everything here runs on the child's one loop."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.channel = Channel(self._received, self._lost)
        self.worker = Worker(spec, self, LongRows(spec.room))

    def ready(self) -> None:
        gc.freeze()  # what start-up made stays; later collections need not look at it
        self.channel.send(("ready",))

    def progress(self, job_id: int, progress: FileProgress) -> None:
        self.channel.send(("progress", job_id, progress))

    def done(self, job_id: int, outcome: Outcome) -> None:
        try:
            self.channel.send(("done", job_id, outcome))
        except Exception as error:  # noqa: BLE001  pickling runs the classes' own code
            why = f"{type(outcome).__name__} could not be sent: {type(error).__name__}: {error}"
            self.channel.send(("done", job_id, EngineError(f"{why}: {outcome}")))

    def lag(self, seconds: float) -> None:
        self.channel.send(("lag", seconds))

    def stuck(self, how: str) -> None:
        self.channel.send(("stuck", how))

    def _received(self, frame: Frame) -> None:
        match frame:
            case ("submit", job_id, job):
                self.worker.submit(job_id, job)
            case ("cancel", job_id):
                self.worker.cancel(job_id)
            case ("discard", job_id, job, result):
                self.worker.discard(job_id, job, result)
            case ("seen", job_id):
                self.worker.seen(job_id)
            case ("close",):
                self.worker.close()

    def _lost(self) -> None:
        self.worker.close()  # the coordinator is gone

    async def last_words(self, error: BaseException | None) -> None:
        """Says how the worker ended and waits until that has been read.

        Would this end close first, a frame on its way to us would break the channel, and with it what we said.
        """
        self.channel.send(("ended", how(error)))
        await self.channel.closed.wait()


def _child(sock: socket.socket, spec: WorkerSpec) -> None:
    """A worker process from start to end; exits 1 when something killed the worker."""
    for number in _OURS:
        signal.signal(number, signal.SIG_IGN)
    if spec.begin_process is not None:
        spec.begin_process()
    threading.Thread(target=_die_with_parent, args=(spec.grace_s,), name="engine-lifeline", daemon=True).start()
    loop = asyncio.new_event_loop()
    child = _Child(spec)
    loop.run_until_complete(child.channel.open(sock))
    error = drive(loop, child.worker)
    with contextlib.suppress(Exception):
        loop.run_until_complete(release(spec.grace_s))
    loop.run_until_complete(child.last_words(error))
    loop.close()
    if error is not None:
        raise SystemExit(1)


def _die_with_parent(grace_s: float) -> None:
    """Leaves no orphan: when the coordinator is gone, however it went, so is this process, with or without grace."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    threading.Event().wait(grace_s + _REAP_S)  # the loop has seen it too and aborts its uploads; then exits
    os._exit(1)
