"""A file is run again when its failure may pass, and only then; the others go on or are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine import attempts
from engine.adapters.memory import MemoryStore
from engine.attempts import run_files
from engine.core.limits import Limits
from engine.core.transform import Counts
from engine.errors import AccessDenied, EngineError, ShuttingDown, TransientError, WorkerDied
from engine.pipeline import FileJob, FileProgress, FileResult, OnProgress
from engine.pool.coordinator import PoolStatistics
from engine.ports import ObjectInfo, PendingUpload
from engine.ranges import RangeJob, RangeResult
from tests.batches import DESTINATION, SOURCE


def job(index: int, size: int = 0) -> FileJob:
    return FileJob(
        batch_id="b1", index=index, source=SOURCE, key=f"in/{index}.csv", version_id=None, size=size,
        destination=DESTINATION, data_key=f"b/data/{index}", rejects_key=f"b/rejects/{index}", mapping=b"{}",
        mapping_sha256="sha", limits=Limits(),
    )  # fmt: skip


def result(job: FileJob) -> FileResult:
    return FileResult(job.index, ObjectInfo(job.key, 1, "e"), 1, Counts(), PendingUpload(job.data_key, "u", ()), None)


class Scripted:
    """A pool of two workers whose files end as the test says: each run of a file takes its next error, or succeeds."""

    workers = 2
    pipelines = 2

    def __init__(self, script: dict[int, list[EngineError]] | None = None) -> None:
        self.script = script or {}
        self.runs: list[tuple[int, int]] = []  # file, worker
        self.forever: set[int] = set()
        self.cancelled: list[int] = []

    async def run(self, job: FileJob, worker: int, on_progress: OnProgress) -> FileResult:
        self.runs.append((job.index, worker))
        await asyncio.sleep(0)
        on_progress(FileProgress(job.index, 1, Counts()))
        if job.index in self.forever:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.append(job.index)
        if self.script.get(job.index):
            raise self.script[job.index].pop(0)
        return result(job)

    async def run_range(self, job: RangeJob, worker: int, on_progress: OnProgress) -> RangeResult:
        raise NotImplementedError

    def statistics(self) -> PoolStatistics:
        raise NotImplementedError


class Run:
    def __init__(self, pool: Scripted, count: int = 1, tries: int = 3) -> None:
        self.pool, self.jobs, self.tries = pool, [job(index) for index in range(count)], tries
        self.store = MemoryStore()
        self.finished: list[int] = []
        self.progress: list[int] = []
        self.on_finished: Callable[[int], None] = self.finished.append

    async def __call__(self) -> list[FileResult]:
        async def finished(job: FileJob, result: FileResult) -> None:
            assert result.index == job.index
            self.on_finished(job.index)

        return await run_files(
            self.jobs, pool=self.pool, policy="round_robin", attempts=self.tries, source=self.store,
            destination=self.store, finished=finished,
            on_progress=lambda progress: self.progress.append(progress.index),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits for real; the pauses that were asked for."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def at_once(delay_s: float) -> None:
        if delay_s:
            asked.append(delay_s)
        await sleep(0)

    monkeypatch.setattr("engine.attempts.asyncio.sleep", at_once)
    return asked


async def test_results_in_the_order_of_the_jobs() -> None:
    """Files go round the workers; each is reported finished, once; results are in the order of the jobs."""
    run = Run(Scripted(), 5)
    assert [found.index for found in await run()] == [0, 1, 2, 3, 4]
    assert sorted(run.pool.runs) == [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)]
    assert sorted(run.finished) == sorted(run.progress) == [0, 1, 2, 3, 4]
    assert await Run(Scripted(), 0)() == []


async def test_a_transient_failure_is_tried_again(pauses: list[float]) -> None:
    """On the same worker, after a pause that grows and is cut at random; other files are run once."""
    run = Run(Scripted({1: [TransientError("reset"), WorkerDied("gone")]}), 3)
    assert [found.index for found in await run()] == [0, 1, 2]
    assert sorted(run.pool.runs) == [(0, 0), (1, 1), (1, 1), (1, 1), (2, 0)]
    assert sorted(run.finished) == [0, 1, 2]
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 4


async def test_the_pause_has_a_bound(pauses: list[float]) -> None:
    """However often a file is tried, no pause is longer than twenty seconds."""
    run = Run(Scripted({0: [TransientError("reset") for _ in range(12)]}), tries=13)
    await run()
    assert len(pauses) == 12
    assert all(attempts._LONGEST_PAUSE_S / 2 <= pause <= attempts._LONGEST_PAUSE_S for pause in pauses[4:])


@pytest.mark.parametrize("tries", [1, 3])
async def test_enough_is_enough(tries: int) -> None:
    """A file that fails as often as it may be tried fails with its last error, and is tried no more."""
    errors: list[EngineError] = [TransientError(f"try {number}") for number in range(1, 6)]
    run = Run(Scripted({0: list(errors)}), tries=tries)
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.value.exceptions == (errors[tries - 1],)
    assert len(run.pool.runs) == tries
    assert run.finished == []


@pytest.mark.parametrize("error", [AccessDenied("no"), ShuttingDown("closed"), EngineError("a bug")])
async def test_other_failures_are_final(error: EngineError, pauses: list[float]) -> None:
    """What another try cannot mend is not tried again; the files beside it are cancelled, and their end awaited."""
    run = Run(Scripted({0: [error]}), 4)
    run.pool.forever = {1, 3}
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.value.exceptions == (error,)
    assert sorted(run.pool.cancelled) == [1, 3]
    assert pauses == []


async def test_files_that_fail_in_the_same_moment_are_all_named() -> None:
    """The group holds every error that came before the cancellation did."""
    run = Run(Scripted({index: [AccessDenied(str(index))] for index in range(3)}), 3)
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert sorted(str(error) for error in caught.value.exceptions) == ["0", "1", "2"]


async def test_a_failure_to_finish_is_a_failure() -> None:
    """What ``finished`` raises fails the batch; the file is not run again for it."""
    run = Run(Scripted(), 1)

    def refuse(_: int) -> None:
        raise TransientError("no checkpoint")

    run.on_finished = refuse
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert [str(error) for error in caught.value.exceptions] == ["no checkpoint"]
    assert len(run.pool.runs) == 1


async def test_what_a_dead_worker_left_open_is_aborted() -> None:
    """A worker that died cleaned up nothing: uploads of its file's keys are aborted, and of no other key, even one that
    begins so."""
    run = Run(Scripted({1: [WorkerDied("killed")]}), 2)
    for key in ("b/data/1", "b/data/1", "b/rejects/1", "b/data/10", "b/data/0"):
        await run.store.begin(key)
    await run()
    assert run.store.open_keys() == ("b/data/0", "b/data/10")


async def test_others_clean_up_after_themselves() -> None:
    """After any other failure what is open at the file's keys is not the file's: it may be another worker's."""
    run = Run(Scripted({0: [TransientError("reset")]}))
    await run.store.begin("b/data/0")
    await run()
    assert run.store.open_keys() == ("b/data/0",)


