"""The coordinator's side with a worker whose every word the test speaks, for moments too short to meet otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.core.transform import Counts
from engine.errors import EngineError, ShuttingDown, WorkerDied
from engine.pipeline import FileProgress, FileResult
from engine.pool.coordinator import Coordinator, LinkEvents
from engine.pool.worker import Job, Result, WorkerSpec
from engine.ports import ObjectInfo, PendingUpload
from tests.pool.scripted import Scripted, file_job

RESULT = FileResult(0, ObjectInfo("a", 0, ""), 0, Counts(), PendingUpload("a", "id", ()), None)
SPEC = WorkerSpec(2, Scripted(), 30.0)


class ToldLink:
    """Keeps what the worker is told; the test answers through ``events``."""

    made: list[ToldLink]

    def __init__(self, index: int, spec: WorkerSpec, events: LinkEvents) -> None:
        self.name = f"worker {index} (told)"
        self.events = events
        self.told: list[str] = []
        self.made.append(self)

    def submit(self, job_id: int, job: Job) -> None:
        self.told.append(f"submit {job_id}")

    def cancel(self, job_id: int) -> None:
        self.told.append(f"cancel {job_id}")

    def discard(self, job_id: int, job: Job, result: Result) -> None:
        assert result is RESULT
        self.told.append(f"discard {job_id}")

    def seen(self, job_id: int) -> None:
        self.told.append(f"seen {job_id}")

    def close(self) -> None:
        self.told.append("close")
        asyncio.get_running_loop().call_soon(self.events.ended, "ended")

    def kill(self) -> bool:
        self.told.append("kill")
        return False

    def join(self) -> None:
        self.told.append("join")


@asynccontextmanager
async def pool_of_one(start: type[ToldLink] = ToldLink) -> AsyncIterator[tuple[Coordinator, list[ToldLink]]]:
    """A ready pool and the links it has made so far."""
    links = start.made = []
    pool = Coordinator("threads", 1, SPEC, start)
    booting = asyncio.create_task(pool.boot())
    await asyncio.sleep(0)
    links[0].events.ready()
    await booting
    try:
        yield pool, links
    finally:
        await pool.aclose()


async def test_result_that_crosses_the_cancellation_is_discarded(tmp_path: Path) -> None:
    """A result already on its way when the caller is cancelled is taken back before the caller is let go."""
    async with pool_of_one() as (pool, (link,)):
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        link.events.done(0, RESULT)
        assert link.told == ["submit 0", "cancel 0", "discard 0"]
        await asyncio.sleep(0)
        assert not task.done()
        link.events.done(0, None)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_result_that_nobody_picked_up_is_discarded(tmp_path: Path) -> None:
    """A result that arrived in the same turn of the loop as the cancellation is taken back as well."""
    async with pool_of_one() as (pool, (link,)):
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        await asyncio.sleep(0)
        link.events.done(0, RESULT)
        task.cancel()
        await asyncio.sleep(0)
        assert link.told == ["submit 0", "discard 0"]
        assert not task.done()
        link.events.done(0, None)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_second_cancellation_does_not_cut_the_wait_short(tmp_path: Path) -> None:
    """However often the caller is cancelled, it is let go once, when the file has cleaned up."""
    async with pool_of_one() as (pool, (link,)):
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        link.events.done(0, EngineError("the abort failed"))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert link.told == ["submit 0", "cancel 0"]


async def test_every_progress_is_seen_even_if_nobody_wants_it(tmp_path: Path) -> None:
    """A withdrawn file's progress is not told any more, but its worker is not left waiting."""
    async with pool_of_one() as (pool, (link,)):
        wanted: list[FileProgress] = []
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, wanted.append))
        await asyncio.sleep(0)
        link.events.progress(0, FileProgress(0, 1, Counts()))
        task.cancel()
        await asyncio.sleep(0)
        link.events.progress(0, FileProgress(0, 2, Counts()))
        link.events.progress(5, FileProgress(0, 3, Counts()))
        link.events.done(0, None)
        await asyncio.wait({task})
        assert [one.bytes_read for one in wanted] == [1]
        assert link.told == ["submit 0", "seen 0", "cancel 0", "seen 0"]


async def test_replacement_that_cannot_start_is_tried_again_for_the_next_file(tmp_path: Path) -> None:
    """No start is repeated in a circle: a worker that ends before it was ready waits for the next file."""

    class Sometimes(ToldLink):
        """Cannot be made a second time."""

        def __init__(self, index: int, spec: WorkerSpec, events: LinkEvents) -> None:
            super().__init__(index, spec, events)
            if len(self.made) == 2:
                raise EngineError("no more processes")

    async with pool_of_one(Sometimes) as (pool, links):
        first = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        await asyncio.sleep(0)
        links[0].events.ended("was killed")
        with pytest.raises(WorkerDied, match=r"worker 0 \(told\) was killed"):
            await first
        assert not pool.statistics().workers[0].alive
        second = asyncio.create_task(pool.run(file_job(tmp_path, "b", "ok"), 0, print))
        await asyncio.sleep(0)
        links[2].events.ended("ended: OSError: no room")  # before it was ready
        with pytest.raises(WorkerDied, match="OSError: no room"):
            await second
        assert len(links) == 3
        third = asyncio.create_task(pool.run(file_job(tmp_path, "c", "ok"), 0, print))
        await asyncio.sleep(0)
        links[3].events.ready()
        links[3].events.done(2, RESULT)
        assert await third is RESULT
        assert pool.statistics().workers[0].deaths == 2


async def test_replacement_that_cannot_be_made_names_the_file(tmp_path: Path) -> None:
    """When not even an attempt at a replacement succeeds, the file that needed it fails by name."""

    class Once(ToldLink):
        """Can be made once."""

        def __init__(self, index: int, spec: WorkerSpec, events: LinkEvents) -> None:
            super().__init__(index, spec, events)
            if len(self.made) > 1:
                raise EngineError("no more processes")

    async with pool_of_one(Once) as (pool, links):
        links[0].events.ended("was killed")
        with pytest.raises(WorkerDied, match="no more processes") as caught:
            await pool.run(file_job(tmp_path, "a", "ok"), 0, print)
        assert (caught.value.batch, caught.value.file) == ("batch-1", "a.ok.csv")


async def test_worker_given_up_may_still_speak(tmp_path: Path) -> None:
    """What a worker tells after it was given up changes nothing for its replacement."""
    async with pool_of_one() as (pool, links):
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        await asyncio.sleep(0)
        links[0].events.stuck("ended, and its files did not stop")
        with pytest.raises(WorkerDied, match="its files did not stop"):
            await task
        links[1].events.ready()
        links[0].events.done(0, RESULT)
        links[0].events.ended("ended")
        statistics = pool.statistics().workers[0]
        assert (statistics.alive, statistics.deaths, statistics.finished) == (True, 1, 0)
        assert links[0].told == ["submit 0", "kill", "join"]


async def test_cancelled_close_gives_up_at_once(tmp_path: Path) -> None:
    """Closing that is cancelled kills what it was waiting for, and callers are told that the pool was closed."""

    class Deaf(ToldLink):
        """Does not end when told to."""

        def close(self) -> None:
            self.told.append("close")

    async with pool_of_one(Deaf) as (pool, (link,)):
        task = asyncio.create_task(pool.run(file_job(tmp_path, "a", "ok"), 0, print))
        await asyncio.sleep(0)
        closing = asyncio.create_task(pool.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ShuttingDown):
            await task
        assert link.told == ["submit 0", "close", "kill"]
