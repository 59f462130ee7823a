"""The pool with real threads and real spawned processes, on files that misbehave."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from random import Random

import pytest

from engine.core.transform import Counts
from engine.errors import ConfigError, EngineError, ShuttingDown, SourceMissing, WorkerDied
from engine.pipeline import FileProgress, FileResult
from engine.pool.build import Executor, is_free_threaded
from engine.pool.coordinator import WorkerStatistics
from engine.pool.open import Pool, open_pool
from tests.pool.scripted import BODY, READ_BYTES, NoPickle, NoStart, Scripted, file_job

HOW = {"exit": "SystemExit: 3", "interrupt": "KeyboardInterrupt", "memory": "MemoryError: no room", "kill": "SIGKILL"}


@pytest.fixture(params=["threads", pytest.param("processes", marks=pytest.mark.one_build("gil"))])
def executor(request: pytest.FixtureRequest) -> Executor:
    """Both executors. Processes start slowly, and are what a build with a GIL is for."""
    chosen: Executor = request.param
    return chosen


class Running:
    """A file given to the pool, and the moment its first piece has been read."""

    def __init__(self, pool: Pool, folder: Path, name: str, script: str, worker: int = 0) -> None:
        self.reading = asyncio.Event()
        self.seen: list[FileProgress] = []
        self.task = asyncio.create_task(pool.run(file_job(folder, name, script), worker, self._on_progress))

    def _on_progress(self, progress: FileProgress) -> None:
        self.seen.append(progress)
        self.reading.set()


def ignore(progress: FileProgress) -> None:
    """Nobody looks."""


def aborted(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.aborted")}


async def failed(work: Awaitable[FileResult]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011  each test looks at what it was
        await work
    return caught.value


async def test_files_run_to_their_results(executor: Executor, tmp_path: Path) -> None:
    """Every file given to every worker comes back as its own result, with progress on the caller's thread."""
    threads: set[int] = set()
    async with open_pool(executor, 2, 2, Scripted()) as pool:
        jobs = [file_job(tmp_path, f"f{index}", "ok", index) for index in range(8)]
        results = await asyncio.gather(
            *(pool.run(job, job.index % 2, lambda _: threads.add(threading.get_ident())) for job in jobs)
        )
        statistics = pool.statistics()
    assert [result.index for result in results] == list(range(8))
    assert [result.data.key for result in results] == [job.data_key for job in jobs]
    assert {result.bytes_read for result in results} == {len(BODY)}
    assert [result.counts for result in results] == [Counts(200, 200, 0)] * 8
    assert threads == {threading.get_ident()}
    assert [worker.finished for worker in statistics.workers] == [4, 4]
    pids = {(tmp_path / f"{job.data_key}.pid").read_text() for job in jobs}
    assert (len(pids), str(os.getpid()) in pids) == ((1, True) if executor == "threads" else (2, False))


async def test_last_progress_is_the_whole_file(executor: Executor, tmp_path: Path) -> None:
    """However many reports are merged, the last one told is the last one made."""
    async with open_pool(executor, 1, 1, Scripted()) as pool:
        file = Running(pool, tmp_path, "a", "ok")
        await file.task
    assert file.seen[-1].bytes_read == len(BODY)
    assert [one.bytes_read for one in file.seen] == sorted(one.bytes_read for one in file.seen)


