"""What every object store promises: the same tests over memory, a folder and S3."""

from __future__ import annotations

import random

import pytest

from engine.errors import SourceChanged, SourceMissing
from engine.ports import ObjectStore, PendingUpload
from tests.adapters.conftest import SETTINGS


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


async def upload(store: ObjectStore, key: str, *chunks: bytes) -> PendingUpload:
    writer = await store.begin(key)
    for chunk in chunks:
        await writer.write(chunk)
    return await writer.finish()


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
    assert await store.abort_open("") == 0


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
    assert await store.abort_open("") == 0


async def test_aborting_leaves_what_was_completed(store: ObjectStore) -> None:
    """Aborting an upload that was completed before does not touch the object."""
    pending = await upload(store, "a", b"kept")
    await store.complete(pending)
    await store.abort(pending)
    assert await store.get("a") == b"kept"


async def test_abort_open_by_prefix(store: ObjectStore) -> None:
    """Open uploads under the prefix go, finished or not, whoever began them; others can still be completed."""
    await upload(store, "batch-1/data/a", b"a")
    unfinished = await store.begin("batch-1/data/b")
    other = await upload(store, "batch-10/data/c", b"c")
    assert await store.abort_open("batch-1/") == 2
    assert await store.abort_open("batch-1/") == 0
    await store.complete(other)
    assert await keys(store) == ["batch-10/data/c"]
    await unfinished.abort()


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
