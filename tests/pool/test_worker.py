"""The worker's loop body on this test's own loop, told what to do directly and telling a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.adapters.memory import MemoryStore
from engine.core.transform import Counts
from engine.errors import EngineError, SourceMissing
from engine.longrows import LongRows
from engine.pipeline import FileProgress, FileResult
from engine.pool.worker import Outcome, Worker, WorkerSpec, portable
from engine.ports import ObjectInfo, PendingUpload
from tests.pool.scripted import BODY, Scripted, file_job


class Recorder:
    """Events kept, and awaited."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.outcomes: dict[int, Outcome] = {}
        self.progresses: dict[int, list[FileProgress]] = {}
        self.changed = asyncio.Condition()
        self.stuck_because: str | None = None

    def ready(self) -> None:
        self._tell("ready", -1)

    def progress(self, job_id: int, progress: FileProgress) -> None:
        self.progresses.setdefault(job_id, []).append(progress)
        self._tell("progress", job_id)

    def done(self, job_id: int, outcome: Outcome) -> None:
        self.outcomes[job_id] = outcome
        self._tell("done", job_id)

    def lag(self, seconds: float) -> None:
        assert seconds >= 0

    def stuck(self, how: str) -> None:
        self.stuck_because = how

    def _tell(self, what: str, job_id: int) -> None:
        self.told.append((what, job_id))
        self._notice = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, what: str, job_id: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: (what, job_id) in self.told)


@asynccontextmanager
async def working(pipelines: int) -> AsyncIterator[tuple[Worker, Recorder]]:
    """A worker that serves, closed at the end."""
    recorder = Recorder()
    worker = Worker(WorkerSpec(pipelines, Scripted(pipelines), 30.0), recorder, LongRows())
    serving = asyncio.create_task(worker.serve())
    await recorder.until("ready", -1)
    try:
        yield worker, recorder
    finally:
        worker.close()
        assert await serving is None


async def test_progress_waits_until_the_last_one_was_seen(tmp_path: Path) -> None:
    """One progress is told; the next only after seen(), and then the latest; the end brings what was held back."""
    async with working(1) as (worker, recorder):
        worker.submit(7, file_job(tmp_path, "a", "ok"))
        await recorder.until("done", 7)
        assert [what for what, job_id in recorder.told if job_id == 7] == ["progress", "progress", "done"]
        assert recorder.progresses[7][-1].bytes_read == len(BODY)


async def test_seen_lets_the_held_progress_go(tmp_path: Path) -> None:
    """After seen() the latest progress held back is told at once, and without one nothing is."""
    async with working(1) as (worker, recorder):
        worker.submit(1, file_job(tmp_path, "a", "block"))
        await recorder.until("progress", 1)
        entry = worker._entries[1]
        for read in (100, 200):
            worker._progress(entry, FileProgress(0, read, Counts()))
        assert len(recorder.progresses[1]) == 1
        worker.seen(1)
        assert [one.bytes_read for one in recorder.progresses[1][1:]] == [200]
        worker.seen(1)
        worker.seen(99)
        assert len(recorder.progresses[1]) == 2


async def test_cancelled_in_the_queue_never_starts(tmp_path: Path) -> None:
    """A file cancelled while it waits is answered for at once and begins nothing; the next one runs."""
    async with working(1) as (worker, recorder):
        worker.submit(1, file_job(tmp_path, "first", "block"))
        worker.submit(2, file_job(tmp_path, "second", "ok"))
        worker.submit(3, file_job(tmp_path, "third", "ok"))
        await recorder.until("progress", 1)
        worker.cancel(2)
        assert recorder.outcomes == {2: None}
        worker.cancel(1)
        worker.cancel(1)  # again: must not interrupt the clean-up
        worker.cancel(99)  # unknown: has ended already
        await recorder.until("done", 3)
        assert recorder.outcomes[1] is None
        assert isinstance(recorder.outcomes[3], FileResult)
    assert (tmp_path / "first.aborted").exists()
    assert not (tmp_path / "second.begun").exists()


