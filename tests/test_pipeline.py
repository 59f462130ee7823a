"""One file streams through, and whatever happens nothing of it is left open or visible."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.core.limits import Limits
from engine.core.mapping import Mapping, validate_mapping
from engine.errors import (
    CompressionError,
    ConservationError,
    EngineError,
    MemoryExceeded,
    SourceMissing,
    TransientError,
)
from engine.longrows import LongRows, Room
from engine.pipeline import FileJob, FileProgress, run_file
from engine.ports import ObjectInfo, ObjectReader, Upload
from tests.batches import DESTINATION, SOURCE, keys, mapping

MAPPING = mapping()
GZIPPED = validate_mapping({**json.loads(MAPPING.canonical), "csv": {"compression": "gzip"}}, "test")


def job(
    key: str = "a.csv",
    replay: tuple[str, ...] | None = None,
    *,
    mapping: Mapping = MAPPING,
    limits: Limits = Limits(),  # noqa: B008 # frozen
) -> FileJob:
    return FileJob(
        batch_id="b1", index=3, source=SOURCE, key=key, version_id=None, size=0, destination=DESTINATION,
        data_key="out/a.jsonl", rejects_key="rejects/a.jsonl", mapping=mapping.canonical,
        mapping_sha256=mapping.sha256, limits=limits, replay=replay,
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
        assert not self.destination.open_keys()


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
    # What the mapping says of its sources' compression does not hold for the engine's own records.
    result = await run_file(job("a.jsonl", ("id", "name"), mapping=GZIPPED), world.stores, lambda _: None)
    assert (result.counts.rows_read, result.counts.rows_written, result.labels) == (2, 1, ("id", "name"))
    assert result.rejects is not None
    for upload in (result.data, result.rejects):
        await world.destination.complete(upload)
    assert await world.destination.get("out/a.jsonl") == b'{"id":7,"name":"g"}\n'
    assert await world.destination.get("rejects/a.jsonl") == records


async def test_a_compressed_file() -> None:
    """It becomes what its text becomes; bytes read are those of the file, as the store has them."""
    world = World()
    file = gzip.compress(DATA[:12]) + gzip.compress(DATA[12:])
    for key, told in (("a.csv.gz", MAPPING), ("a.csv", MAPPING), ("a.csv", GZIPPED)):
        await world.source.put(key, file)
        seen: list[FileProgress] = []
        result = await run_file(job(key, mapping=told), world.stores, seen.append)
        assert (result.bytes_read, result.source.size, seen[-1].bytes_read) == (len(file), len(file), len(file))
        assert (result.counts.rows_read, result.counts.rows_written, result.counts.rows_rejected) == (3, 2, 1)
        await world.destination.complete(result.data)
        assert await world.destination.get("out/a.jsonl") == b'{"id":1,"name":"a"}\n{"id":3,"name":"c"}\n'


async def test_a_short_compressed_file() -> None:
    """Cut short, empty though it should not be, or followed by anything, it fails with the place; nothing is left."""
    file = gzip.compress(DATA)
    for data, what in ((file[:-1], "ends at byte"), (b"", "is empty"), (file + b"\0\0", f"begins at byte {len(file)}")):
        world = World()
        await world.source.put("a.csv.gz", data)
        with pytest.raises(CompressionError, match=what) as caught:
            await run_file(job("a.csv.gz"), world.stores, lambda _: None)
        assert (caught.value.code, caught.value.batch, caught.value.file) == ("compression-error", "b1", "a.csv.gz")
        await world.nothing_is_left()


async def test_a_body_cut_short_is_the_stores_fault() -> None:
    """A compressed file of which the store gave less than it has is not called damaged."""
    world = World()
    file = gzip.compress(DATA)
    await world.source.put("a.csv.gz", file[:-3])
    world.source.claimed = len(file)
    with pytest.raises(ConservationError, match=f"read {len(file) - 3} bytes of an object of {len(file)}"):
        await run_file(job("a.csv.gz"), world.stores, lambda _: None)
    await world.nothing_is_left()


async def test_others_go_on_between_the_steps_of_a_large_piece() -> None:
    """A piece that becomes much text does not keep the loop: others get their turn after every step."""
    world = World()
    world.source = Source("source", read_bytes=1 << 20)
    world.stores._stores[SOURCE] = world.source
    file = gzip.compress(b"id,name\n" + b"1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 500_000)
    assert len(file) < 1 << 20
    await world.source.put("a.csv.gz", file)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await run_file(job("a.csv.gz", mapping=MAPPING, limits=Limits(expansion_ratio=1000)), world.stores, lambda _: None)
    beside.cancel()
    assert turns >= 17  # MiB of text


async def test_the_limits_hold_for_a_bomb() -> None:
    """The ratio is the job's own."""
    world = World()
    await world.source.put("a.csv.gz", gzip.compress(b"id,name\n" + b"1,a\n" * 1_000_000))
    with pytest.raises(CompressionError, match=r"more than 7 times as many.*limits\.expansion_ratio"):
        await run_file(job("a.csv.gz", limits=Limits(expansion_ratio=7)), world.stores, lambda _: None)
    await world.nothing_is_left()


