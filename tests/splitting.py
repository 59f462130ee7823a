"""Files read in ranges on one loop, over stores in memory, for the tests of what puts ranges together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.core.limits import Limits
from engine.errors import EngineError
from engine.longrows import LongRows, Room
from engine.pipeline import FileJob, FileProgress, FileResult, OnProgress, run_file
from engine.pool.coordinator import PoolStatistics
from engine.ports import PendingUpload, Stores
from engine.ranges import RangeJob, RangeResult, run_range
from engine.split import run_split
from tests.batches import DESTINATION, SOURCE, Watched, keys, mapping
from tests.batches import Stores as MemoryStores

__all__ = ["Inline", "Outcome", "Site", "small_ranges"]


def small_ranges() -> Iterator[None]:
    """The body of a fixture: what is counted in kilobytes and megabytes elsewhere is counted in bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.ranges._BEYOND_BYTES", 8)
        patch.setattr("engine.ranges._GUESS_BYTES", 40)
        patch.setattr("engine.ranges._CHUNK_BYTES", 32)
        patch.setattr("engine.split._REJECTS_BYTES", 300)
        yield


@dataclass(slots=True)
class Inline:
    """A pool whose workers are this loop's own tasks."""

    stores: Stores
    workers: int = 3
    pipelines: int = 2
    files: list[str] = field(default_factory=list)  # that were run as a whole
    ranges: list[RangeJob] = field(default_factory=list)
    before: Callable[[RangeJob], None] = lambda _: None
    # One long row at a time: that ranges wait for each other's memory must change nothing.
    long_rows: LongRows = field(default_factory=lambda: LongRows(Room(chunk=32, piece=8, row=1, total=1)))

    async def run(self, job: FileJob, worker: int, on_progress: OnProgress) -> FileResult:
        self.files.append(job.key)
        return await run_file(job, self.stores, on_progress, self.long_rows)

    async def run_range(self, job: RangeJob, worker: int, on_progress: OnProgress) -> RangeResult:
        assert 0 <= worker < self.workers
        self.ranges.append(job)
        self.before(job)
        return await run_range(job, self.stores, on_progress, self.long_rows)

    def statistics(self) -> PoolStatistics:
        raise NotImplementedError

    @property
    def again(self) -> list[RangeJob]:
        """The ranges that were run from a place where a record is known to begin, but for the first."""
        return [job for job in self.ranges if job.exact and job.start]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: its objects' bytes, the result; or the error."""

    data: Sequence[bytes] = ()
    rejects: bytes | None = None
    result: FileResult | None = None
    error: EngineError | None = None

    @property
    def said(self) -> tuple[Any, ...]:
        """What must not depend on how the file is read: text, rejects, counts; or the whole error."""
        if self.error is not None:
            return type(self.error), self.error.code, str(self.error), self.error.row
        assert self.result is not None
        return b"".join(self.data), self.rejects, self.result.counts, self.result.labels, self.result.bytes_read


class Site:
    """A source and a destination, and one file between them."""

    def __init__(self, *, read_bytes: int = 16, part_bytes: int = 48, least_bytes: int = 20) -> None:
        self.source = Watched("source", read_bytes=read_bytes)
        self.destination = Watched("destination", part_bytes=part_bytes, least_bytes=least_bytes)
        self.pool = Inline(MemoryStores(self.destination, self.source))
        self.progress: list[FileProgress] = []

    def job(
        self, size: int, split_bytes: int, key: str = "a.csv", limits: Limits | None = None, **rules: Any
    ) -> FileJob:
        made = mapping(**rules)
        return FileJob(
            batch_id="b1", index=0, source=SOURCE, key=key, version_id=None, size=size, destination=DESTINATION,
            data_key=f"out/data/a.{made.output.format}", rejects_key="out/rejects/a.jsonl", mapping=made.canonical,
            mapping_sha256=made.sha256, limits=limits or Limits(), split_bytes=split_bytes,
        )  # fmt: skip

    async def run(self, job: FileJob) -> FileResult:
        return await run_split(
            job, 0, pool=self.pool, source=self.source, destination=self.destination,
            turn=asyncio.Semaphore(1), on_progress=self.progress.append,
        )  # fmt: skip

    async def outcome(self, data: bytes, split_bytes: int, key: str = "a.csv", **rules: Any) -> Outcome:
        """What becomes of a file; whatever that is, nothing is left open."""
        await self.source.put(key, data)
        try:
            result = await self.run(self.job(len(data), split_bytes, key, **rules))
        except EngineError as error:
            await self.nothing_is_left()
            return Outcome(error=error)
        written = [await self._completed(upload) for upload in (result.data, *result.more)]
        rejects = await self._completed(result.rejects) if result.rejects is not None else None
        assert not self.destination.open_keys()
        return Outcome(written, rejects, result)

    async def _completed(self, upload: PendingUpload) -> bytes:
        await self.destination.complete(upload)
        return await self.destination.get(upload.key)

    async def nothing_is_left(self) -> None:
        assert await keys(self.destination) == []
        assert not self.destination.open_keys()
