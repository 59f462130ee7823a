"""The commit: every upload completed, then one manifest, by one attempt."""

from __future__ import annotations

import asyncio

import pytest

from engine.adapters.memory import MemoryStore
from engine.batch import Committed
from engine.commit import complete_all, publish
from engine.committing import MARK
from engine.core.transform import Counts
from engine.errors import AlreadyCommitted, BatchFailed, ConservationError, Failure, LeaseLost
from engine.lease import NoLease
from engine.manifest import Manifest
from engine.pipeline import FileResult
from engine.ports import ObjectInfo, PendingUpload
from tests.batches import (
    ROOT,
    Call,
    Watched,
    Watching,
    at_complete,
    at_manifest,
    attempt,
    batch,
    fill,
    keys,
    nothing,
    open_world,
)


class Counted(NoLease):
    """A lease that is lost after so many checks; counts what it is told."""

    def __init__(self, left: int = 1000) -> None:
        self.left = left
        self.checks = self.advances = 0

    def check(self) -> None:
        self.checks += 1
        self.left -= 1
        if self.left < 0:
            raise LeaseLost("lost")

    def advanced(self) -> None:
        self.advances += 1


async def finished(store: MemoryStore, index: int, *, rejects: bool = True) -> FileResult:
    """A file whose output waits to be completed."""

    async def upload(key: str, body: bytes) -> PendingUpload:
        begun = await store.begin(key)
        await begun.write(body)
        return await begun.finish()

    counts = Counts(rows_read=3, rows_written=2, rows_rejected=1, cells_nulled=4)
    counts.codes.update({"type-error": 1, "missing-cell": 2})
    return FileResult(
        index,
        ObjectInfo(f"in/{index}.csv", 9, "etag", "v1"),
        9,
        counts,
        await upload(f"b/data/{index}", b"data"),
        await upload(f"b/rejects/{index}", b"reject") if rejects else None,
        ("id", "name"),
    )


async def test_complete_all_makes_everything_visible_and_tells_what() -> None:
    """Every upload is completed, each after a look at the lease, each a step forward; the entries are in the order of
    the results, with the figures of the files and those of the objects as they lie there."""
    store, hold = MemoryStore(), Counted()
    results = [await finished(store, 1, rejects=False), await finished(store, 0)]
    entries = await complete_all(results, store, hold)
    assert (hold.checks, hold.advances) == (3, 3)
    assert [entry.source for entry in entries] == ["in/1.csv", "in/0.csv"]
    assert (entries[0].rejects, entries[1].version_id, entries[1].etag) == (None, "v1", "etag")
    assert entries[1].rejects is not None
    there = await store.head("b/rejects/0")
    assert there is not None
    assert (entries[1].rejects.key, entries[1].rejects.bytes, entries[1].rejects.etag) == (there.key, 6, there.etag)
    assert (entries[1].rows_read, entries[1].rows_written, entries[1].rows_rejected) == (3, 2, 1)
    assert (entries[1].cells_nulled, list(entries[1].errors.items())) == (4, [("missing-cell", 2), ("type-error", 1)])
    assert list(entries[1].labels) == ["id", "name"]
    assert not store.open_keys()
    assert await complete_all(results, store, hold) == entries  # once more does no harm


async def test_a_lease_lost_on_the_way_completes_no_further_upload() -> None:
    """Each Complete is preceded by a look at the lease of its own."""
    store = MemoryStore()
    results = [await finished(store, index, rejects=False) for index in range(40)]
    with pytest.raises(ExceptionGroup) as caught:
        await complete_all(results, store, Counted(left=10))
    assert caught.group_contains(LeaseLost)
    assert len(await keys(store)) == 10


async def test_a_lease_lost_before_the_manifest_writes_none() -> None:
    """The last look is the one before the manifest."""
    store = MemoryStore()
    with pytest.raises(LeaseLost):
        await publish(Manifest("b", "m", "s", [], attempt="a"), "b/", store, Counted(left=0))
    assert await keys(store) == []


async def test_one_manifest_only() -> None:
    """The second attempt to publish is told of the first by its id; the same attempt may publish again."""
    store = MemoryStore()
    mine, theirs = (Manifest("b", "m", "s", [], attempt=name) for name in ("mine", "theirs"))
    await publish(mine, "b/", store, NoLease())
    await publish(mine, "b/", store, NoLease())
    with pytest.raises(AlreadyCommitted, match=r"b/manifest\.json exists: another attempt \(mine\)"):
        await publish(theirs, "b/", store, NoLease())
    assert Manifest.from_json(await store.get("b/manifest.json")) == mine


class Short(Watched):
    """Keeps one byte less of one object than it was sent."""

    def _keep(self, upload_id: str, key: str, body: bytes) -> None:
        super()._keep(upload_id, key, body[:-1] if key.endswith("data/in/1.jsonl") else body)


