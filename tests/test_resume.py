"""A batch that comes again reads none of the files that it finished, unless they would become something else now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

import engine.checkpoint
from engine.adapters.memory import MemoryStore
from engine.batch import Batch, Effort, run_batch
from engine.checkpoint import checkpoint_key
from engine.core.limits import Limits
from engine.errors import (
    AccessDenied,
    BatchFailed,
    DestinationMissing,
    EngineError,
    OwnAccessDenied,
    TransientError,
    Unavailable,
)
from engine.manifest import Manifest
from engine.pipeline import FileProgress
from engine.ports import LocalLocation, PendingUpload
from engine.sources import SourceFile
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
    mapping,
    nothing,
    open_world,
)


async def clean(world: Watching, work: Batch) -> dict[str, bytes]:
    """What the batch would leave if nothing had ever gone wrong; run elsewhere."""
    async with open_world(world.source, MemoryStore("clean")) as other:
        await other.run(work)
        found = {key: await other.destination.get(key) for key in await keys(other.destination)}
    world.source.calls.clear()
    return found


async def is_as_clean(world: Watching, expected: dict[str, bytes]) -> None:
    """All is there, byte for byte, but for the id of the attempt; no checkpoint, no open upload."""
    found = {key: await world.destination.get(key) for key in await keys(world.destination)}
    assert found.keys() == expected.keys()
    for key, body in found.items():
        if key.endswith("manifest.json"):
            ours, theirs = Manifest.from_json(body), Manifest.from_json(expected[key])
            assert replace(ours, attempt="") == replace(theirs, attempt="")
        else:
            assert body == expected[key]
    assert not world.destination.open_keys()


@pytest.mark.parametrize("stopped", [at_complete, at_manifest])
async def test_no_byte_of_a_finished_file_is_read_again(world: Watching, stopped: Callable[[Call], bool]) -> None:
    """Stopped before the commit, or in it with every object visible and no manifest: the next attempt takes all files
    over, opens none, and commits what an attempt without a fault commits."""
    names = await fill(world.source, 4)
    expected = await clean(world, batch(names))
    await attempt(world, batch(names), stopped)
    committed = await world.run(batch(names))
    assert (committed.resumed, committed.before) == (4, False)
    assert world.source.count("read", "piece") == 0
    await is_as_clean(world, expected)


async def test_only_unfinished_files_are_read(world: Watching) -> None:
    """A file that fails half way is read again and its finished siblings are not; what it had uploaded is gone."""
    names = await fill(world.source, 3)
    expected = await clean(world, batch(names))
    finished = asyncio.Semaphore(0)  # belongs to the loop of the batch, which writes the checkpoints
    loop = asyncio.get_running_loop()

    async def fail(call: Call) -> None:
        if call.operation == "put" and call.done:
            finished.release()
        if call.operation == "finish" and call.key.endswith("data/in/1.jsonl") and not call.done:
            for _ in range(2):
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_acquire(finished), loop))
            raise TransientError("half way")

    world.destination.hook = fail
    with pytest.raises(BatchFailed):
        await world.run(batch(names))
    world.destination.hook = nothing
    world.source.calls.clear()
    assert len(await world.checkpoints()) == 2
    committed = await world.run(batch(names))
    assert committed.resumed == 2
    assert {call.key for call in world.source.calls if call.operation in ("read", "piece")} == {"in/1.csv"}
    await is_as_clean(world, expected)


async def _acquire(semaphore: asyncio.Semaphore) -> None:
    await semaphore.acquire()


@pytest.mark.parametrize("error", [Unavailable("down"), OwnAccessDenied("no"), DestinationMissing("gone")])
async def test_what_is_our_own_costs_no_finished_file(world: Watching, error: EngineError) -> None:
    """Where the destination is out, closed to us or gone, be it beside a failure of the client's, the message comes
    again: what is finished is kept for it, as a transient failure keeps it."""
    names = await fill(world.source, 2)

    async def fail(call: Call) -> None:
        if call.operation == "complete" and not call.done:
            raise error if call.key.endswith("data/in/0.jsonl") else AccessDenied("somebody else's")

    world.destination.hook = fail
    with pytest.raises(BatchFailed):
        await world.run(batch(names))
    world.destination.hook = nothing
    assert (await world.run(batch(names))).resumed == 2


async def test_progress_counts_what_was_taken_over(world: Watching) -> None:
    """Whoever watches is told of adopted files as of finished ones, with all their bytes and rows."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    told: list[FileProgress] = []
    await run_batch(
        batch(names), pool=world.pool, stores=world.stores, effort=Effort(), on_files=lambda _: None,
        on_progress=told.append,
    )  # fmt: skip
    assert sorted((each.index, each.counts.rows_read, each.done) for each in told) == [(0, 3, True), (1, 3, True)]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens between two attempts, and the batch that comes then."""

    name: str
    happens: Callable[[Watching], Awaitable[None]]
    then: Callable[[Batch], Batch] = lambda work: work
    limits: Limits | None = None
    of: Callable[[Batch], Batch] = lambda work: work  # the first attempt's
    read_again: int = 1  # of the two files


async def _no_change(_: Watching) -> None: ...


async def _replaced(world: Watching) -> None:
    await world.source.put("in/0.csv", b"id,name\n7,new\nx,bad\n")


async def _upload_gone(world: Watching) -> None:
    (upload,) = [one async for one in world.destination.open_uploads(ROOT + "data/in/0.jsonl")]
    await world.destination.abort(PendingUpload(upload.key, upload.upload_id, ()))


async def _rejects_gone(world: Watching) -> None:
    (upload,) = [one async for one in world.destination.open_uploads(ROOT + "rejects/in/0.jsonl")]
    await world.destination.abort(PendingUpload(upload.key, upload.upload_id, ()))


def _key() -> str:
    return checkpoint_key(ROOT, "in/0.csv", None)


async def _garbage(world: Watching) -> None:
    await world.destination.put(_key(), b"{}")


async def _cut_short(world: Watching) -> None:
    await world.destination.put(_key(), (await world.destination.get(_key()))[:-9])


def _version(version: str) -> Callable[[Batch], Batch]:
    return lambda work: replace(work, files=[SourceFile("in/0.csv", version), SourceFile("in/1.csv")])


CHANGES = [
    Change("etag", _replaced),
    Change("mapping", _no_change, lambda work: replace(work, mapping=mapping(on_error="null_value")), read_again=2),
    Change("limits", _no_change, limits=Limits(cell_bytes=1000), read_again=2),
    Change("version added", _no_change, _version("v1")),
    Change("version changed", _no_change, _version("v2"), of=_version("v1")),
    Change("version null replaced", _replaced, _version("null"), of=_version("null")),
    Change("same version", _replaced, _version("v1"), of=_version("v1"), read_again=0),
    Change("data upload gone", _upload_gone),
    Change("rejects upload gone", _rejects_gone),
    Change("garbage", _garbage),
    Change("cut short", _cut_short),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
async def test_what_no_longer_holds_is_done_again(world: Watching, change: Change) -> None:
    """A checkpoint counts only for the same work on the same object, and while its uploads are there: else its file is
    read again, what it had become is discarded, and the output is that of the second attempt's files and mapping."""
    names = await fill(world.source, 2)
    await attempt(world, change.of(batch(names)), at_complete)
    await change.happens(world)
    work = change.then(batch(names))
    world.destination.calls.clear()
    committed = await world.run(work, effort=Effort(limits=change.limits) if change.limits else None)
    assert committed.resumed == 2 - change.read_again
    assert world.source.count("read") == change.read_again
    if change.name != "same version":  # whose object was replaced all the same, which no store does
        await is_as_clean(world, await clean(world, work))


