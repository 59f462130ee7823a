"""What earlier attempts left, and this one does not count on, is removed."""

from __future__ import annotations

import pytest

from engine.adapters.memory import MemoryStore
from engine.errors import AccessDenied, BatchFailed, TransientError
from engine.lease import NoLease
from engine.resume import forget, sweep
from tests.batches import ROOT, Call, Watching, at_complete, at_manifest, attempt, batch, fill, keys, nothing


async def test_a_file_that_the_batch_no_longer_has(world: Watching) -> None:
    """What a file became that the second message does not name is discarded, also where it was visible already."""
    names = await fill(world.source, 3)
    await attempt(world, batch(names), at_manifest)
    assert ROOT + "data/in/2.jsonl" in await keys(world.destination)
    world.age(hours=12.1)
    committed = await world.run(batch(names[:2]))
    assert committed.resumed == 2
    await world.is_committed(names[:2])


async def test_a_file_that_became_another_discards_what_was_visible(world: Watching) -> None:
    """A source that was replaced when its old output was visible: old rejects go, though nothing replaces them."""
    names = await fill(world.source, 1)
    await attempt(world, batch(names), at_manifest)
    world.age(hours=12.1)
    await world.source.put(names[0], b"id,name\n7,good\n")
    await world.run(batch(names))
    assert await keys(world.destination) == [ROOT + "data/in/0.jsonl", ROOT + "manifest.json"]
    assert await world.destination.get(ROOT + "data/in/0.jsonl") == b'{"id":7,"name":"good"}\n'


async def test_all_uploads_but_the_adopted_are_swept(world: Watching) -> None:
    """When a batch starts, whatever is open below its folder and not adopted is aborted; other folders are spared."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    mine = set(world.destination.open_keys())
    stale = [ROOT + "data/in/0.jsonl", ROOT + "rejects/else.jsonl", "out/b10/data/a.jsonl", ROOT + "other/a"]
    for key in stale:
        await MemoryStore.begin(world.destination, key)

    async def look(call: Call) -> None:
        if call.operation == "complete" and not call.done:
            raise TransientError("only to look")

    world.destination.hook = look
    with pytest.raises(BatchFailed):
        await world.run(batch(names))
    assert sorted(world.destination.open_keys()) == sorted([*mine, *stale[2:]])


async def test_sweep_and_forget() -> None:
    """Sweep counts what it aborts, below data/ and rejects/ alone; forget removes every checkpoint as well."""
    store = MemoryStore()
    ids = {}
    for key in ("b/data/a", "b/data/b", "b/rejects/a", "b/datax", "c/data/a"):
        await store.begin(key)
    async for upload in store.open_uploads(""):
        ids[upload.key] = upload.upload_id
    assert await sweep("b/", store, NoLease(), keep={ids["b/data/b"]}) == 2
    assert store.open_keys() == ("b/data/b", "b/datax", "c/data/a")
    for key in ("b/checkpoints/1.json", "b/checkpoints/2.json", "b/checkpoint", "c/checkpoints/1.json"):
        await store.put(key, b"")
    await forget("b/", store, NoLease())
    assert store.open_keys() == ("b/datax", "c/data/a")
    assert await keys(store) == ["b/checkpoint", "c/checkpoints/1.json"]


async def test_leftovers_do_not_fail_a_committed_batch(world: Watching) -> None:
    """That what a committed batch needs no more cannot be removed is the janitor's business, not a failure."""
    names = await fill(world.source, 1)

    async def refuse(call: Call) -> None:
        if call.operation == "delete":
            raise AccessDenied("no")

    world.destination.hook = refuse
    assert not (await world.run(batch(names))).before
    assert (await world.run(batch(names))).before
    world.destination.hook = nothing
    await world.run(batch(names))
    await world.is_committed(names)
