"""What attempts left is discarded when a batch fails for good, by whoever still holds it, and never once committed."""

from __future__ import annotations

import asyncio

import pytest

from engine.adapters.memory import MemoryStore
from engine.errors import BatchFailed, Failure, LeaseLost
from engine.lease import NoLease
from engine.resume import abandon, adopt, discard
from tests.batches import (
    ROOT,
    Call,
    Watching,
    at_complete,
    at_manifest,
    attempt,
    batch,
    fill,
    keys,
    nothing,
    output_of,
)


class Held(NoLease):
    """A lease that can be lost."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise LeaseLost("lost")


async def test_a_permanent_failure_discards_what_earlier_attempts_left(world: Watching) -> None:
    """A batch that will not be tried again leaves nothing, wherever it fails: neither this attempt's files nor those
    of others, pending or visible already, once none of these can be alive."""
    names = await fill(world.source, 2)
    for stopped in (at_complete, at_manifest):
        for broken in ([*names, "in/gone.csv"], "nowhere/", ["../up.csv"]):
            await attempt(world, batch(names), stopped)
            world.age(hours=12.1)
            await MemoryStore.begin(world.destination, ROOT + "data/in/dead.jsonl")
            with pytest.raises(BatchFailed) as caught:
                await world.run(batch(broken))
            assert caught.value.kind is Failure.PERMANENT
            await world.nothing_is_left()


async def test_a_permanent_failure_of_a_worker_past_its_lease_discards_nothing(world: Watching) -> None:
    """The files may be what another worker counts on by now, or has committed."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    before, held = set(world.destination.open_keys()), Held()

    async def lose(call: Call) -> None:
        if call.operation == "read" and call.key == "in/gone.csv":
            held.lost = True

    world.source.hook = lose
    with pytest.raises(BatchFailed):
        await world.run(batch([*names, "in/gone.csv"]), held)
    assert set(world.destination.open_keys()) == before
    assert len(await world.checkpoints()) == 2
    world.source.hook = nothing
    assert (await world.run(batch(names))).resumed == 2


async def test_a_permanent_failure_after_anothers_commit_discards_nothing(world: Watching) -> None:
    """Where another attempt has committed meanwhile, what lies there is its output, adopted or not."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    other = asyncio.Event()

    async def commit_meanwhile(call: Call) -> None:
        if call.operation == "read" and call.key == "in/gone.csv" and not other.is_set():
            other.set()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run_other(), loop))

    async def run_other() -> None:  # and is killed before it tidies up
        await world.run(batch(names))
        for key, checkpoint in left.items():
            assert checkpoint is not None
            await MemoryStore.put(world.destination, key, checkpoint.to_json())

    left = await world.checkpoints()
    loop = asyncio.get_running_loop()
    world.source.hook = commit_meanwhile
    with pytest.raises(BatchFailed) as caught:
        await world.run(batch([*names, "in/gone.csv"]))
    assert caught.value.kind is Failure.PERMANENT
    assert set(output_of(names)) <= set(await keys(world.destination))


async def test_a_destination_that_hangs_does_not_hold_up_a_cancelled_batch(
    world: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while a checkpoint is on its way to a store that no longer answers, a batch gives up aborting the
    file's uploads as well."""
    monkeypatch.setattr("engine.bounded.BRIEF_S", 0.01)
    names, hung = await fill(world.source, 1), asyncio.Event()

    async def hang(call: Call) -> None:
        if call.operation in ("put", "abort") and not call.done:
            hung.set()
            await asyncio.Event().wait()

    world.destination.hook = hang
    running = asyncio.create_task(world.run(batch(names)))
    await hung.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await running
    assert world.destination.count("abort") == 2


async def test_only_a_holder_deletes_what_is_visible() -> None:
    """Discarding aborts what is pending whoever asks; a visible object is deleted under a lease that holds only, and
    only if it is that very upload's."""
    store, held = MemoryStore(), Held()
    upload = await store.begin("a")
    await upload.write(b"first")
    first = await upload.finish()
    await store.complete(first)
    held.lost = True
    with pytest.raises(LeaseLost):
        await discard(store, first, held)
    assert await store.get("a") == b"first"
    upload = await store.begin("a")
    second = await upload.finish()
    await discard(store, second, held)
    assert store.open_keys() == ()
    assert await store.get("a") == b"first"
    held.lost = False
    await discard(store, first, held)
    assert await keys(store) == []


async def test_a_copied_checkpoint_refers_to_nothing(world: Watching) -> None:
    """A folder that was copied while its batch ran: what its checkpoints name is the original's, and stays."""
    names = await fill(world.source, 1)
    await attempt(world, batch(names), at_complete)
    ((key, _),) = (await world.checkpoints()).items()
    copied = await world.destination.get(key)
    await world.run(batch(names))
    copy = key.replace(ROOT, "out/copy/")
    await world.destination.put(copy, copied)
    assert await adopt("out/copy/", [], world.source, world.destination, NoLease()) == {}
    await world.destination.put(copy, copied)
    await abandon("out/copy/", world.destination, NoLease())
    await world.is_committed(names)
