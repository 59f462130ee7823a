"""The janitor removes what dead attempts left, and nothing else, least of all what is committed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.adapters.local import LocalStore
from engine.adapters.memory import MemoryStore
from engine.adapters.settings import StoreSettings
from engine.checkpoint import checkpoint_key
from engine.committing import MARK, mark_key
from engine.errors import TransientError
from engine.janitor import Swept, sweep_destination
from tests.batches import Call, Watching, at_complete, at_manifest, attempt, batch, fill, keys, output_of

ALL = float("inf")


async def abandoned(world: Watching, name: str, *, visible: bool = False) -> list[str]:
    """Leaves a batch of two files that was never committed: pending, or visible already; returns its sources."""
    names = await fill(world.source, 2)
    work = batch(names, batch_id=name, root=f"out/{name}/")
    await attempt(world, work, at_manifest if visible else at_complete)
    if visible:
        world.age(hours=13.1)
    return names


async def begin(store: MemoryStore, *places: str) -> None:
    for key in places:
        await MemoryStore.begin(store, key)


async def youngest(store: MemoryStore) -> float:
    """A moment after which nothing that is there now was made or begun."""
    times = [info.modified or 0.0 async for info in MemoryStore.list(store, "")]
    times += [upload.begun async for upload in MemoryStore.open_uploads(store, "")]
    return max(times)


async def test_an_abandoned_batch_goes_whole(world: Watching) -> None:
    """Pending or visible, what a batch without a manifest left is removed with its checkpoints, and counted."""
    await abandoned(world, "pending")
    await abandoned(world, "visible", visible=True)
    await begin(world.destination, "out/third/data/a", "out/third/rejects/a.jsonl")
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(uploads=6, checkpoints=4)
    await world.nothing_is_left()
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(0, 0)


@pytest.mark.parametrize("sign", ["checkpoint", "mark"])
async def test_visible_output_is_spared_while_its_batch_may_be_alive(world: Watching, sign: str) -> None:
    """Asked to spare nothing, the janitor still deletes no visible object whose checkpoint, or the mark of an attempt
    beside it, is younger than 13 hours, and keeps the checkpoint; a dry run says so. The batch can be resumed."""
    names = await abandoned(world, "b", visible=True)
    before = set(await keys(world.destination))
    for key in before:
        if ("committing-" in key) == (sign == "mark") and "/checkpoints/" in key:
            await world.destination.put(key, await world.destination.get(key))
    for dry_run in (True, False):
        assert await sweep_destination(world.destination, "out/", before=ALL, dry_run=dry_run) == Swept(0, 0)
    assert set(await keys(world.destination)) == {key for key in before if sign == "mark" or MARK not in key}
    assert (await world.run(batch(names, batch_id="b", root="out/b/"))).resumed == 2
    await world.is_committed(names, "out/b/")


async def test_a_batch_that_commits_just_before_the_delete_keeps_its_output(world: Watching) -> None:
    """An attempt that nobody can have known of writes its manifest between the look at an object and its end: it is
    looked for once more."""
    await abandoned(world, "b", visible=True)

    async def commit(call: Call) -> None:
        if call.operation == "standing" and call.done:
            world.destination.hook = _nothing
            await MemoryStore.put(world.destination, "out/b/manifest.json", b"{}")

    world.destination.hook = commit
    before = set(await keys(world.destination))
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(0, 0)
    assert {key for key in before if "/checkpoints/" not in key} < set(await keys(world.destination))


async def test_marks_go_when_they_tell_nothing_any_more(world: Watching) -> None:
    """Those of a committed batch at once, those of dead attempts when they are old, with checkpoints or without."""
    for name in ("old", "young", "done"):
        await world.destination.put(mark_key(f"out/{name}/", "a" * 32), b"")
        if name == "old":
            world.age(hours=13.1)
    await world.destination.put("out/done/manifest.json", b"{}")
    await sweep_destination(world.destination, "out/", before=ALL)
    assert await keys(world.destination) == ["out/done/manifest.json", mark_key("out/young/", "a" * 32)]


async def test_a_dry_run_tells_the_same_and_removes_nothing(world: Watching) -> None:
    """It counts what the real run then removes."""
    await abandoned(world, "pending")
    await abandoned(world, "visible", visible=True)
    await begin(world.destination, "out/third/data/a")
    before = (await keys(world.destination), world.destination.open_keys())
    told = await sweep_destination(world.destination, "out/", before=ALL, dry_run=True)
    assert (await keys(world.destination), world.destination.open_keys()) == before
    assert await sweep_destination(world.destination, "out/", before=ALL) == told


async def test_a_committed_batch_keeps_its_output(world: Watching) -> None:
    """Of a committed batch only leftovers go, whatever their age: checkpoints, and uploads that they refer to."""
    names = await abandoned(world, "done")
    left = await world.checkpoints()
    await world.run(batch(names, batch_id="done", root="out/done/"))
    for key, checkpoint in left.items():  # as if the worker had been killed just after the manifest
        assert checkpoint is not None
        await MemoryStore.put(world.destination, key, checkpoint.to_json())
    assert await sweep_destination(world.destination, "out/", before=0.0) == Swept(uploads=0, checkpoints=2)
    await world.is_committed(names, "out/done/")
    await begin(world.destination, "out/done/data/in/0.jsonl")
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(uploads=1, checkpoints=0)
    await world.is_committed(names, "out/done/")


async def test_what_is_younger_is_spared_and_all_that_it_needs(world: Watching) -> None:
    """By age: an old attempt goes; a young checkpoint stays with the uploads that it refers to, however old these are,
    and its batch can be resumed."""
    names = await abandoned(world, "young")
    await abandoned(world, "old")
    moment = await youngest(world.destination)
    for key, checkpoint in (await world.checkpoints()).items():
        if key.startswith("out/young/") and checkpoint is not None:
            await MemoryStore.put(world.destination, key, checkpoint.to_json())
    await begin(world.destination, "out/other/data/young")
    before = min([info.modified or 0.0 async for info in MemoryStore.list(world.destination, "out/young/")])
    assert before > moment
    assert await sweep_destination(world.destination, "out/", before=before) == Swept(uploads=4, checkpoints=2)
    assert world.destination.open_keys()[0] == "out/other/data/young"
    committed = await world.run(batch(names, batch_id="young", root="out/young/"))
    assert committed.resumed == 2


async def test_nothing_young_is_touched(world: Watching) -> None:
    """Before the oldest of it was made, nothing is to be removed."""
    await abandoned(world, "pending")
    await abandoned(world, "visible", visible=True)
    before = (await keys(world.destination), world.destination.open_keys())
    assert await sweep_destination(world.destination, "out/", before=1.0) == Swept(0, 0)
    assert (await keys(world.destination), world.destination.open_keys()) == before


FOREIGN = [
    "out/b/readme.txt",
    "out/checkpoint/" + "0" * 32 + ".json",
    "out/b/checkpoints/notes.json",
    "out/b/checkpoints/" + "0" * 31 + "g.json",
    "out/b/checkpoints/" + "0" * 32 + ".jsonl",
    "out/b/c/checkpoints/" + "0" * 32 + ".json",
    "out/b/data/somebody.jsonl",
    "out/b/manifest.json.bak",
    "outer/b/checkpoints/" + "0" * 32 + ".json",
]
FOREIGN_UPLOADS = ["out/b/readme.txt", "out/b/c/data/a", "out/b/database/a", "out/data", "outer/b/data/a", "b/data/a"]


async def test_nothing_foreign_is_touched(world: Watching) -> None:
    """Objects and uploads that are not where a batch puts its own, or that no checkpoint speaks of, stay."""
    for key in FOREIGN:
        await world.destination.put(key, b"{}")
    await begin(world.destination, *FOREIGN_UPLOADS)
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(0, 0)
    assert set(await keys(world.destination)) == set(FOREIGN)
    assert sorted(world.destination.open_keys()) == sorted(FOREIGN_UPLOADS)


@pytest.mark.parametrize("prefix", ["", "a.b/", "(x/y)/"])
async def test_the_prefix_is_taken_as_it_is(prefix: str) -> None:
    """Batches straight below the prefix, as `engine run` puts them, and one folder further down."""
    store = MemoryStore()
    for root in ("", "b1/"):
        await begin(store, f"{prefix}{root}data/a", f"{prefix}{root}rejects/a")
        await store.put(f"{prefix}{root}checkpoints/{'a' * 32}.json", b"garbage")
    assert await sweep_destination(store, prefix, before=ALL) == Swept(uploads=4, checkpoints=2)
    assert await keys(store) == []
    assert store.open_keys() == ()


async def test_a_copied_checkpoint_deletes_nothing(world: Watching) -> None:
    """A folder that was copied while its batch ran: what its checkpoints name is another batch's, and committed."""
    names = await abandoned(world, "done")
    left = await world.checkpoints()
    await world.run(batch(names, batch_id="done", root="out/done/"))
    for key, checkpoint in left.items():
        assert checkpoint is not None
        await MemoryStore.put(world.destination, key.replace("/done/", "/copy/"), checkpoint.to_json())
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(uploads=0, checkpoints=2)
    await world.is_committed(names, "out/done/")