async def test_failing_to_abort_does_not_hide_the_death() -> None:
    """That the store is down when a worker has died is noted on the death."""

    class Down(MemoryStore):
        async def abort(self, upload: PendingUpload) -> None:
            raise TransientError("down")

    death = WorkerDied("killed")
    run = Run(Scripted({0: [death]}), tries=1)
    run.store = Down()
    await run.store.begin("b/data/0")
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.value.exceptions == (death,)
    assert death.__notes__ == ["an upload was left open: down"]


async def test_a_store_that_hangs_when_a_worker_has_died_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The death is told soon all the same, with what was left."""
    monkeypatch.setattr("engine.bounded.BRIEF_S", 0.01)

    class Hung(MemoryStore):
        async def abort(self, upload: PendingUpload) -> None:
            await asyncio.Event().wait()

    death = WorkerDied("killed")
    run = Run(Scripted({0: [death]}), tries=1)
    run.store = Hung()
    await run.store.begin("b/data/0")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(10):
            await run()
    assert caught.value.exceptions == (death,)
    assert death.__notes__ == ["an upload was left open: no answer within 0.01 s"]


async def test_many_files_take_no_more_tasks_than_few() -> None:
    """Of 50,000 files only what the workers have ahead is begun when the first fails: nobody cancels thousands."""
    run = Run(Scripted({0: [AccessDenied("no")]}), 50_000)
    run.pool.forever = set(range(1, 50_000))
    loop, made = asyncio.get_running_loop(), 0

    def make[T](loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=loop, **options)

    loop.set_task_factory(make)
    try:
        with pytest.raises(ExceptionGroup):
            await run()
    finally:
        loop.set_task_factory(None)
    assert made == len(run.pool.runs) == attempts._AHEAD * run.pool.workers * run.pool.pipelines


async def test_cancelled_while_it_waits_for_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation does not wait for a pause to end; the file is not run again."""
    paused = asyncio.Event()

    async def for_ever(_: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    run = Run(Scripted({0: [TransientError("reset")]}))
    first = asyncio.create_task(run())
    monkeypatch.undo()
    monkeypatch.setattr("engine.attempts.asyncio.sleep", for_ever)
    await paused.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(run.pool.runs) == 1
