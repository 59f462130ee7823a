"""One huge file on all workers: it is read in ranges, whose results are put together in their order.

Nobody can tell from the middle of a CSV file where a record begins. So a worker guesses, and says where it began and
where the last record of its range ended; a range counts only if it begins where the one before it ended, and is run
again from there if not. A guess costs time when it is wrong, and never decides anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import structlog

from engine.assembly import Assembly, Objects, Rejects, Text
from engine.bounded import uninterrupted
from engine.core.boundary import middle_of
from engine.core.decompress import is_plain
from engine.core.plan import Plan, cached_plan
from engine.core.reader import Middle
from engine.core.stepping.call import CallTally
from engine.core.transform import Counts, Verdict
from engine.errors import ConservationError, EngineError, EveryRowFailed, Failure
from engine.pipeline import FileJob, FileProgress, FileResult, OnProgress
from engine.pool.open import Pool
from engine.ports import ObjectInfo, ObjectStore
from engine.ranges import FAULTS, RangeJob, RangeResult

__all__ = ["run_split", "spans"]

log = structlog.get_logger()

_MOST_RANGES = 200  # each has its share of 10,000 part numbers
_AT_ONCE = 2  # ranges of a file that a worker has at a time: one waits for the network while the other is mapped
_HEAD_BYTES = 4 << 20  # of a file, in which its header must end
_REJECTS_BYTES = 8 << 20  # of reject records that a range may have in memory
_MISSES = 2  # wrong guesses in a row after which no more are made


@dataclass(frozen=True, slots=True)
class _Head:
    """What the beginning of a file tells."""

    info: ObjectInfo
    middle: Middle


def spans(size: int, split_bytes: int, workers: int) -> list[tuple[int, int]]:
    """The ranges of a file, in order: of about ``split_bytes``, of one size, as many for each worker."""
    count = -(-size // split_bytes)
    count = min(count + -count % workers, max(_MOST_RANGES, workers), size)
    return [(size * place // count, size * (place + 1) // count) for place in range(count)]


async def run_split(
    job: FileJob,
    worker: int,
    *,
    pool: Pool,
    source: ObjectStore,
    destination: ObjectStore,
    turn: asyncio.Semaphore,
    on_progress: OnProgress,
) -> FileResult:
    """Runs a file as :meth:`~engine.pool.open.Pool.run` does: in ranges on all workers where it is large and can be
    read from the middle, else whole on ``worker``.

    What a bad row makes the file fail with is left to a run of the whole file to say, which knows its row and line.

    Args:
        turn: of the batch's files that are read in ranges: every one of them keeps all workers busy, and results of
            its ranges in memory.

    Raises:
        EngineError: as :meth:`~engine.pool.open.Pool.run`.
    """
    if 0 < job.split_bytes < job.size and pool.workers > 1 and job.replay is None:
        plan = cached_plan(job.mapping, job.mapping_sha256, job.limits)
        head = await _look(job, plan, source)
        if head is not None:
            try:
                async with turn:
                    return await _Split(job, plan, head, pool, on_progress).run(destination)
            except EngineError as error:
                if not isinstance(error, FAULTS) or isinstance(error, EveryRowFailed):
                    error.at(batch=job.batch_id, file=job.key)
                    raise
                log.info("file read again as a whole", file=job.key, code=error.code, error=error.message)
    return await pool.run(job, worker, on_progress)


async def _look(job: FileJob, plan: Plan, source: ObjectStore) -> _Head | None:
    """What the file's first bytes tell; None where it is to be read as a whole. Then nothing is said about faults."""
    text = b""
    try:
        async with source.read(job.key, version_id=job.version_id) as reader:
            info = reader.info
            async for piece in reader:
                text += piece
                if not is_plain(job.key, plan.compression, text):
                    return None
                middle = middle_of(text, plan)
                if middle is not None:
                    return _Head(info, middle) if info.size > job.split_bytes else None
                if len(text) >= _HEAD_BYTES:
                    return None
    except EngineError:
        return None  # the run of the whole file meets it too, and knows what to say
    return None