async def test_result_that_nobody_took_is_aborted(tmp_path: Path) -> None:
    """A finished file can be taken back: its pending uploads are aborted, and then its end is told."""
    async with working(1) as (worker, recorder):
        job = file_job(tmp_path, "a", "ok")
        worker.submit(1, job)
        await recorder.until("done", 1)
        result = recorder.outcomes[1]
        assert isinstance(result, FileResult)
        assert not (tmp_path / "a.aborted").exists()
        worker.discard(1, job, result)
        recorder.told.clear()
        await recorder.until("done", 1)
        assert recorder.outcomes[1] is None
        assert (tmp_path / "a.aborted").exists()


async def test_file_that_finishes_while_it_is_cancelled_is_aborted(tmp_path: Path) -> None:
    """A cancellation that comes just too late still leaves no upload behind and is told as a cancellation."""
    async with working(1) as (worker, recorder):
        worker.submit(1, file_job(tmp_path, "a", "ok"))
        # The very turn of the loop in which it has ended, and nobody has been told, is what is wanted.
        while (task := worker._entries[1].task) is None or not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert not recorder.outcomes
        worker.cancel(1)
        await recorder.until("done", 1)
        assert recorder.outcomes[1] is None
        assert (tmp_path / "a.aborted").exists()


async def test_memory_error_ends_the_worker(tmp_path: Path) -> None:
    """A worker out of memory does not go on: it stops its other files, answers for none, and returns the error."""
    recorder = Recorder()
    worker = Worker(WorkerSpec(2, Scripted(2), 30.0), recorder, LongRows())
    serving = asyncio.create_task(worker.serve())
    worker.submit(1, file_job(tmp_path, "beside", "block"))
    await recorder.until("progress", 1)
    worker.submit(2, file_job(tmp_path, "culprit", "memory"))
    assert isinstance(await serving, MemoryError)
    assert recorder.outcomes == {}
    assert (tmp_path / "beside.aborted").exists()


async def test_an_answered_file_is_forgotten(tmp_path: Path) -> None:
    """A worker keeps nothing about files it has answered for, however many there were."""
    async with working(2) as (worker, recorder):
        for job_id in range(30):
            worker.submit(job_id, file_job(tmp_path, f"f{job_id}", "ok"))
        for job_id in range(30):
            await recorder.until("done", job_id)
        assert not worker._entries
        assert not worker._discards
        assert worker._queue.empty()


async def test_discard_of_what_cannot_be_aborted_still_ends(tmp_path: Path) -> None:
    """A store that fails while a result is taken back keeps nobody waiting."""
    async with working(1) as (worker, recorder):
        job = file_job(tmp_path / "no such folder", "a", "ok")
        upload = PendingUpload("a", "id", ())
        worker.discard(5, job, FileResult(0, ObjectInfo("a", 0, ""), 0, Counts(), upload, upload))
        await recorder.until("done", 5)
        assert not worker._discards


async def test_discard_at_a_store_that_hangs_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer is given up, long before the worker would be taken for stuck."""
    monkeypatch.setattr("engine.bounded.BRIEF_S", 0.01)

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(MemoryStore, "abort", hang)
    async with working(1) as (worker, recorder), asyncio.timeout(10):
        job = file_job(tmp_path, "a", "ok")
        upload = PendingUpload("a", "id", ())
        worker.discard(5, job, FileResult(0, ObjectInfo("a", 0, ""), 0, Counts(), upload, upload))
        await recorder.until("done", 5)
        assert not worker._discards


def fail_twice() -> None:
    try:
        raise OSError("inner")
    except OSError as inner:
        raise SourceMissing("gone") from inner


def test_portable_keeps_no_frames(tmp_path: Path) -> None:
    """An error that leaves the worker holds no traceback, which would keep the pipeline's data alive."""
    job = file_job(tmp_path, "a", "ok")
    with pytest.raises(SourceMissing) as caught:
        fail_twice()
    sent = portable(caught.value, job)
    assert sent is caught.value
    assert (sent.__traceback__, sent.__cause__, sent.__context__) == (None, None, None)
    assert str(sent) == "batch-1: a.ok.csv: gone"
    assert str(portable(KeyError("x"), job)) == "batch-1: a.ok.csv: KeyError: 'x'"
    assert type(portable(KeyError("x"), job)) is EngineError