async def test_no_rejects_no_reject_object() -> None:
    """A file without a bad row, or without a row, begins no reject upload; the data object is there, if empty."""
    for data in (b"id,name\n1,a\n", b"id,name\n", b""):
        world = World()
        await world.source.put("a.csv", data)
        result = await run_file(job(), world.stores, lambda _: None)
        assert result.rejects is None
        assert world.destination.open_keys() == ("out/a.jsonl",)


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


class HungAbort(MemoryStore):
    """Never answers an abort."""

    async def begin(self, key: str) -> Upload:
        upload = await super().begin(key)

        async def hang() -> None:
            await asyncio.Event().wait()

        upload.abort = hang  # type: ignore[method-assign]
        return upload


async def test_an_abort_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that does not answer does not keep a file from failing; the note says what was left."""
    monkeypatch.setattr("engine.pipeline.ABORT_S", 0.01)
    world = World()
    world.destination = HungAbort("destination")
    world.stores._stores[DESTINATION] = world.destination
    with pytest.raises(SourceMissing) as caught:
        await run_file(job("gone.csv"), world.stores, lambda _: None)
    assert caught.value.__notes__ == ["an upload was left open: no answer"]
    assert world.destination.open_keys() == ("out/a.jsonl",)


@pytest.mark.parametrize("key", ["a.csv", "a.csv.gz"])
async def test_a_long_row_waits_for_memory(key: str) -> None:
    """A file whose text is more than a pipeline may hold by itself goes on when others have given memory back, and
    gives back what it took."""
    world = World()
    await world.source.put(key, gzip.compress(DATA) if key.endswith(".gz") else DATA)
    rows = LongRows(Room(chunk=5, piece=7, row=100, total=100))
    await rows.take(100)
    running = asyncio.create_task(run_file(job(key), world.stores, lambda _: None, rows))
    beside = asyncio.create_task(
        run_file(job(key), world.stores, lambda _: None)
    )  # in step with it, and counts nothing
    assert (await beside).counts.rows_read == 3
    assert not running.done()
    rows.give(100)
    assert (await running).counts.rows_read == 3
    await rows.take(100)


async def test_a_row_for_which_there_is_no_memory() -> None:
    """It fails its file, by name and row, and nothing is left open."""
    world = World()
    await world.source.put("a.csv", DATA)
    with pytest.raises(MemoryExceeded) as failed:
        await run_file(job(), world.stores, lambda _: None, LongRows(Room(chunk=5, piece=7, row=100, total=0)))
    assert (failed.value.file, failed.value.row) == ("a.csv", 1)
    await world.nothing_is_left()