async def test_an_upload_that_was_replaced_at_its_key_stays(world: Watching) -> None:
    """What lies at the key of a dead attempt's upload is deleted only if it is that upload's."""
    await abandoned(world, "b", visible=True)
    await world.destination.put("out/b/data/in/0.jsonl", b"somebody's")
    await sweep_destination(world.destination, "out/", before=ALL)
    assert await keys(world.destination) == ["out/b/data/in/0.jsonl"]


async def test_a_batch_that_comes_back_to_life_meanwhile_is_left_alone(world: Watching) -> None:
    """Its next attempt adopts the old checkpoints after they were listed, and commits: nothing of it is touched."""
    names = await abandoned(world, "b")
    before = (await youngest(world.destination)) + 1e-6
    heads = 0

    async def come_back(call: Call) -> None:
        nonlocal heads
        if call.operation == "head" and call.key == "out/b/manifest.json" and call.done:
            heads += 1
            if heads == 1:  # the janitor has just seen that there is none
                await attempt(world, batch(names, batch_id="b", root="out/b/"), at_manifest)

    world.destination.hook = come_back
    assert await sweep_destination(world.destination, "out/", before=before) == Swept(0, 0)
    committed = await world.run(batch(names, batch_id="b", root="out/b/"))
    assert committed.resumed == 2
    await world.is_committed(names, "out/b/")