async def test_conservation_errors_are_loud_and_for_good(world: Watching) -> None:
    """One object that is not what was sent: the batch fails with the figures, for good, and what was made visible
    before that was seen is deleted again."""
    names = await fill(world.source, 3)
    async with open_world(world.source, Short("destination")) as short:
        with pytest.raises(BatchFailed, match=r"data/in/1\.jsonl has \d+ bytes, \d+ were sent") as caught:
            await short.run(batch(names))
        assert caught.value.kind is Failure.PERMANENT
        assert [type(error) for error in caught.value.errors] == [ConservationError]
        await short.nothing_is_left()


async def test_an_upload_that_is_gone_is_written_again(world: Watching) -> None:
    """What a bucket's own rules aborted before the commit fails the attempt; the next one reads that file alone."""
    names = await fill(world.source, 2)

    async def expire(call: Call) -> None:
        if call.operation == "complete" and call.key == ROOT + "data/in/0.jsonl" and not call.done:
            async for upload in MemoryStore.open_uploads(world.destination, call.key):
                world.destination._discard(upload.upload_id)

    world.destination.hook = expire
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch(names))
    assert caught.value.kind is Failure.TRANSIENT
    world.destination.hook = nothing
    world.source.calls.clear()
    assert (await world.run(batch(names))).resumed == 1
    assert world.source.count("read") == world.source.count("read", key="in/0.csv") == 1
    await world.is_committed(names)


async def test_a_zombie_cannot_commit(world: Watching) -> None:
    """A worker that lost its message without noticing: the next attempt sweeps what it has open, and commits; the
    worker looks for a manifest before it completes anything. The batch is committed once; checkpoints are all that it
    leaves, and they go when the message comes again."""
    names = await fill(world.source, 2)
    reached, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hold(call: Call) -> None:  # the zombie stands still before its first checkpoint
        if call.operation == "put" and not call.done and not go_on.is_set():
            assert asyncio.get_running_loop() is loop
            reached.set()
            await go_on.wait()

    world.destination.hook = hold
    zombie = asyncio.create_task(world.run(batch(names)))
    await reached.wait()
    world.destination.hook = nothing
    committed = await world.run(batch(names))
    before = {key: await world.destination.get(key) for key in await keys(world.destination)}
    go_on.set()
    with pytest.raises(BatchFailed) as caught:
        await zombie
    assert caught.value.kind in (Failure.TRANSIENT, Failure.LEASE_LOST)  # had its last file been sent, or not yet
    after = {key: await world.destination.get(key) for key in await keys(world.destination)}
    assert {key: after[key] for key in before} == before
    assert all("/checkpoints/" in key for key in after.keys() - before.keys())
    assert not world.destination.open_keys()
    again = await world.run(batch(names))
    assert again == Committed(committed.manifest, before=True)
    await world.is_committed(names)


async def test_a_beaten_attempt_deletes_nothing(world: Watching) -> None:
    """Two attempts with all uploads in common, both in their commit: one manifest; the other raises AlreadyCommitted
    and leaves the winner's output as it is."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(call: Call) -> None:
        if at_manifest(call) and not reached.is_set():
            reached.set()
            await go_on.wait()

    world.destination.hook = hold
    slow = asyncio.create_task(world.run(batch(names)))
    await reached.wait()
    winner = await world.run(batch(names))
    world.destination.calls.clear()
    go_on.set()
    with pytest.raises(BatchFailed) as caught:
        await slow
    assert [error.code for error in caught.value.errors] == ["already-committed"]
    assert caught.value.kind is Failure.LEASE_LOST
    assert world.destination.count("delete", "abort") == 1
    assert world.destination.count("delete", key=ROOT + MARK) == 1  # its own mark
    await world.is_committed(names)
    assert Manifest.from_json(await world.destination.get(ROOT + "manifest.json")) == winner.manifest


async def test_a_manifest_whose_answer_was_lost_is_our_own(world: Watching) -> None:
    """Refused because the manifest is there, the attempt reads it, finds its own id and is the one that committed."""
    names = await fill(world.source, 1)

    class Lossy(Watched):
        async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
            await super().put(key, body, only_if_absent=only_if_absent)  # applied; then sent again below us
            return await super().put(key, body, only_if_absent=only_if_absent)

    async with open_world(world.source, Lossy("destination")) as lossy:
        committed = await lossy.run(batch(names))
        assert not committed.before
        await lossy.is_committed(names)


async def test_a_manifest_that_was_written_and_not_answered_is_found(world: Watching) -> None:
    """Where the answer to the manifest never comes, the batch fails transiently, and is found done the next time."""
    names = await fill(world.source, 2)
    await attempt(
        world, batch(names), lambda call: call.key.endswith("manifest.json") and call.operation == "put" and call.done
    )
    committed = await world.run(batch(names))
    assert committed.before
    assert world.source.calls == []
    await world.is_committed(names)
