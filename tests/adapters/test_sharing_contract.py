"""What every object store promises of large objects: ranges of them are read, and several send their parts."""

from __future__ import annotations

import pytest

from engine.errors import SourceChanged, SourceMissing
from engine.ports import ObjectStore, PendingUpload
from tests.adapters.conftest import SETTINGS
from tests.adapters.test_store_contract import keys, noise, open_keys


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (5, 70_000), (65_536, 131_072), (199_999, 200_000)])
async def test_reads_a_range(store: ObjectStore, start: int, stop: int) -> None:
    """The bytes of a range are read in order, in pieces no larger than asked for; the object is known whole."""
    body = noise(200_000)
    await store.put("a", body)
    info = await store.head("a")
    assert info is not None
    async with store.read_range(info, start, stop) as reader:
        assert (reader.info.size, reader.info.etag) == (len(body), info.etag)
        pieces = [piece async for piece in reader]
    assert b"".join(pieces) == body[start:stop]
    assert all(0 < len(piece) <= SETTINGS.read_bytes for piece in pieces)


async def test_a_range_is_of_the_object_that_was_looked_at(store: ObjectStore) -> None:
    """When another object, even of the same size, lies at the key, or none does, no byte of it is read."""
    await store.put("a", b"old" * 100)
    info = await store.head("a")
    assert info is not None
    await store.put("a", b"new" * 100)
    with pytest.raises(SourceChanged) as changed:
        async with store.read_range(info, 10, 20) as reader:
            [_ async for _ in reader]
    assert changed.value.file == "a"
    await store.delete("a")
    with pytest.raises(SourceMissing):
        async with store.read_range(info, 10, 20) as reader:
            [_ async for _ in reader]


async def test_shared_upload(store: ObjectStore) -> None:
    """Parts may be sent in any order, from anywhere, with numbers between them that nobody uses; what is sent again
    replaces what was sent, what is not appended is not part of the object; and it is invisible until completed."""
    shared = await store.share("out/data.jsonl")
    large = max(shared.least_bytes, 1)
    bodies = {7: noise(large, 7), 2: noise(large + 5, 2), 9_999: b"the end", 3: noise(large, 3)}
    await store.send_part(shared, 2, [noise(large, 0)])
    sent = {
        number: await store.send_part(shared, number, [body[:2], memoryview(body)[2:]])
        for number, body in bodies.items()
    }
    await store.append(shared, [sent[2], sent[7]])
    await store.append(shared, [sent[9_999]])
    pending = await store.finish_shared(shared, [sent[2], sent[7], sent[9_999]])
    assert await store.standing(pending) == "pending"
    assert await keys(store) == []
    info = await store.complete(pending)
    assert await store.standing(pending) == "completed"
    assert await store.get("out/data.jsonl") == bodies[2] + bodies[7] + bodies[9_999]
    assert info.size == pending.size == len(bodies[2]) + len(bodies[7]) + len(bodies[9_999])
    assert await open_keys(store) == []


async def test_shared_upload_of_nothing(store: ObjectStore) -> None:
    """One empty part makes an object without a byte."""
    shared = await store.share("empty")
    part = await store.send_part(shared, 10_000, [])
    await store.append(shared, [part])
    info = await store.complete(await store.finish_shared(shared, [part]))
    assert info.size == 0


async def test_shared_upload_is_aborted(store: ObjectStore) -> None:
    """A shared upload is listed as open with what it was begun for, and leaves nothing when it is aborted: neither
    before nor after its parts were appended."""
    for appended in (False, True):
        shared = await store.share("a")
        part = await store.send_part(shared, 1, [b"x"])
        if appended:
            await store.append(shared, [part])
        assert [(upload.key, upload.upload_id) async for upload in store.open_uploads("")] == [("a", shared.upload_id)]
        await store.abort(PendingUpload("a", shared.upload_id, ()))
        assert await open_keys(store) == []
    assert await keys(store) == []
