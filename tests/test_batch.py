"""A batch becomes visible whole, or not at all, and says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.batch import Batch, Committed, run_batch
from engine.core.limits import Limits
from engine.errors import BatchFailed, DestinationExists, EngineError, Failure, LeaseLost, TransientError
from engine.manifest import Manifest
from engine.pool.open import Pool, open_pool
from engine.ports import ObjectInfo, PendingUpload, Upload
from tests.batches import DESTINATION, SOURCE, batch, fill, keys


class World:
    """Both stores, and a pool of two worker threads over them."""

    def __init__(self, stores: MemoryStores, pool: Pool, source: MemoryStore, destination: MemoryStore) -> None:
        self.stores, self.pool, self.source, self.destination = stores, pool, source, destination

    async def run(self, work: Batch, check_lease: Callable[[], None] = lambda: None) -> Committed:
        return await run_batch(
            work, pool=self.pool, stores=self.stores, policy="round_robin", limits=Limits(),
            on_files=lambda _: None, on_progress=lambda _: None, check_lease=check_lease,
        )  # fmt: skip

    async def nothing_is_left(self) -> None:
        assert await keys(self.destination) == []
        assert not self.destination.open_uploads()


class Stores(MemoryStores):
    """Memory stores whose destination can be one that misbehaves."""

    def __init__(self, destination: MemoryStore) -> None:
        super().__init__()
        self._stores[DESTINATION] = destination


async def _world(destination: MemoryStore) -> AsyncIterator[World]:
    stores = Stores(destination)
    async with open_pool("threads", 2, 2, stores) as pool:
        yield World(stores, pool, await stores.open(SOURCE), destination)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async for world in _world(MemoryStore("destination")):
        yield world


async def test_commits_every_file(world: World) -> None:
    """All outputs, the rejects and the manifest are there, and the manifest's figures are those of the objects."""
    names = await fill(world.source, 5)
    committed = await world.run(batch(names))
    assert not committed.before
    assert await keys(world.destination) == [
        *[f"out/b1/data/in/{number}.jsonl" for number in range(5)],
        "out/b1/manifest.json",
        *[f"out/b1/rejects/in/{number}.jsonl" for number in range(5)],
    ]
    manifest = Manifest.from_json(await world.destination.get("out/b1/manifest.json"))
    assert manifest == committed.manifest
    assert [file.source for file in manifest.files] == names
    assert (manifest.rows_read, manifest.rows_written, manifest.rows_rejected) == (15, 10, 5)
    for file in manifest.files:
        info = await world.destination.head(file.output.key)
        assert info == ObjectInfo(file.output.key, file.output.bytes, file.output.etag)
        assert file.errors == {"type-error": 1}
        assert file.labels == ["id", "name"]
    assert await world.destination.get("out/b1/data/in/0.jsonl") == b'{"id":0,"name":"r0"}\n{"id":1,"name":"r1"}\n'
    assert not world.destination.open_uploads()


async def test_a_prefix_means_all_objects_under_it(world: World) -> None:
    """Files given as a prefix are listed in key order; the markers that consoles make for folders are no files."""
    await fill(world.source, 3)
    await world.source.put("in/", b"")
    await world.source.put("other.csv", b"id,name\n1,a\n")
    committed = await world.run(batch("in/"))
    assert [file.source for file in committed.manifest.files] == ["in/0.csv", "in/1.csv", "in/2.csv"]


async def test_an_empty_prefix_fails(world: World) -> None:
    """A prefix without an object fails the batch and names the prefix."""
    with pytest.raises(BatchFailed, match="no object under memory-source/nowhere/"):
        await world.run(batch("nowhere/"))


async def test_a_missing_file_leaves_nothing(world: World) -> None:
    """One missing key among eight: it is named, nothing is visible and no upload is open."""
    names = await fill(world.source, 7)
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch([*names[:3], "in/gone.csv", *names[3:]]))
    assert [(error.file, error.code, error.batch) for error in caught.value.errors] == [
        ("in/gone.csv", "source-missing", "b1")
    ]
    assert caught.value.kind is Failure.PERMANENT
    await world.nothing_is_left()


async def test_a_committed_batch_is_not_run_again(world: World) -> None:
    """A batch whose manifest is there is done: its source is not even looked at."""
    names = await fill(world.source, 2)
    first = await world.run(batch(names))
    again = await world.run(batch(["in/not-there.csv"]))
    assert again == Committed(first.manifest, before=True)


async def test_refuses_or_replaces_an_earlier_output(world: World) -> None:
    """Where the output must be ours, a manifest in the way is refused; asked to replace it, nothing old stays."""
    names = await fill(world.source, 3)
    await world.run(batch(names))
    with pytest.raises(DestinationExists):
        await world.run(batch(names[:1], existing="refuse"))
    committed = await world.run(batch(names[:1], existing="replace"))
    assert not committed.before
    assert await keys(world.destination) == [
        "out/b1/data/in/0.jsonl",
        "out/b1/manifest.json",
        "out/b1/rejects/in/0.jsonl",
    ]


