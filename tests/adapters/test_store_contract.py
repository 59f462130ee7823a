"""What every object store promises: the same tests over memory, a folder and S3."""

from __future__ import annotations

import dataclasses
import random
import time

import pytest

from engine.adapters.aws.s3 import S3Store
from engine.errors import SourceChanged, SourceMissing, TransientError
from engine.ports import ObjectStore, PendingUpload
from tests.adapters.conftest import SETTINGS


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


async def upload(store: ObjectStore, key: str, *chunks: bytes) -> PendingUpload:
    writer = await store.begin(key)
    for chunk in chunks:
        await writer.write(chunk)
    return await writer.finish()


async def open_keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [upload.key async for upload in store.open_uploads(prefix)]


async def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key async for info in store.list(prefix)]


@pytest.mark.parametrize("size", [0, 1, SETTINGS.read_bytes, 3 * SETTINGS.read_bytes + 17])
async def test_reads_back_what_was_put(store: ObjectStore, size: int) -> None:
    """An object of any size is read whole, in order, in pieces no larger than asked for; head and list agree."""
    body = noise(size)
    etag = await store.put("in/a.csv", body)
    async with store.read("in/a.csv") as reader:
        pieces = [piece async for piece in reader]
        assert (reader.info.key, reader.info.size, reader.info.etag) == ("in/a.csv", size, etag)
    assert b"".join(pieces) == body == await store.get("in/a.csv")
    assert all(0 < len(piece) <= SETTINGS.read_bytes for piece in pieces)
    head = await store.head("in/a.csv")
    assert head is not None
    assert (head.size, head.etag) == (size, etag)
    assert [(info.key, info.size, info.etag) async for info in store.list("")] == [("in/a.csv", size, etag)]


async def test_missing_key(store: ObjectStore) -> None:
    """A key that is not there is named in the error, and is no error for head and delete."""
    await store.put("here", b"x")
    with pytest.raises(SourceMissing) as raised:
        await store.get("in/not-here.csv")
    assert raised.value.file == "in/not-here.csv"
    assert raised.value.code == "source-missing"
    assert await store.head("in/not-here.csv") is None
    await store.delete("in/not-here.csv")
    assert await keys(store, "in/") == []


async def test_missing_version(store: ObjectStore) -> None:
    """A version that is not there is missing, even where the key exists."""
    await store.put("a", b"x")
    with pytest.raises(SourceMissing):
        async with store.read("a", version_id="11111111-1111-4111-8111-111111111111"):
            pass


async def test_lists_in_byte_order(store: ObjectStore) -> None:
    """Keys come in the order of their UTF-8 bytes, also where folders would sort otherwise; only those asked for."""
    names = ["a-b", "a/b1", "a/b/c", "a/b-c", "a0", "b", "a/é", "a/\uffee", "a/\U0001f600", "a/ %+&=?#'\"\\"]
    for name in names:
        await store.put(name, name.encode())
    assert await keys(store) == sorted(names, key=str.encode)
    assert await keys(store, "a/b") == ["a/b-c", "a/b/c", "a/b1"]
    assert await keys(store, "a/b/") == ["a/b/c"]
    assert await keys(store, "nothing/here") == []
    assert await store.get("a/ %+&=?#'\"\\") == b"a/ %+&=?#'\"\\"


async def test_upload_is_invisible_until_completed(store: ObjectStore) -> None:
    """Nothing shows under the key, nor under any other, before complete; then the object is there whole."""
    pending = await upload(store, "out/data.jsonl", b"one\n", b"", b"two\n")
    assert pending.size == 8
    assert await store.head("out/data.jsonl") is None
    assert await keys(store) == []
    info = await store.complete(pending)
    assert (info.key, info.size) == ("out/data.jsonl", 8)
    assert await store.get("out/data.jsonl") == b"one\ntwo\n"
    head = await store.head("out/data.jsonl")
    assert head is not None
    assert head.etag == info.etag
    assert await keys(store) == ["out/data.jsonl"]
    assert await open_keys(store) == []