async def test_a_batch_that_commits_meanwhile_is_left_alone(world: Watching) -> None:
    """The same where that attempt gets as far as its manifest, and has taken its checkpoints away."""
    names = await abandoned(world, "b")

    async def commit(call: Call) -> None:
        if call.operation == "open_uploads":  # the janitor has seen checkpoints, and no manifest
            world.destination.hook = _nothing
            await world.run(batch(names, batch_id="b", root="out/b/"))

    world.destination.hook = commit
    assert await sweep_destination(world.destination, "out/", before=ALL) == Swept(0, 0)
    assert await keys(world.destination) == output_of(names, "out/b/")


async def _nothing(_: Call) -> None: ...


async def test_what_the_store_refuses_is_raised(world: Watching) -> None:
    """A destination that fails is no clean one; what is left is found the next time."""
    await abandoned(world, "b")

    async def fail(call: Call) -> None:
        if call.operation == "delete":
            raise TransientError("down")

    world.destination.hook = fail
    with pytest.raises(ExceptionGroup) as caught:
        await sweep_destination(world.destination, "out/", before=ALL)
    assert caught.group_contains(TransientError)
    world.destination.hook = _nothing
    assert (await sweep_destination(world.destination, "out/", before=ALL)).checkpoints == 2
    await world.nothing_is_left()


async def test_in_a_folder_what_a_killed_writer_left_goes_too(tmp_path: Path) -> None:
    """In a folder an unfinished small object, a checkpoint or a manifest, is an open upload as well."""
    store = LocalStore(str(tmp_path), StoreSettings())
    await store.put("b1/manifest.json", b"{}")
    for key in ("b1/data/a.jsonl", checkpoint_key("b2/", "a", None), "b3/manifest.json", "b1/other"):
        upload = await store.begin(key)
        await upload.write(b"half")
    assert await sweep_destination(store, "", before=1.0) == Swept(0, 0)
    assert await sweep_destination(store, "", before=ALL) == Swept(uploads=3, checkpoints=0)
    assert [upload.key async for upload in store.open_uploads("")] == ["b1/other"]
    assert await store.get("b1/manifest.json") == b"{}"


def test_the_names_that_it_looks_for_are_those_that_batches_write() -> None:
    """A checkpoint's key has the form that the janitor takes for one."""
    assert re.fullmatch(r"out/b/checkpoints/[0-9a-f]{32}\.json", checkpoint_key("out/b/", "in/a.csv", "v"))