async def test_a_lost_lease_completes_nothing(world: World) -> None:
    """When the lease is lost before the commit, no upload is completed and all are discarded."""
    names = await fill(world.source, 3)

    def lost() -> None:
        raise LeaseLost("gone")

    with pytest.raises(BatchFailed) as caught:
        await world.run(batch(names), lost)
    assert caught.value.kind is Failure.LEASE_LOST
    await world.nothing_is_left()


class FailingComplete(MemoryStore):
    """Completes the first upload it is asked for, and no other."""

    first: str | None = None

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        self.first = self.first or upload.key
        if upload.key != self.first:
            raise TransientError("no", file=upload.key)
        return await super().complete(upload)


async def test_a_failed_complete_writes_no_manifest() -> None:
    """A store that fails in the middle of the commit leaves no manifest and no open upload; another try commits."""
    destination = FailingComplete("destination")
    async for world in _world(destination):
        names = await fill(world.source, 3)
        with pytest.raises(BatchFailed) as caught:
            await world.run(batch(names))
        assert caught.value.kind is Failure.TRANSIENT
        assert await destination.head("out/b1/manifest.json") is None
        assert not destination.open_uploads()


class ShortComplete(MemoryStore):
    """A store that loses the last byte."""

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        info = await super().complete(upload)
        return ObjectInfo(info.key, info.size - 1, info.etag)


async def test_bytes_that_do_not_add_up_stop_the_commit() -> None:
    """An object that is not as long as what was sent fails the batch with both figures, before the manifest."""
    destination = ShortComplete("destination")
    async for world in _world(destination):
        names = await fill(world.source, 1)
        with pytest.raises(BatchFailed, match=r"holds \d+ bytes, \d+ were sent") as caught:
            await world.run(batch(names))
        assert caught.value.errors[0].code == "conservation-error"
        assert await destination.head("out/b1/manifest.json") is None


class FailingAbort(FailingComplete):
    """Cannot discard uploads either."""

    async def abort(self, upload: PendingUpload) -> None:
        raise TransientError("the store is down")


async def test_failing_to_clean_up_does_not_hide_the_failure() -> None:
    """When aborting fails too, the batch still fails for its first reason, and the note says what was left."""
    destination = FailingAbort("destination")
    async for world in _world(destination):
        names = await fill(world.source, 2)
        with pytest.raises(BatchFailed) as caught:
            await world.run(batch(names))
        assert {error.message for error in caught.value.errors} == {"no"}
        cause = caught.value.__cause__
        assert cause is not None
        assert cause.__notes__[0] == "an upload was left open: the store is down"


class Gate(MemoryStore):
    """Holds every upload at its beginning until opened, on whatever loop; tells when one has arrived."""

    def __init__(self, arrived: Callable[[], object]) -> None:
        super().__init__("destination")
        self._arrived = arrived

    async def begin(self, key: str) -> Upload:
        upload = await super().begin(key)
        self._arrived()
        await asyncio.Event().wait()  # until cancelled
        return upload


async def test_cancellation_leaves_nothing() -> None:
    """A cancelled batch ends only when its files have ended, and leaves no visible object."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    async for world in _world(Gate(lambda: loop.call_soon_threadsafe(arrived.set))):
        names = await fill(world.source, 4)
        running = asyncio.create_task(world.run(batch(names)))
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await keys(world.destination) == []
        assert all(worker.running == worker.queued == 0 for worker in world.pool.statistics().workers)


async def test_two_runs_of_one_batch_commit_once(world: World) -> None:
    """Two runs of the same batch at once: both end well, one of them wrote the manifest."""
    names = await fill(world.source, 4)
    outcomes = await asyncio.gather(world.run(batch(names)), world.run(batch(names)))
    assert sorted(outcome.before for outcome in outcomes) in ([False, True], [True, True])
    assert outcomes[0].manifest == outcomes[1].manifest
    assert not world.destination.open_uploads()


async def test_keys_that_cannot_be_outputs_fail_the_batch(world: World) -> None:
    """A source key that would leave the batch's prefix fails the batch before anything is read."""
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch(["../up.csv"]))
    assert [(error.file, type(error).__mro__[1]) for error in caught.value.errors] == [("../up.csv", EngineError)]
    await world.nothing_is_left()


async def test_sizes_are_asked_for_when_they_decide(world: World) -> None:
    """Largest first asks for the files' sizes; a file that is missing then is still named when it is read."""
    await world.source.put("big.csv", b"id,name\n" + b"1,a\n" * 1000)
    await world.source.put("small.csv", b"id,name\n1,a\n")
    seen: list[int] = []
    await run_batch(
        batch(["small.csv", "big.csv"]), pool=world.pool, stores=world.stores, policy="largest_first", limits=Limits(),
        on_files=lambda files: seen.extend(file.size for file in files), on_progress=lambda _: None,
    )  # fmt: skip
    assert seen == [12, 4008]
    with pytest.raises(BatchFailed, match=r"gone\.csv: source-missing"):
        await run_batch(
            batch(["gone.csv"], batch_id="b2", root="b2/"), pool=world.pool, stores=world.stores,
            policy="largest_first", limits=Limits(), on_files=lambda _: None, on_progress=lambda _: None,
        )  # fmt: skip