class _Split:
    """A file being read in ranges. Used once, on one loop.

    Lanes, so many a worker, take the ranges in ascending order and have them run; no range waits for another one. The
    results are taken in the same order. So many ranges at most are ahead of that, with all that they hold in memory.
    """

    def __init__(self, job: FileJob, plan: Plan, head: _Head, pool: Pool, on_progress: OnProgress) -> None:
        self._job = job
        self._plan = plan
        self._head = head
        self._pool = pool
        self._on_progress = on_progress
        self._spans = spans(head.info.size, job.split_bytes, pool.workers)
        self._lanes = min(_AT_ONCE, pool.pipelines) * pool.workers
        self._results: list[asyncio.Future[RangeResult]] = []
        self._ahead = asyncio.Semaphore(self._lanes + pool.workers)
        self._guessing = True
        self._running = [0] * pool.workers  # ranges, by worker
        self._latest: dict[int, FileProgress] = {}  # of ranges not taken yet
        self._at = 0  # what comes before this byte is taken
        self._counts = Counts()
        self._lines = 0
        self._tallies: dict[str, CallTally] = {}

    async def run(self, destination: ObjectStore) -> FileResult:
        """Raises EngineError: the most telling of those of the ranges. Nothing is left then."""
        assembly = await self._begin(destination)
        rejects = Rejects(self._job, destination)
        try:
            try:
                async with asyncio.TaskGroup() as group:
                    for lane in range(self._lanes):
                        group.create_task(self._lane(lane % self._pool.workers, assembly))
                    group.create_task(self._gather(assembly, rejects))
            except ExceptionGroup as failed:
                raise _worst(failed) from failed
            return await self._finish(assembly, rejects)
        except BaseException as error:
            await uninterrupted(assembly.abort(error))
            await uninterrupted(rejects.abort(error))
            raise

    async def _begin(self, destination: ObjectStore) -> Assembly:
        key, ranges = self._job.data_key, len(self._spans)
        if self._plan.output.suffix == ".parquet":
            return Objects(destination, key, ranges)
        return await Text.begin(destination, key, ranges, -(-self._head.info.size // ranges))

    async def _lane(self, worker: int, assembly: Assembly) -> None:
        while True:
            await self._ahead.acquire()
            number = len(self._results)
            if number >= len(self._spans) or not self._guessing:
                self._ahead.release()  # for the next lane to see the same
                return
            result = asyncio.get_running_loop().create_future()
            self._results.append(result)
            start, stop = self._spans[number]
            result.set_result(await self._run(number, start, stop, worker, assembly, exact=number == 0))

    async def _run(
        self, number: int, start: int, stop: int, worker: int, assembly: Assembly, *, exact: bool
    ) -> RangeResult:
        job = RangeJob(
            file=self._job,
            source=self._head.info,
            start=start,
            stop=stop,
            exact=exact,
            middle=self._head.middle if start else None,
            output=assembly.output(number),
            rejects_bytes=_REJECTS_BYTES,
        )
        self._running[worker] += 1
        try:
            return await self._pool.run_range(job, worker, partial(self._progress, number))
        finally:
            self._running[worker] -= 1

    async def _gather(self, assembly: Assembly, rejects: Rejects) -> None:
        """Takes the ranges in order; runs those again that did not begin where the one before ended."""
        misses = 0
        for number, (_, stop) in enumerate(self._spans):
            result: RangeResult | None = None
            if number < len(self._results):
                result = await self._results[number]
            else:  # no lane will take it any more
                self._results.append(asyncio.get_running_loop().create_future())
                await self._ahead.acquire()
            first = True
            while self._at < stop:
                if result is None or result.start != self._at:
                    if result is not None:
                        await assembly.drop(result)
                        misses += 1
                        self._guessing = misses < _MISSES
                    idlest = self._running.index(min(self._running))
                    result = await self._run(number, self._at, stop, idlest, assembly, exact=True)
                elif first and number:
                    misses = 0
                await self._take(number, result, assembly, rejects)
                result, first = None, False
            if result is not None:  # all of it is inside a record of the ranges before
                await assembly.drop(result)
            self._latest.pop(number, None)
            self._ahead.release()

    async def _take(self, number: int, result: RangeResult, assembly: Assembly, rejects: Rejects) -> None:
        await rejects.take(result.rejects, rows=self._counts.rows_read, lines=self._lines)
        await assembly.take(number, result)
        if result.end <= self._at:
            raise ConservationError(f"a range from byte {self._at} on ended at byte {result.end}")
        self._latest.pop(number, None)
        self._at = result.end
        self._counts = self._counts.plus(result.counts)
        self._lines += result.lines
        for chain, tally in result.tallies.items():
            if chain in self._tallies:
                self._tallies[chain].add(tally)
            else:
                self._tallies[chain] = tally
        Verdict(self._plan.budget).rows(self._counts)

    async def _finish(self, assembly: Assembly, rejects: Rejects) -> FileResult:
        counts, info = self._counts, self._head.info
        Verdict(self._plan.budget).whole(counts, self._tallies)
        if self._at != info.size:
            raise ConservationError(f"read {self._at} bytes of an object of {info.size}")
        if counts.rows_read != counts.rows_written + counts.rows_rejected:
            raise ConservationError(
                f"{counts.rows_read} rows read, {counts.rows_written} written and {counts.rows_rejected} rejected"
            )
        data, *more = await assembly.finish()
        result = FileResult(
            index=self._job.index,
            source=info,
            bytes_read=self._at,
            counts=counts,
            data=data,
            rejects=await rejects.finish(),
            labels=self._head.middle.labels,
            more=tuple(more),
        )
        self._on_progress(FileProgress(self._job.index, self._at, counts, done=True))
        return result

    def _progress(self, number: int, progress: FileProgress) -> None:
        self._latest[number] = progress
        counts = self._counts
        for each in self._latest.values():
            counts = counts.plus(each.counts)
        read = min(self._head.info.size, self._at + sum(each.bytes_read for each in self._latest.values()))
        self._on_progress(FileProgress(self._job.index, read, counts))


def _worst(group: ExceptionGroup) -> BaseException:
    """The error that says most of why a file failed; a group that holds anything but the engine's is itself."""
    leaves = list(_leaves(group))
    engine = [error for error in leaves if isinstance(error, EngineError)]
    if len(engine) < len(leaves):
        return group
    return next((error for error in engine if error.failure is Failure.PERMANENT), engine[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