async def test_slow_coordinator_is_not_flooded(executor: Executor, tmp_path: Path) -> None:
    """While the caller takes one report, the file's further ones become one, not a queue."""
    pieces = -(-len(BODY) // READ_BYTES)
    assert pieces > 5
    finished = tmp_path / "finished"
    os.mkfifo(finished)
    async with open_pool(executor, 1, 2, Scripted()) as pool:
        first = asyncio.Event()
        seen: list[int] = []

        def slow(progress: FileProgress) -> None:
            seen.append(progress.bytes_read)
            if not first.is_set():
                first.set()
                finished.read_bytes()  # blocks this loop until the file has been read to its end

        await pool.run(file_job(tmp_path, "a", "tell"), 0, slow)
    assert len(seen) <= 3
    assert seen[-1] == len(BODY)


@pytest.mark.parametrize(
    ("executor", "script"),
    # kill -9 of a thread is one of the whole process: see test_signals
    [
        *(("threads", script) for script in HOW if script != "kill"),
        *(pytest.param("processes", script, marks=pytest.mark.one_build("gil")) for script in HOW if script != "kill"),
        ("processes", "kill"),
    ],
)
async def test_death_fails_all_files_of_the_worker_and_it_is_replaced(
    executor: Executor, script: str, tmp_path: Path
) -> None:
    """A worker that dies fails its running and queued files by name and cause, others go on, a new one takes over."""
    async with open_pool(executor, 2, 2, Scripted()) as pool:
        other = Running(pool, tmp_path, "other", "block", worker=1)
        running = Running(pool, tmp_path, "running", "block")
        await running.reading.wait()
        culprit = Running(pool, tmp_path, "culprit", script)
        queued = Running(pool, tmp_path, "queued", "ok")
        for file, name in (
            (running, "running.block.csv"),
            (culprit, f"culprit.{script}.csv"),
            (queued, "queued.ok.csv"),
        ):
            error = await failed(file.task)
            assert isinstance(error, WorkerDied)
            assert (error.batch, error.file) == ("batch-1", name)
            for part in ("worker 0", HOW[script]):
                assert part in error.message
        if script != "kill":
            assert {"running", "culprit"} <= aborted(tmp_path)
        assert (await pool.run(file_job(tmp_path, "later", "ok"), 0, ignore)).bytes_read == len(BODY)
        await other.reading.wait()
        first, second = pool.statistics().workers
        assert (first.deaths, first.failed, first.finished, first.alive) == (1, 3, 1, True)
        assert (second.deaths, second.running, second.alive) == (0, 1, True)
        other.task.cancel()
        await asyncio.wait({other.task})


async def test_process_killed_from_outside(tmp_path: Path) -> None:
    """kill -9 of a worker process fails its file as killed, and the index works on in another process."""
    async with open_pool("processes", 1, 1, Scripted()) as pool:
        file = Running(pool, tmp_path, "a", "block")
        await file.reading.wait()
        pid = int((tmp_path / "a.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        error = await failed(file.task)
        assert isinstance(error, WorkerDied)
        assert f"process {pid}) was killed by SIGKILL" in str(error)
        await pool.run(file_job(tmp_path, "b", "ok"), 0, ignore)
        assert int((tmp_path / "b.pid").read_text()) != pid


async def test_deaths_in_a_row(executor: Executor, tmp_path: Path) -> None:
    """Each death is followed by a worker that works; nothing is used up."""
    async with open_pool(executor, 1, 1, Scripted()) as pool:
        for _ in range(3):
            assert isinstance(await failed(pool.run(file_job(tmp_path, "a", "exit"), 0, ignore)), WorkerDied)
        await pool.run(file_job(tmp_path, "b", "ok"), 0, ignore)
        assert pool.statistics().workers[0].deaths == 3


async def test_cancel_returns_after_the_abort(executor: Executor, tmp_path: Path) -> None:
    """When a cancelled caller is let go, its uploads are aborted; the worker's other files do not notice."""
    async with open_pool(executor, 1, 2, Scripted()) as pool:
        first = Running(pool, tmp_path, "first", "block")
        second = Running(pool, tmp_path, "second", "block")
        await asyncio.gather(first.reading.wait(), second.reading.wait())
        queued = Running(pool, tmp_path, "queued", "block")
        await asyncio.sleep(0)
        for file in (queued, first):
            file.task.cancel()
            assert isinstance(await failed(file.task), asyncio.CancelledError)
        assert aborted(tmp_path) == {"first"}
        assert not (tmp_path / "queued.begun").exists()
        assert not second.task.done()
        statistics = pool.statistics().workers[0]
        assert (statistics.running, statistics.queued, statistics.cancelled) == (1, 0, 2)
        second.task.cancel()
        assert isinstance(await failed(second.task), asyncio.CancelledError)
    assert aborted(tmp_path) == {"first", "second"}


@pytest.mark.parametrize("seed", range(3))
async def test_cancellation_at_any_moment_leaves_no_upload(executor: Executor, seed: int, tmp_path: Path) -> None:
    """Of many files cancelled at random turns of the loop, each is either finished or aborted, never both."""
    random = Random(seed)
    names = [f"f{n}" for n in range(60)]
    async with open_pool(executor, 2, 3, Scripted()) as pool:
        files = {name: Running(pool, tmp_path, name, "ok", worker=n % 2) for n, name in enumerate(names)}
        for name in random.sample(names, len(names) // 2):
            for _ in range(random.randrange(30)):
                await asyncio.sleep(0)
            files[name].task.cancel()
        await asyncio.wait([file.task for file in files.values()])
        statistics = pool.statistics()
    finished = {name for name, file in files.items() if not file.task.cancelled()}
    assert len(finished) >= len(names) // 2
    begun = {name for name in names if (tmp_path / f"{name}.begun").exists()}
    assert finished <= begun
    assert aborted(tmp_path) == begun - finished
    assert [(worker.running, worker.queued, worker.deaths) for worker in statistics.workers] == [(0, 0, 0)] * 2


async def test_file_that_cannot_be_cancelled(executor: Executor, tmp_path: Path) -> None:
    """A worker that does not stop a cancelled file in time is given up: its other files fail, another takes over."""
    async with open_pool(executor, 1, 2, Scripted(), grace_s=0.2) as pool:
        stuck = Running(pool, tmp_path, "stuck", "stubborn")
        beside = Running(pool, tmp_path, "beside", "block")
        await asyncio.gather(stuck.reading.wait(), beside.reading.wait())
        stuck.task.cancel()
        assert isinstance(await failed(stuck.task), asyncio.CancelledError)
        error = await failed(beside.task)
        assert isinstance(error, WorkerDied)
        assert "did not stop a cancelled file within 0.2 s" in error.message
        await pool.run(file_job(tmp_path, "later", "ok"), 0, ignore)
    for thread in threading.enumerate():  # one that was left behind ends as soon as its file lets it
        if thread.name.startswith("engine-worker"):
            await asyncio.to_thread(thread.join)
            assert "stuck" in aborted(tmp_path)


async def test_worker_that_dies_beside_a_file_that_cannot_be_cancelled(executor: Executor, tmp_path: Path) -> None:
    """A dying worker that cannot stop its other files in time does not keep anybody waiting for them."""
    async with open_pool(executor, 1, 2, Scripted(), grace_s=0.2) as pool:
        stuck = Running(pool, tmp_path, "stuck", "stubborn")
        await stuck.reading.wait()
        culprit = Running(pool, tmp_path, "culprit", "exit")
        for file in (stuck, culprit):
            error = await failed(file.task)
            assert isinstance(error, WorkerDied)
            assert "SystemExit: 3, and its files did not stop within 0.2 s" in error.message
        await pool.run(file_job(tmp_path, "later", "ok"), 0, ignore)
    for thread in threading.enumerate():
        if thread.name.startswith("engine-worker"):
            await asyncio.to_thread(thread.join)


async def test_closing_cancels_what_runs(executor: Executor, tmp_path: Path) -> None:
    """Leaving the pool aborts the uploads of running files, fails their callers, and leaves no thread or process."""
    async with open_pool(executor, 2, 1, Scripted()) as pool:
        running = Running(pool, tmp_path, "running", "block")
        await running.reading.wait()
        queued = Running(pool, tmp_path, "queued", "ok")
        await asyncio.sleep(0)
    for file in (running, queued):
        error = await failed(file.task)
        assert isinstance(error, ShuttingDown)
        assert error.batch == "batch-1"
    assert aborted(tmp_path) == {"running"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("engine-worker")]
    if executor == "processes":
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "running.pid").read_text()), 0)
    assert isinstance(await failed(pool.run(file_job(tmp_path, "late", "ok"), 0, ignore)), ShuttingDown)


async def test_errors_come_as_engine_errors(executor: Executor, tmp_path: Path) -> None:
    """Engine errors keep their class, others keep type and text; all name batch and file; the worker lives on."""
    async with open_pool(executor, 1, 1, Scripted()) as pool:
        missing = await failed(pool.run(file_job(tmp_path, "a", "missing"), 0, ignore))
        assert isinstance(missing, SourceMissing)
        assert (missing.message, missing.batch, missing.file) == ("gone", "batch-1", "a.missing.csv")
        value = await failed(pool.run(file_job(tmp_path, "b", "value"), 0, ignore))
        assert type(value) is EngineError
        assert (value.message, value.batch, value.file) == ("ValueError: odd", "batch-1", "b.value.csv")
        assert "in _value" in value.__notes__[0]
        locked = await failed(pool.run(file_job(tmp_path, "c", "unpicklable"), 0, ignore))
        assert isinstance(locked, EngineError)
        assert "holds a lock" in str(locked)
        itself = await failed(pool.run(file_job(tmp_path, "d", "uncalled"), 0, ignore))
        assert isinstance(itself, EngineError)
        assert "cancelled itself" in itself.message
        assert aborted(tmp_path) == {"a", "b", "c", "d"}
        statistics = pool.statistics().workers[0]
        assert (statistics.failed, statistics.deaths) == (4, 0)


async def test_at_most_m_files_at_once(executor: Executor, tmp_path: Path) -> None:
    """Of nine files given at once to a worker of three pipelines, three run together and never more."""
    async with open_pool(executor, 1, 3, Scripted(pipelines=3)) as pool:
        await asyncio.gather(*(pool.run(file_job(tmp_path, f"f{n}", "together"), 0, ignore) for n in range(9)))
    assert {name for name in os.listdir(tmp_path) if name.startswith("most.")} == {"most.3"}  # noqa: PTH208


async def test_all_threads_run_at_once(tmp_path: Path) -> None:
    """Files on different threads are in their code at the same moment, and on a free-threaded build without a GIL."""
    async with open_pool("threads", 2, 1, Scripted()) as pool:
        await asyncio.gather(*(pool.run(file_job(tmp_path, f"f{n}", "meet"), n, ignore) for n in range(2)))
    if is_free_threaded():
        assert not sys._is_gil_enabled()


async def test_failing_progress_callback_does_not_fail_the_file(executor: Executor, tmp_path: Path) -> None:
    """What on_progress raises goes to the loop's exception handler; the file comes to its result."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    def fails(progress: FileProgress) -> None:
        raise LookupError(progress.bytes_read)

    async with open_pool(executor, 1, 1, Scripted()) as pool:
        assert (await pool.run(file_job(tmp_path, "a", "ok"), 0, fails)).bytes_read == len(BODY)
    assert told
    assert {type(one) for one in told} == {LookupError}


async def test_workers_that_cannot_start(executor: Executor) -> None:
    """A pool whose workers cannot open their stores is an error at once, with the reason, and leaves nothing behind."""
    with pytest.raises(WorkerDied, match=r"worker 0.*could not start.*SourceMissing: no such folder"):
        async with open_pool(executor, 2, 1, NoStart()):
            pytest.fail("it started")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("engine-worker")]


async def test_what_does_not_pickle_cannot_go_to_a_process() -> None:
    """Stores that cannot reach a process are an engine error that says so."""
    with pytest.raises(EngineError, match="worker 0 could not be started: TypeError: cannot pickle"):
        async with open_pool("processes", 1, 1, NoPickle()):
            pytest.fail("it started")


async def test_pool_of_nothing_is_refused(executor: Executor) -> None:
    """Both numbers are checked, and both are reported."""
    with pytest.raises(ConfigError, match=r"pool\.workers: 0 is less than 1; pool\.pipelines: -1 is less than 1"):
        async with open_pool(executor, 0, -1, Scripted()):
            pytest.fail("it opened")


async def test_statistics_of_an_idle_pool(executor: Executor) -> None:
    """A fresh pool shows every worker alive and idle."""
    async with open_pool(executor, 2, 3, Scripted()) as pool:
        statistics = pool.statistics()
    assert (statistics.executor, statistics.pipelines) == (executor, 3)
    assert statistics.workers == tuple(WorkerStatistics(n, True, 0, 0, 0, 0, 0, 0, 0.0) for n in range(2))
