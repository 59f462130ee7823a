"""Batches with a file that is read in ranges: on a pool of workers, to the commit, and again."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.adapters.memory import MemoryStore
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.batch import Batch, Effort, run_batch
from engine.errors import BatchFailed, Failure, TransientError
from engine.manifest import Manifest
from engine.pipeline import FileProgress
from engine.pool.build import Executor
from engine.pool.open import open_pool
from engine.ports import LocalLocation
from engine.sources import SourceFile
from tests.batches import ROOT, Call, Watching, at_complete, batch, keys, mapping, nothing, open_watching
from tests.splitting import small_ranges

EFFORT = Effort(split_bytes=200)


@pytest.fixture(autouse=True, scope="module")
def ranges_are_small() -> Iterator[None]:
    yield from small_ranges()


@pytest.fixture
async def world() -> AsyncIterator[Watching]:
    async with open_watching() as world:
        await world.source.put("a.csv", people(500))
        await world.source.put("b.csv", people(3))
        yield world


def people(rows: int) -> bytes:
    return b"id,name\n" + b"".join(b"%d,n%d\n" % (row, row) if row % 9 else b"x,bad\n" for row in range(rows))


async def output(store: MemoryStore) -> dict[str, bytes]:
    return {key: await MemoryStore.get(store, key) for key in await keys(store) if not key.endswith("manifest.json")}


async def whole(world: Watching) -> dict[str, bytes]:
    """What the batch becomes unsplit."""
    work = batch(["a.csv", "b.csv"], root="whole/", batch_id="b0")
    await world.run(work)
    found = await output(world.destination)
    for key in await keys(world.destination):
        await world.destination.delete(key)
    world.source.calls.clear()
    world.destination.calls.clear()
    return {key.replace("whole/", ROOT): body for key, body in found.items()}


async def test_commits_what_an_unsplit_batch_commits(world: Watching) -> None:
    """On two threads, of sizes that nobody told before: the same objects, and the same entries in the manifest."""
    expected = await whole(world)
    committed = await world.run(batch(["a.csv", "b.csv"]), effort=EFFORT)
    assert world.source.count("read_range", key="a.csv") > 5
    assert world.source.count("read_range", key="b.csv") == 0
    assert await output(world.destination) == expected
    entry = committed.manifest.files[0]
    assert (entry.rows_read, entry.rows_rejected, entry.bytes_read) == (500, 56, len(people(500)))
    assert not world.destination.open_keys()
    assert world.has_idle_workers()


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
async def test_no_byte_is_read_again(world: Watching, format_name: str) -> None:
    """A file that was read in ranges leaves a checkpoint as others do: the next attempt takes all its objects over."""
    work = batch(["a.csv", "b.csv"], mapping=mapping(output={"format": format_name}))

    async def stop(call: Call) -> None:
        if at_complete(call):
            raise TransientError("stopped by the test")

    world.destination.hook = stop
    with pytest.raises(BatchFailed) as caught:
        await world.run(work, effort=EFFORT)
    assert caught.value.kind is Failure.TRANSIENT
    assert len(await world.checkpoints()) == 2
    world.destination.hook = nothing
    world.source.calls.clear()
    committed = await world.run(work, effort=EFFORT)
    assert committed.resumed == 2
    assert world.source.count("read", "read_range") == 0
    assert not world.destination.open_keys()
    assert set(await keys(world.destination)) == committed.manifest.keys | {f"{ROOT}manifest.json"}
    assert (len(committed.manifest.files[0].more_outputs) > 3) == (format_name == "parquet")


async def test_replacing_an_output_removes_all_of_it(world: Watching) -> None:
    """An output that replaces an older one leaves none of the objects that the older one had more."""
    parquet = mapping(output={"format": "parquet"})
    await world.run(batch(["a.csv"], mapping=parquet, existing="replace"), effort=EFFORT)
    assert len(await keys(world.destination)) > 5
    await world.run(batch(["a.csv"], mapping=parquet, existing="replace"))
    manifest = Manifest.from_json(await world.destination.get(f"{ROOT}manifest.json"))
    assert set(await keys(world.destination)) == manifest.keys | {f"{ROOT}manifest.json"}
    assert manifest.files[0].output.key == f"{ROOT}data/a.parquet"


async def test_a_file_that_another_one_could_be_taken_for(world: Watching) -> None:
    """Where a numbered object would have the key of another file's output, the file becomes one object."""
    await world.source.put("a.00001.csv", people(3))
    names = ["a.csv", "a.00001.csv"]
    await world.run(batch(names, mapping=mapping(output={"format": "parquet"})), effort=EFFORT)
    found = [key for key in await keys(world.destination) if "/data/" in key]
    assert found == [f"{ROOT}data/a.00001.parquet", f"{ROOT}data/a.parquet"]


async def test_cancelled_in_the_middle(world: Watching) -> None:
    """A batch that is cancelled while its workers read ranges leaves no upload open, and its workers without work."""
    loop, reading = asyncio.get_running_loop(), asyncio.Event()

    async def tell(call: Call) -> None:
        if call.operation == "read_range" and world.source.count("read_range") > 4:
            loop.call_soon_threadsafe(reading.set)

    world.source.hook = tell
    running = asyncio.create_task(world.run(batch(["a.csv"]), effort=EFFORT))
    await reading.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await world.nothing_is_left()
    assert world.has_idle_workers()


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
async def test_real_workers(executor: Executor, tmp_path: Path) -> None:
    """Over folders, with either executor: the same bytes. A worker process that is killed in the middle costs an
    attempt, and leaves nothing behind."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_bytes(people(40_000))
    factory = StoresFactory(StoreSettings(read_bytes=4096, part_bytes=16_384))
    source, kills = LocalLocation(str(tmp_path / "in")), 1 if executor == "processes" else 0

    def kill(progress: FileProgress) -> None:
        nonlocal kills
        if kills and progress.bytes_read > 20_000:
            kills -= 1
            multiprocessing.active_children()[0].kill()

    async def run(name: str, effort: Effort) -> dict[str, bytes]:
        root = tmp_path / name
        work = Batch("b1", mapping(), source, [SourceFile("a.csv")], LocalLocation(str(root)), "", existing="refuse")
        await run_batch(
            work, pool=pool, stores=stores, effort=effort, on_files=lambda _: None, on_progress=kill
        )  # fmt: skip
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and path.name != "manifest.json"
        }

    async with open_pool(executor, 2, 2, factory) as pool:
        stores = factory()
        split = await run("split", Effort(split_bytes=60_000, attempts=2))
        assert kills == 0
        assert split == await run("whole", Effort())
        assert len(split) == 2


async def test_only_transient_failures_are_tried_again(world: Watching) -> None:
    """A range that fails transiently costs the file an attempt, and the next one finds nothing in its way."""
    failures = 2

    async def fail(call: Call) -> None:
        nonlocal failures
        if call.operation == "piece" and failures and world.source.count("read_range") > 3:
            failures -= 1
            raise TransientError("by the test")

    expected = await whole(world)
    world.source.hook = fail
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.attempts._FIRST_PAUSE_S", 0.0)
        await world.run(batch(["a.csv", "b.csv"]), effort=Effort(split_bytes=200, attempts=3))
    assert failures == 0
    assert await output(world.destination) == expected