async def test_another_output_version_counts_for_nothing(world: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another engine's version left is discarded, all of it."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)
    monkeypatch.setattr(engine.checkpoint, "OUTPUT_VERSION", engine.checkpoint.OUTPUT_VERSION + 1)
    committed = await world.run(batch(names))
    assert (committed.resumed, world.source.count("read")) == (0, 2)
    await world.is_committed(names)


async def test_another_source_counts_for_nothing(world: Watching) -> None:
    """The same key and version of another bucket is another object."""
    names = await fill(world.source, 1)
    work = replace(batch(names), files=[SourceFile(names[0], "v1")])
    await attempt(world, work, at_complete)
    elsewhere = LocalLocation("elsewhere")
    world.stores._stores[elsewhere] = other = Watched("elsewhere")
    await other.put(names[0], b"id,name\n9,other\n")
    committed = await world.run(replace(work, source=elsewhere))
    assert committed.resumed == 0
    assert await world.destination.get(ROOT + "data/in/0.jsonl") == b'{"id":9,"name":"other"}\n'


async def test_a_checkpoint_without_an_answer_points_nowhere(world: Watching) -> None:
    """A checkpoint that was written, but not known to be: its uploads are aborted, and the next attempt drops it."""
    names = await fill(world.source, 1)
    await attempt(world, batch(names), lambda call: call.operation == "put" and call.done)
    assert len(await world.checkpoints()) == 1
    assert not world.destination.open_keys()
    committed = await world.run(batch(names))
    assert committed.resumed == 0
    await world.is_committed(names)


async def test_a_checkpoint_that_goes_while_it_is_looked_at(world: Watching) -> None:
    """Another attempt that commits and tidies up just now takes checkpoints away under our hands: no failure."""
    names = await fill(world.source, 2)
    await attempt(world, batch(names), at_complete)

    async def vanish(call: Call) -> None:
        if call.operation == "get" and "/checkpoints/" in call.key and not call.done:
            await MemoryStore.delete(world.destination, call.key)

    world.destination.hook = vanish
    committed = await world.run(batch(names))
    assert committed.resumed == 0
    await world.is_committed(names)


async def test_adopting_makes_a_checkpoint_young_again(world: Watching) -> None:
    """A checkpoint that an attempt counts on is as old as that attempt, which the janitor goes by; its bytes stay."""
    names = await fill(world.source, 1)
    await attempt(world, batch(names), at_complete)
    ((key, checkpoint),) = (await world.checkpoints()).items()
    await attempt(world, batch(names), at_complete)
    assert await world.checkpoints() == {key: checkpoint}
    await attempt(world, batch(names), lambda call: call.operation == "put" and call.key == key and not call.done)
