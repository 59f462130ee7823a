"""Cancelled at any await whatever, a file or a batch leaves nothing that nobody would find, and can be run again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from engine.adapters.local import LocalStore
from engine.adapters.memory import MemoryStore, MemoryStores
from engine.adapters.settings import StoreSettings
from engine.batch import Batch
from engine.errors import AccessDenied, EngineError, TransientError
from engine.manifest import Manifest
from engine.pipeline import run_file
from engine.ports import LocalLocation, ObjectStore
from tests.batches import (
    DESTINATION,
    ROOT,
    SOURCE,
    Call,
    Stores,
    Watched,
    Watching,
    attempt,
    batch,
    fill,
    keys,
    nothing,
)
from tests.test_pipeline import DATA, job


class Interrupted[T]:
    """Awaits a coroutine; at its suspension number ``at`` (from 1) the task that does so is cancelled."""

    def __init__(self, work: Coroutine[Any, Any, T], at: int) -> None:
        self._work = work
        self.left = at

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waited_for = steps.send(None) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.left -= 1
            if self.left == 0:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            error = None
            try:
                yield waited_for
            except BaseException as thrown:  # noqa: BLE001 # the cancellation, handed on to where it belongs
                error = thrown


async def _interrupt[T](work: Coroutine[Any, Any, T], at: int) -> Literal["cancelled", "failed", "done"]:
    """What became of ``work``, cancelled at its suspension number ``at``; ``done`` if it has fewer, or was too far."""

    async def run() -> int:
        interrupted = Interrupted(work, at)
        try:
            await interrupted
        except EngineError:
            return interrupted.left
        return 1  # as if it had not come to the suspension

    task = asyncio.create_task(run())
    await asyncio.wait({task})
    if task.cancelled():
        return "cancelled"
    return "failed" if task.result() < 1 else "done"


class _Failing(Watched):
    """Refuses the last bytes of every upload, so that a file fails when all of it is read."""

    def _keep(self, upload_id: str, key: str, body: bytes) -> None:
        raise TransientError("no")


async def _every_suspension_of_a_file(
    stores: Callable[[], MemoryStores], destination: LocalLocation, *, fails: bool
) -> int:
    """Runs one file again and again, cancelled at its first suspension, its second, ...; returns how many it has."""
    for at in range(1, 500):
        opened = stores()
        outcome = "?"
        progress: list[object] = []
        work = replace(job(), destination=destination)

        async def run(opened: MemoryStores = opened, progress: list[object] = progress, work: Any = work) -> None:
            await run_file(work, opened, progress.append)

        outcome = await _interrupt(run(), at)
        store: ObjectStore = await opened.open(destination)
        left = [upload.key async for upload in store.open_uploads("")]
        assert [info.key async for info in store.list("")] == []
        if outcome == "done":
            # Not interrupted: the uploads wait to be completed, or the failure has taken them with it.
            assert left == ([] if fails else ["out/a.jsonl", "rejects/a.jsonl"])
            return at - 1
        assert left == [], f"cancelled at suspension {at}"
    raise AssertionError("it never ends")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_file_at_every_suspension(fails: bool) -> None:
    """Wherever run_file is cancelled, also while it cleans up after a failure, no upload is open and none visible."""
    source = MemoryStore("source", read_bytes=7)
    await source.put("a.csv", DATA)

    def stores() -> MemoryStores:
        destination = (_Failing if fails else Watched)("destination")
        destination.hook = _suspend
        return Stores(destination, source)

    assert await _every_suspension_of_a_file(stores, DESTINATION, fails=fails) > 10


async def test_a_file_at_every_suspension_in_a_folder(tmp_path: Path) -> None:
    """The same where finishing an upload takes a thread: what that thread still does is cleaned up too."""
    source = MemoryStore("source", read_bytes=7)
    await source.put("a.csv", DATA)
    where = LocalLocation(str(tmp_path))

    def stores() -> MemoryStores:
        made = MemoryStores()
        made._stores |= {SOURCE: source, where: LocalStore(str(tmp_path), StoreSettings())}  # type: ignore[dict-item]
        return made

    assert await _every_suspension_of_a_file(stores, where, fails=False) > 10


def _quiet(world: Watching) -> None:
    for store in (world.source, world.destination):
        store.hook = nothing
        store.calls.clear()


class _At:
    """Cancels a batch at the operation number ``at`` of its stores, on whatever thread, and holds that operation until
    the cancellation arrives there. What is part of a clean-up is not interrupted; it goes on after ``patience_s``."""

    def __init__(self, at: int, patience_s: float) -> None:
        self._lock = threading.Lock()  # guards _calls
        self._calls = 0
        self.struck: Call | None = None
        self.task: asyncio.Task[object] | None = None
        self._loop = asyncio.get_running_loop()
        self._at, self._patience_s = at, patience_s

    async def __call__(self, call: Call) -> None:
        with self._lock:
            self._calls += 1
            this = self._calls == self._at
        if this and self.task is not None:
            self.struck = call
            self._loop.call_soon_threadsafe(self.task.cancel)
            try:
                async with asyncio.timeout(self._patience_s):
                    await asyncio.Event().wait()
            except TimeoutError:
                pass


async def _nothing_is_lost(world: Watching, work: Batch, where: str) -> None:
    """What must hold of both stores after an attempt that did not commit."""
    assert world.has_idle_workers(), where
    checkpoints = [found for found in (await world.checkpoints()).values() if found is not None]
    referred = {upload.upload_id: upload.key for found in checkpoints for upload in found.result.uploads}
    opened = [upload async for upload in MemoryStore.open_uploads(world.destination, "")]
    assert {upload.upload_id for upload in opened} <= set(referred), where
    there = await keys(world.destination)
    committing = world.destination.count("put", key=ROOT + "manifest.json") > 0
    if ROOT + "manifest.json" in there:
        assert Manifest.from_json(await MemoryStore.get(world.destination, ROOT + "manifest.json")).keys <= set(there)
    elif not committing:
        visible = {key for key in there if "/checkpoints/" not in key}
        assert visible <= set(referred.values()), where
        assert not visible or work.resumable, where


SCENARIOS = [
    "fresh", "resumed", "committed before", "not resumable", "denied", "not resumable, denied", "no checkpoints",
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_batch_at_every_operation_of_its_stores(world: Watching, scenario: str) -> None:
    """Cancelled before and after any operation on a store, by itself or one of its files, a batch leaves no upload that
    no checkpoint refers to and no busy worker; run again it commits, and nothing is left over."""
    names = await fill(world.source, 2)
    work = batch(names, existing="refuse" if "not resumable" in scenario else "done")
    again = batch(names, existing="replace" if "not resumable" in scenario else "done")
    at = 0
    while True:
        at += 1
        await _clear(world)
        if scenario == "resumed":
            await attempt(world, batch(names), lambda call: call.operation == "complete" and call.done)
        if scenario == "committed before":
            await world.run(batch(names))
            _quiet(world)
        fails = "denied" in scenario or scenario == "no checkpoints"
        strike = _At(at, patience_s=0.02 if fails else 2.0)

        async def hook(call: Call, strike: _At = strike) -> None:
            await strike(call)
            if "denied" in scenario and call.operation == "complete" and call.done:
                raise AccessDenied("no")
            if scenario == "no checkpoints" and call.operation == "put" and not call.done:
                raise TransientError("no")

        world.source.hook = world.destination.hook = hook
        strike.task = asyncio.create_task(world.run(work))
        await asyncio.wait({strike.task})
        where = f"cancelled at {at}: {strike.struck}"
        if not strike.task.cancelled():
            failed = strike.task.exception()
            assert (failed is not None) == fails, where
        await _nothing_is_lost(world, work, where)
        _quiet(world)
        await world.run(again)
        await world.is_committed(names)
        if strike.struck is None:
            break
    assert at > (7 if scenario == "committed before" else 20)  # or nothing was tried


@pytest.mark.parametrize("existing", ["done", "refuse"])
async def test_a_batch_at_every_suspension_of_its_own(world: Watching, existing: Literal["done", "refuse"]) -> None:
    """The same for every suspension of run_batch itself, where its files go on beside it."""
    names = await fill(world.source, 2)
    work = batch(names, existing=existing)
    for at in range(1, 500):
        await _clear(world)
        world.source.hook = world.destination.hook = _suspend
        outcome = await _interrupt(world.run(work), at)
        await _nothing_is_lost(world, work, f"suspension {at}")
        await world.run(work if existing == "done" else replace(work, existing="replace"))
        await world.is_committed(names)
        if outcome == "done":
            break
    assert at > (10 if existing == "done" else 5)  # or nothing was tried


async def _suspend(_: Call) -> None:
    await asyncio.sleep(0)


async def _clear(world: Watching) -> None:
    for key in await keys(world.destination):
        await MemoryStore.delete(world.destination, key)
    _quiet(world)