async def test_upload_of_nothing(store: ObjectStore) -> None:
    """An upload without a byte becomes an object without a byte."""
    info = await store.complete(await upload(store, "empty"))
    assert info.size == 0
    assert await store.get("empty") == b""


async def test_large_upload_in_uneven_chunks(store: ObjectStore) -> None:
    """Chunks below, at and above the size of a part arrive in order, whatever their sizes."""
    part = SETTINGS.part_bytes
    chunks = [noise(size, size) for size in (1, part - 1, part, 2 * part + 3, 100_000)]
    pending = await upload(store, "large", *chunks)
    assert [item.number for item in pending.parts] == list(range(1, len(pending.parts) + 1))
    info = await store.complete(pending)
    assert info.size == sum(map(len, chunks))
    assert await store.get("large") == b"".join(chunks)


async def test_completing_twice_is_harmless(store: ObjectStore) -> None:
    """A complete whose answer was lost can be sent again, and gives the same object."""
    pending = await upload(store, "a", b"bytes")
    assert await store.complete(pending) == await store.complete(pending)
    assert await store.get("a") == b"bytes"


async def test_completing_replaces(store: ObjectStore) -> None:
    """A completed upload takes the place of what was at its key."""
    await store.put("a", b"old")
    await store.complete(await upload(store, "a", b"new"))
    assert await store.get("a") == b"new"


async def test_abort_leaves_nothing(store: ObjectStore) -> None:
    """An upload aborted half-way, or after finish, or twice, leaves neither an object nor an open upload."""
    writer = await store.begin("half")
    await writer.write(b"x" * 100)
    await writer.abort()
    await writer.abort()
    pending = await upload(store, "finished", b"y")
    await store.abort(pending)
    await store.abort(pending)
    assert await keys(store) == []
    assert await open_keys(store) == []


async def test_aborting_leaves_what_was_completed(store: ObjectStore) -> None:
    """Aborting an upload that was completed before does not touch the object."""
    pending = await upload(store, "a", b"kept")
    await store.complete(pending)
    await store.abort(pending)
    assert await store.get("a") == b"kept"


async def test_open_uploads_by_prefix(store: ObjectStore) -> None:
    """Open uploads under a prefix are listed, finished or not, whoever began them, with the time; what is told is
    enough to abort them; others can still be completed."""
    before = time.time()
    await upload(store, "batch-1/data/a", b"a")
    unfinished = await store.begin("batch-1/data/b")
    other = await upload(store, "batch-10/data/c", b"c")
    found = [found async for found in store.open_uploads("batch-1/")]
    assert [item.key for item in found] == ["batch-1/data/a", "batch-1/data/b"]
    earliest = 0 if isinstance(store, S3Store) else before - 2  # moto tells the same day in 2010 for all of them
    assert all(earliest < item.begun < time.time() + 2 for item in found)
    for item in found:
        await store.abort(PendingUpload(item.key, item.upload_id, ()))
    assert await open_keys(store) == ["batch-10/data/c"]
    await store.complete(other)
    assert await keys(store) == ["batch-10/data/c"]
    await unfinished.abort()


async def test_many_open_uploads_of_one_key(store: ObjectStore) -> None:
    """Several uploads of one key are told apart, each listed."""
    first, second = await upload(store, "a", b"1"), await upload(store, "a", b"2")
    found = [found.upload_id async for found in store.open_uploads("")]
    assert sorted(found) == sorted([first.upload_id, second.upload_id])


