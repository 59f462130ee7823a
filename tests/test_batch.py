"""A batch becomes visible whole, or not at all, and says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from engine.adapters.memory import MemoryStore
from engine.batch import Committed, Effort, run_batch
from engine.checkpoint import checkpoint_key
from engine.errors import AccessDenied, BatchFailed, DestinationExists, EngineError, Failure, LeaseLost, TransientError
from engine.lease import NoLease
from engine.manifest import Manifest
from engine.ports import ObjectInfo, PendingUpload, Upload
from engine.resume import abandon, adopt, forget
from engine.sources import SourceFile, find_sources
from tests.batches import ROOT, SOURCE, World, batch, fill, keys, open_world

type Plain = World[MemoryStore, MemoryStore]


@pytest.fixture
async def world() -> AsyncIterator[Plain]:
    async with open_world(MemoryStore("source"), MemoryStore("destination")) as world:
        yield world


async def test_commits_every_file(world: Plain) -> None:
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
    assert not world.destination.open_keys()


async def test_a_prefix_means_all_objects_under_it(world: Plain) -> None:
    """Files given as a prefix are listed in key order; the markers that consoles make for folders are no files."""
    await fill(world.source, 3)
    await world.source.put("in/", b"")
    await world.source.put("other.csv", b"id,name\n1,a\n")
    committed = await world.run(batch("in/"))
    assert [file.source for file in committed.manifest.files] == ["in/0.csv", "in/1.csv", "in/2.csv"]


async def test_an_empty_prefix_fails(world: Plain) -> None:
    """A prefix without an object fails the batch and names the prefix."""
    with pytest.raises(BatchFailed, match="no object under memory-source/nowhere/"):
        await world.run(batch("nowhere/"))


async def test_a_prefix_has_its_bound(world: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """More objects than a message may name fail the batch for good, and are not listed any further."""
    monkeypatch.setattr("engine.sources.MAX_FILES", 3)
    await world.source.put("in/", b"")
    await fill(world.source, 3)
    assert len((await world.run(batch("in/"))).manifest.files) == 3
    await fill(world.source, 6)
    listed: list[str] = []

    class Endless(MemoryStore):
        async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
            async for info in world.source.list(prefix):
                listed.append(info.key)
                yield info

    world.stores._stores[SOURCE] = Endless()
    with pytest.raises(BatchFailed, match="prefix: more than 3 objects lie under memory-source/in/") as caught:
        await world.run(batch("in/", batch_id="b2", root="out/b2/"))
    assert caught.value.kind is Failure.PERMANENT
    assert len(listed) == 5


async def test_every_step_around_the_files_is_a_step_forward(world: Plain) -> None:
    """Listing, measuring, dropping, forgetting, abandoning: none of it, with thousands of files, is a stall."""

    class Counted(NoLease):
        steps = 0

        def advanced(self) -> None:
            self.steps += 1

        def taken(self) -> int:
            taken, self.steps = self.steps, 0
            return taken

    hold, to = Counted(), world.destination
    names = await fill(world.source, 20)
    await find_sources("in/", SOURCE, world.source, hold, sized=False)
    assert hold.taken() == 20
    await find_sources([SourceFile(name) for name in names], SOURCE, world.source, hold, sized=True)
    assert hold.taken() == 20

    async def leave() -> None:
        for name in names:
            await to.put(checkpoint_key(ROOT, name, None), b"garbage")
            await to.begin(f"{ROOT}data/{name}")

    for work in (forget(ROOT, to, hold), abandon(ROOT, to, hold), adopt(ROOT, [], world.source, to, hold)):
        await leave()
        await work
        assert hold.taken() == 80  # each listed and removed, checkpoints and uploads
        await world.nothing_is_left()


async def test_a_missing_file_leaves_nothing(world: Plain) -> None:
    """One missing key among eight: it is named, nothing is visible and no upload is open."""
    names = await fill(world.source, 7)
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch([*names[:3], "in/gone.csv", *names[3:]]))
    assert [(error.file, error.code, error.batch) for error in caught.value.errors] == [
        ("in/gone.csv", "source-missing", "b1")
    ]
    assert caught.value.kind is Failure.PERMANENT
    await world.nothing_is_left()


async def test_a_committed_batch_is_not_run_again(world: Plain) -> None:
    """A batch whose manifest is there is done: its source is not even looked at."""
    names = await fill(world.source, 2)
    first = await world.run(batch(names))
    again = await world.run(batch(["in/not-there.csv"]))
    assert again == Committed(first.manifest, before=True)


async def test_refuses_or_replaces_an_earlier_output(world: Plain) -> None:
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


async def test_a_lost_lease_completes_nothing(world: Plain) -> None:
    """When the lease is lost before the commit, no upload is completed and all are discarded."""
    names = await fill(world.source, 3)

    class Lost(NoLease):
        def check(self) -> None:
            raise LeaseLost("gone")

    with pytest.raises(BatchFailed) as caught:
        await world.run(batch(names), Lost())
    assert caught.value.kind is Failure.LEASE_LOST
    await world.nothing_is_left()


class FailingComplete(MemoryStore):
    """Completes the first upload it is asked for, and no other while ``failure`` is set."""

    first: str | None = None
    failure: EngineError | None = TransientError("no")

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        self.first = self.first or upload.key
        if self.failure is not None and upload.key != self.first:
            raise self.failure
        return await super().complete(upload)


async def test_a_failed_complete_writes_no_manifest() -> None:
    """A store that fails in the middle of the commit leaves no manifest; another try commits, and reads no file."""
    destination = FailingComplete("destination")
    async with open_world(MemoryStore("source"), destination) as world:
        names = await fill(world.source, 3)
        with pytest.raises(BatchFailed) as caught:
            await world.run(batch(names))
        assert caught.value.kind is Failure.TRANSIENT
        assert await destination.head("out/b1/manifest.json") is None
        destination.failure = None
        committed = await world.run(batch(names))
        assert committed.resumed == 3
        await world.is_committed(names)


class Short(MemoryStore):
    """A store that loses the last byte of every upload."""

    def _keep(self, upload_id: str, key: str, body: bytes) -> None:
        super()._keep(upload_id, key, body[:-1])


async def test_bytes_that_do_not_add_up_stop_the_commit() -> None:
    """An object that is not as long as what was sent fails the batch for good with both figures; nothing is left."""
    async with open_world(MemoryStore("source"), Short("destination")) as world:
        names = await fill(world.source, 1)
        with pytest.raises(BatchFailed, match=r"has \d+ bytes, \d+ were sent") as caught:
            await world.run(batch(names))
        assert {error.code for error in caught.value.errors} == {"conservation-error"}
        assert caught.value.kind is Failure.PERMANENT
        await world.nothing_is_left()


class FailingAbort(FailingComplete):
    """Cannot discard uploads either."""

    failure = AccessDenied("no")

    async def abort(self, upload: PendingUpload) -> None:
        raise TransientError("the store is down")


async def test_failing_to_clean_up_does_not_hide_the_failure() -> None:
    """When aborting fails too, the batch still fails for its first reason, and the note says what was left."""
    destination = FailingAbort("destination")
    async with open_world(MemoryStore("source"), destination) as world:
        names = await fill(world.source, 2)
        with pytest.raises(BatchFailed) as caught:
            await world.run(batch(names))
        assert {error.message for error in caught.value.errors} == {"no"}
        cause = caught.value.__cause__
        assert cause is not None
        assert "the store is down" in cause.__notes__[0]


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
    async with open_world(MemoryStore("source"), Gate(lambda: loop.call_soon_threadsafe(arrived.set))) as world:
        names = await fill(world.source, 4)
        running = asyncio.create_task(world.run(batch(names)))
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await keys(world.destination) == []
        assert world.has_idle_workers()


async def test_two_runs_of_one_batch_commit_once(world: Plain) -> None:
    """Two attempts at one batch at once, each fencing the other off and tried again: one of them writes the manifest,
    the other finds it, at once or after it was told that it was beaten, and tidies up what it has left."""
    names = await fill(world.source, 4)

    async def until_done() -> Committed:
        while True:
            try:
                return await world.run(batch(names))
            except BatchFailed as error:
                if error.kind not in (Failure.LEASE_LOST, Failure.TRANSIENT):
                    raise

    outcomes = await asyncio.gather(until_done(), until_done())
    assert sum(not outcome.before for outcome in outcomes) == 1
    await world.is_committed(names)


async def test_keys_that_cannot_be_outputs_fail_the_batch(world: Plain) -> None:
    """A source key that would leave the batch's prefix fails the batch before anything is read."""
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch(["../up.csv"]))
    assert [(error.file, type(error).__mro__[1]) for error in caught.value.errors] == [("../up.csv", EngineError)]
    await world.nothing_is_left()


async def test_sizes_are_asked_for_when_they_decide(world: Plain) -> None:
    """Largest first asks for the files' sizes; a file that is missing then is still named when it is read."""
    await world.source.put("big.csv", b"id,name\n" + b"1,a\n" * 1000)
    await world.source.put("small.csv", b"id,name\n1,a\n")
    seen: list[int] = []
    await run_batch(
        batch(["small.csv", "big.csv"]), pool=world.pool, stores=world.stores, effort=Effort(assign="largest_first"),
        on_files=lambda files: seen.extend(file.size for file in files), on_progress=lambda _: None,
    )  # fmt: skip
    assert seen == [12, 4008]
    with pytest.raises(BatchFailed, match=r"gone\.csv: source-missing"):
        await run_batch(
            batch(["gone.csv"], batch_id="b2", root="b2/"), pool=world.pool, stores=world.stores,
            effort=Effort(assign="largest_first"), on_files=lambda _: None, on_progress=lambda _: None,
        )  # fmt: skip
