"""One file streams through, and whatever happens nothing of it is left open or visible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.core.limits import Limits
from engine.errors import ConservationError, EngineError, SourceMissing, TransientError
from engine.pipeline import FileJob, FileProgress, run_file
from engine.ports import ObjectInfo, ObjectReader
from tests.batches import DESTINATION, SOURCE, keys, mapping


def job(key: str = "a.csv", replay: tuple[str, ...] | None = None) -> FileJob:
    return FileJob(
        batch_id="b1", index=3, source=SOURCE, key=key, version_id=None, size=0, destination=DESTINATION,
        data_key="out/a.jsonl", rejects_key="rejects/a.jsonl", mapping=mapping().canonical,
        mapping_sha256=mapping().sha256, limits=Limits(), replay=replay,
    )  # fmt: skip


class Source(MemoryStore):
    """A source whose reader says what the test wants: a size, and what happens after the last piece."""

    claimed: int | None = None
    at_end: asyncio.Event | None = None
    failure: Exception | None = None

    @asynccontextmanager
    async def read(  # type: ignore[override]  # a wider reader than the memory store's own
        self, key: str, *, version_id: str | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with super().read(key, version_id=version_id) as reader:
            yield _Reader(reader, self)


class _Reader:
    def __init__(self, reader: ObjectReader, source: Source) -> None:
        self._reader = reader
        self._source = source
        size = reader.info.size if source.claimed is None else source.claimed
        self.info = ObjectInfo(reader.info.key, size, reader.info.etag)

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._reader.__anext__()
        except StopAsyncIteration:
            if self._source.at_end is not None:
                self._source.at_end.set()
                await asyncio.Event().wait()  # until cancelled
            if self._source.failure is not None:
                raise self._source.failure from None
            raise


class World:
    def __init__(self) -> None:
        self.source = Source("source", read_bytes=7)
        self.destination = MemoryStore("destination")
        self.stores = MemoryStores()
        self.stores._stores |= {SOURCE: self.source, DESTINATION: self.destination}

    async def nothing_is_left(self) -> None:
        assert await keys(self.destination) == []
        assert not self.destination.open_uploads()


DATA = b"id,name\n1,a\nx,bad\n3,c\n"


async def test_a_file_becomes_two_pending_uploads() -> None:
    """The result tells what was read and holds the uploads; completing them makes exactly the output visible."""
    world = World()
    await world.source.put("a.csv", DATA)
    seen: list[FileProgress] = []
    result = await run_file(job(), world.stores, seen.append)
    assert await keys(world.destination) == []
    assert (result.index, result.bytes_read, result.source.size) == (3, len(DATA), len(DATA))
    assert result.labels == ("id", "name")
    assert (result.counts.rows_read, result.counts.rows_written, result.counts.rows_rejected) == (3, 2, 1)
    assert result.rejects is not None
    for upload in (result.data, result.rejects):
        await world.destination.complete(upload)
    assert await world.destination.get("out/a.jsonl") == b'{"id":1,"name":"a"}\n{"id":3,"name":"c"}\n'
    assert (await world.destination.get("rejects/a.jsonl")).count(b"\n") == 1
    assert [progress.bytes_read for progress in seen] == sorted(progress.bytes_read for progress in seen)
    assert seen[-1].done
    assert seen[-1].counts == result.counts


async def test_a_reject_file_is_replayed() -> None:
    """A job with labels reads reject records; what is rejected again is the record of the first run, byte for byte."""
    world = World()
    await world.source.put("a.csv", DATA)
    first = await run_file(job(), world.stores, lambda _: None)
    assert first.rejects is not None
    await world.destination.complete(first.rejects)
    records = await world.destination.get("rejects/a.jsonl")
    await world.source.put("a.jsonl", b'{"file":"b.csv","row":7,"line":8,"raw":"7,g"}\n' + records)
    result = await run_file(job("a.jsonl", ("id", "name")), world.stores, lambda _: None)
    assert (result.counts.rows_read, result.counts.rows_written, result.labels) == (2, 1, ("id", "name"))
    assert result.rejects is not None
    for upload in (result.data, result.rejects):
        await world.destination.complete(upload)
    assert await world.destination.get("out/a.jsonl") == b'{"id":7,"name":"g"}\n'
    assert await world.destination.get("rejects/a.jsonl") == records


async def test_no_rejects_no_reject_object() -> None:
    """A file without a bad row, or without a row, begins no reject upload; the data object is there, if empty."""
    for data in (b"id,name\n1,a\n", b"id,name\n", b""):
        world = World()
        await world.source.put("a.csv", data)
        result = await run_file(job(), world.stores, lambda _: None)
        assert result.rejects is None
        assert world.destination.open_uploads() == ("out/a.jsonl",)


async def test_bytes_that_do_not_add_up() -> None:
    """A store that ends before the size it told fails the file with both figures, and its uploads are gone."""
    world = World()
    await world.source.put("a.csv", DATA)
    world.source.claimed = len(DATA) + 1
    with pytest.raises(ConservationError, match=f"read {len(DATA)} bytes of an object of {len(DATA) + 1}") as caught:
        await run_file(job(), world.stores, lambda _: None)
    assert (caught.value.batch, caught.value.file) == ("b1", "a.csv")
    await world.nothing_is_left()


@pytest.mark.parametrize("failure", [TransientError("reset"), RuntimeError("a bug")])
async def test_a_failure_while_reading(failure: Exception) -> None:
    """Whatever a reader raises leaves the uploads aborted; our own errors get batch and file."""
    world = World()
    await world.source.put("a.csv", DATA)
    world.source.failure = failure
    with pytest.raises(type(failure)) as caught:
        await run_file(job(), world.stores, lambda _: None)
    if isinstance(caught.value, EngineError):
        assert (caught.value.batch, caught.value.file) == ("b1", "a.csv")
    await world.nothing_is_left()


async def test_a_missing_file() -> None:
    """A key that is not there is named, and nothing is left."""
    world = World()
    with pytest.raises(SourceMissing) as caught:
        await run_file(job("gone.csv"), world.stores, lambda _: None)
    assert caught.value.file == "gone.csv"
    await world.nothing_is_left()


async def test_cancellation() -> None:
    """Cancelled in the middle of a file, with rejects begun, it leaves nothing."""
    world = World()
    await world.source.put("a.csv", DATA)
    world.source.at_end = asyncio.Event()
    running = asyncio.create_task(run_file(job(), world.stores, lambda _: None))
    await world.source.at_end.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await world.nothing_is_left()


class FailingAbort(MemoryStore):
    """Begins uploads that cannot be aborted."""

    async def abort(self, upload: object) -> None:
        raise TransientError("down")

    def _discard(self, upload_id: str) -> None:
        raise TransientError("down")


async def test_failing_to_abort_does_not_hide_the_failure() -> None:
    """The first failure is what the caller hears of; that an upload was left open is noted on it."""
    world = World()
    world.destination = FailingAbort("destination")
    world.stores._stores[DESTINATION] = world.destination
    with pytest.raises(SourceMissing) as caught:
        await run_file(job("gone.csv"), world.stores, lambda _: None)
    assert caught.value.__notes__ == ["an upload was left open: down"]