async def test_standing(store: ObjectStore) -> None:
    """An upload stands pending from finish to complete, then completed, while the object is it; and gone after an
    abort, or when something else lies at its key, even the very same bytes."""
    pending = await upload(store, "a", b"bytes")
    assert await store.standing(pending) == "pending"
    await store.complete(pending)
    assert await store.standing(pending) == "completed"
    twin = await upload(store, "a", b"bytes")
    assert await store.standing(twin) == "pending"
    await store.complete(twin)
    assert await store.standing(pending) == "gone"
    assert await store.standing(twin) == "completed"
    aborted = await upload(store, "a", b"bytes")
    await store.abort(aborted)
    assert await store.standing(aborted) == "gone"
    await store.put("a", b"bytes")
    assert await store.standing(twin) == "gone"
    await store.delete("a")
    assert await store.standing(twin) == "gone"


async def test_standing_of_other_parts(store: ObjectStore) -> None:
    """An open upload whose parts are not those of the handle, or that is not finished, is not pending."""
    pending = await upload(store, "a", b"bytes")
    other = dataclasses.replace(pending.parts[0], etag="0" * 32)
    assert await store.standing(dataclasses.replace(pending, parts=(other,))) == "gone"
    begun = await store.begin("b")
    [found] = [found async for found in store.open_uploads("b")]
    assert await store.standing(dataclasses.replace(pending, key="b", upload_id=found.upload_id)) == "gone"
    await begun.abort()


async def test_completing_again_leaves_what_replaced_it(store: ObjectStore) -> None:
    """A complete of an upload that somebody else's took the place of fails, and leaves the other one's object."""
    mine, theirs = await upload(store, "a", b"mine"), await upload(store, "a", b"theirs")
    await store.complete(mine)
    await store.complete(theirs)
    with pytest.raises(TransientError):
        await store.complete(mine)
    assert await store.get("a") == b"theirs"


async def test_listing_tells_when(store: ObjectStore) -> None:
    """A listing tells when an object was written, to the second."""
    before = time.time()
    await store.put("a", b"x")
    [info] = [info async for info in store.list("")]
    assert info.modified is not None
    assert before - 2 < info.modified < time.time() + 2


async def test_put_replaces(store: ObjectStore) -> None:
    """A put takes the place of what was there, and a new content has a new ETag."""
    first = await store.put("a", b"one")
    second = await store.put("a", b"two!")
    assert first != second
    assert await store.get("a") == b"two!"


async def test_put_only_if_absent(store: ObjectStore) -> None:
    """The first put of a key wins; a later conditional one changes nothing and says so."""
    assert await store.put("batch/manifest.json", b"first", only_if_absent=True) is not None
    assert await store.put("batch/manifest.json", b"second", only_if_absent=True) is None
    assert await store.get("batch/manifest.json") == b"first"
    await store.delete("batch/manifest.json")
    assert await store.put("batch/manifest.json", b"third", only_if_absent=True) is not None


async def test_put_of_a_large_body(store: ObjectStore) -> None:
    """A body over the size at which the HTTP library warns about plain bytes is put without a warning."""
    body = noise(3 * 1024 * 1024)
    await store.put("large", body)
    assert await store.get("large") == body


async def test_delete(store: ObjectStore) -> None:
    """A deleted object is gone, and only that one; deleting again is no error."""
    await store.put("x/y/a", b"a")
    await store.put("x/b", b"b")
    await store.delete("x/y/a")
    await store.delete("x/y/a")
    assert await keys(store) == ["x/b"]


async def test_replaced_while_read_is_never_mixed(store: ObjectStore) -> None:
    """An object that is replaced while it is read gives the old bytes whole, or SourceChanged; never some of each."""
    old, new = noise(40 * SETTINGS.read_bytes, 1), noise(40 * SETTINGS.read_bytes, 2)
    await store.put("a", old)
    pieces: list[bytes] = []
    changed: SourceChanged | None = None
    try:
        async with store.read("a") as reader:
            async for piece in reader:
                if not pieces:
                    await store.put("a", new)
                pieces.append(piece)
    except SourceChanged as error:
        changed = error
    received = b"".join(pieces)
    if changed is None:
        assert received == old
    else:
        assert changed.file == "a"
        assert old.startswith(received)
    assert await store.get("a") == new
