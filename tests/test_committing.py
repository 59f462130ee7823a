"""Two receives of one message at once, none of which has lost it: no manifest ever names what is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

import pytest

from engine.adapters.memory import MemoryStore
from engine.batch import Batch, Committed
from engine.committing import MARK, announced, mark_key, may_be_named
from engine.errors import AlreadyCommitted, BatchFailed, Failure, TransientError
from engine.manifest import Manifest
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
    mapping,
    nothing,
)


class Slow:
    """A run that stands still where the test says, until it is let go."""

    def __init__(self, world: Watching, work: Batch, where: Callable[[Call], bool]) -> None:
        self._world, self._work, self._where = world, work, where
        self._go_on = asyncio.Event()

    async def __aenter__(self) -> Self:
        reached, loop = asyncio.Event(), asyncio.get_running_loop()

        async def hold(call: Call) -> None:
            if self._where(call) and asyncio.get_running_loop() is loop:
                self._world.destination.hook = nothing
                reached.set()
                await self._go_on.wait()

        self._world.destination.hook = hold
        self._running = asyncio.create_task(self._world.run(self._work))
        await reached.wait()
        return self

    async def finish(self) -> Committed:
        self._go_on.set()
        return await self._running

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.wait({self._running})


async def names_what_is_there(world: Watching) -> None:
    """The manifest is true: every object that it names lies there, and is the one."""
    manifest = Manifest.from_json(await world.destination.get(ROOT + "manifest.json"))
    for file in manifest.files:
        for entry in filter(None, (file.output, file.rejects)):
            info = await world.destination.head(entry.key)
            assert info is not None
            assert (info.size, info.etag) == (entry.bytes, entry.etag)


def last_complete(call: Call) -> bool:
    return call.operation == "complete" and call.done and call.key.endswith("rejects/in/1.jsonl")


@pytest.mark.parametrize("where", [last_complete, at_manifest])
async def test_one_that_fails_for_good_deletes_nothing_of_one_that_commits(
    world: Watching, where: Callable[[Call], bool]
) -> None:
    """The second receive meets a file that is gone while the first is in its commit, and discards what is left of the
    batch: what is completed stays, and the manifest that follows is true."""
    names = await fill(world.source, 2)
    async with Slow(world, batch(names), where) as slow:
        with pytest.raises(BatchFailed) as caught:
            await world.run(batch([*names, "in/gone.csv"]))
        assert caught.value.kind is Failure.PERMANENT
        await slow.finish()
    await names_what_is_there(world)
    await world.is_committed(names)


@pytest.mark.parametrize("changed", ["source", "mapping", "fewer files"])
async def test_one_that_would_have_to_delete_waits_for_one_that_commits(world: Watching, changed: str) -> None:
    """Source, mapping or files are others when the second receive begins: it fails transiently and leaves what is
    completed, and finds the batch done when it comes again."""
    names = await fill(world.source, 2)
    work = batch(names)
    async with Slow(world, work, at_manifest) as slow:
        if changed == "source":
            await world.source.put(names[0], b"id,name\n7,new\n")
        elif changed == "mapping":
            work = batch(names, mapping=mapping(on_error="null_value"))
        else:
            work = batch(names[:1])
        with pytest.raises(BatchFailed, match="another attempt may be about to commit") as caught:
            await world.run(work)
        assert caught.value.kind is Failure.TRANSIENT
        await slow.finish()
    await names_what_is_there(world)
    assert (await world.run(work)).before
    await world.is_committed(names)


async def test_whoever_commits_late_writes_over_nothing(world: Watching) -> None:
    """An attempt with uploads of its own that comes to its commit after another's looks for a manifest once more:
    nothing that is named is replaced."""
    names = await fill(world.source, 2)
    async with Slow(world, batch(names), lambda call: call.operation == "put" and MARK in call.key) as slow:
        for key in await world.checkpoints():  # the other began before these were written
            await world.destination.delete(key)
        committed = await world.run(batch(names))
        there = {key: await world.destination.get(key) for key in await keys(world.destination)}
        with pytest.raises(BatchFailed) as caught:
            await slow.finish()
    assert [type(error) for error in caught.value.errors] == [AlreadyCommitted]
    assert world.destination.count("complete") == 4
    assert {key: await world.destination.get(key) for key in await keys(world.destination)} == there
    assert not committed.before
    await names_what_is_there(world)


async def test_a_crash_in_the_commit_is_resumed_at_once(world: Watching) -> None:
    """The dead attempt's mark keeps nobody from taking over its files, visible or not; it goes with the commit."""
    names = await fill(world.source, 2)
    for where in (last_complete, at_manifest):
        async with Slow(world, batch(names), where):
            left = {key: await world.destination.get(key) for key in await keys(world.destination)}
        for key, body in left.items():  # as a process leaves them that is killed
            if "/checkpoints/" in key:
                await world.destination.put(key, body)
        assert any(MARK in key for key in await keys(world.destination))
        assert (await world.run(batch(names))).resumed == 2
        await world.is_committed(names)
        for key in await keys(world.destination):
            await world.destination.delete(key)


async def test_a_failed_complete_takes_its_mark_down(world: Watching) -> None:
    """An attempt that writes no manifest keeps nobody from anything: the next may discard what is visible at once."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), lambda call: at_complete(call) and call.key.endswith("rejects/in/1.jsonl"))
    assert not any(MARK in key for key in await keys(world.destination))
    assert any("/data/" in key for key in await keys(world.destination))
    work = batch(names, mapping=mapping(on_error="null_value"))
    assert (await world.run(work)).resumed == 0
    await names_what_is_there(world)


async def test_who_may_yet_be_named() -> None:
    """Another's young mark, or a manifest; not our own mark, nor an old one."""
    store = MemoryStore()
    assert not await may_be_named("b/", store)
    await store.put(mark_key("b/", "mine"), b"")
    assert await may_be_named("b/", store)
    assert not await may_be_named("b/", store, attempt="mine")
    assert not await may_be_named("b/", store, life_s=-1)
    assert not await may_be_named("c/", store)
    await store.put("c/manifest.json", b"{}")
    assert await may_be_named("c/", store)


async def test_the_mark_is_up_while_uploads_are_completed() -> None:
    """And after that; it is down where the body failed, or there was a manifest."""
    store = MemoryStore()
    async with announced("b/", "a1", store):
        assert await keys(store) == ["b/checkpoints/committing-a1"]
    assert await keys(store) == ["b/checkpoints/committing-a1"]
    with pytest.raises(TransientError):
        async with announced("b/", "a2", store):
            raise TransientError("no")
    await store.put("b/manifest.json", b"{}")
    with pytest.raises(AlreadyCommitted):
        async with announced("b/", "a3", store):
            raise AssertionError("not reached")
    assert await keys(store) == ["b/checkpoints/committing-a1", "b/manifest.json"]
