"""A folder as a store: what only a file system can get wrong."""

# ruff: noqa: ASYNC240 - the tests look at small folders of their own; nothing else runs on their loops

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path
from typing import Literal

import pytest

from engine.adapters.keys import STAGING
from engine.adapters.local import LocalStore
from engine.adapters.local_files import errors
from engine.adapters.settings import StoreSettings
from engine.errors import (
    AccessDenied,
    DestinationMissing,
    EngineError,
    FileError,
    SourceChanged,
    SourceMissing,
    TransientError,
    Unavailable,
)
from engine.ports import ObjectReader, PendingUpload
from tests.adapters.threads import run_threads

PIECE = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(str(root), StoreSettings(read_bytes=PIECE))


async def rest(reader: ObjectReader) -> bytes:
    return b"".join([piece async for piece in reader])


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "./a", "a/.", "a/", "a\0b", f"{STAGING}/x/data"]
)
async def test_keys_cannot_leave_the_folder(store: LocalStore, root: Path, key: str) -> None:
    """A key that is absolute, climbs, is not canonical or names the staging folder is refused by every operation."""
    root.mkdir()
    for use in (
        store.get(key),
        store.head(key),
        store.put(key, b""),
        store.delete(key),
        store.begin(key),
    ):
        with pytest.raises(FileError, match=r"cannot name a file|reserved"):
            await use
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("prefix", ["/etc", "../", "a/../../", "a\0"])
async def test_prefixes_cannot_leave_the_folder(store: LocalStore, root: Path, prefix: str) -> None:
    """Nor can a listing."""
    root.mkdir()
    with pytest.raises(FileError):
        await anext(aiter(store.list(prefix)))


@pytest.mark.parametrize("change", ["rewrite", "replace", "grow", "shrink", "delete"])
async def test_changed_while_read(store: LocalStore, root: Path, change: str) -> None:
    """A file that is rewritten, replaced, extended, cut short or deleted while it is read fails the read."""
    await store.put("a", b"x" * 10 * PIECE)
    path = root / "a"
    async with store.read("a") as reader:
        await anext(reader)
        before = path.stat()
        match change:
            case "rewrite":
                path.write_bytes(b"y" * 10 * PIECE)
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
            case "replace":
                await store.put("a", b"y" * 10 * PIECE)
            case "grow":
                with path.open("ab") as file:
                    file.write(b"y")
            case "shrink":
                os.truncate(path, 2 * PIECE)
            case _:
                path.unlink()
        with pytest.raises(SourceChanged) as raised:
            await rest(reader)
    assert raised.value.file == "a"


async def test_reading_lets_the_loop_run(store: LocalStore) -> None:
    """A read from the page cache never waits, yet other tasks get a turn with every piece, and so does cancellation."""
    await store.put("a", b"x" * 100 * PIECE)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async with store.read("a") as reader:
        await rest(reader)
    task.cancel()
    assert turns >= 100


async def test_not_a_file(store: LocalStore, root: Path) -> None:
    """A folder, or a pipe that nobody writes to, is no object: no hang, no listing."""
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "pipe")
    for key in ("folder", "pipe"):
        with pytest.raises(SourceMissing, match="is not a file"):
            await store.get(key)
        assert await store.head(key) is None
    assert [info.key async for info in store.list("")] == []


async def test_missing_root(store: LocalStore) -> None:
    """A source folder that is not there is missing; there is nothing to abort in it."""
    with pytest.raises(SourceMissing):
        await anext(aiter(store.list("")))
    with pytest.raises(SourceMissing):
        await store.get("a")
    assert [upload async for upload in store.open_uploads("")] == []


async def test_what_a_killed_process_left(store: LocalStore, root: Path) -> None:
    """What a process left that was killed while it put an object, or before it had cleaned up after a complete, is
    listed under its key and can be aborted; the completed object stays, and completing it again finds it so."""
    with store._stage("putting", "batch/manifest.json") as folder:
        (folder / "data").write_bytes(b"half")
    upload = await store.begin("batch/data/a")
    await upload.write(b"bytes")
    pending = await upload.finish()
    (root / "batch/data").mkdir(parents=True)
    (root / STAGING / pending.upload_id / "data").replace(root / "batch/data/a")
    assert await store.standing(pending) == "completed"
    left = [found async for found in store.open_uploads("")]
    assert [found.key for found in left] == ["batch/data/a", "batch/manifest.json"]
    assert (await store.complete(pending)).size == 5
    for found in left:
        await store.abort(PendingUpload(found.key, found.upload_id, ()))
    assert [path.name for path in root.iterdir()] == ["batch"]
    assert await store.get("batch/data/a") == b"bytes"
    assert await store.head("batch/manifest.json") is None


async def test_staging_is_hidden_and_removed(store: LocalStore, root: Path) -> None:
    """Uploads are staged below the root, on the same file system, invisible; the last one takes the folder along."""
    first, second = await store.begin("a/b"), await store.begin("c")
    await first.write(b"1")
    assert (root / STAGING).is_dir()
    assert not (root / "a").exists()
    assert [info.key async for info in store.list("")] == []
    await store.complete(await first.finish())
    await second.abort()
    assert sorted(path.name for path in root.iterdir()) == ["a"]
    assert stat.S_IMODE((root / "a/b").stat().st_mode) & 0o711 == 0o600


async def test_put_leaves_no_temporary_file(store: LocalStore, root: Path) -> None:
    """Neither a put nor one that lost leaves anything but the object."""
    await store.put("a", b"x", only_if_absent=True)
    await store.put("a", b"y", only_if_absent=True)
    assert [path.name for path in root.rglob("*")] == ["a"]


async def test_delete_takes_empty_folders_along(store: LocalStore, root: Path) -> None:
    """Folders come and go with the keys below them; the root stays."""
    await store.put("a/b/c", b"")
    await store.put("a/d", b"")
    await store.delete("a/b/c")
    assert not (root / "a/b").exists()
    await store.delete("a/d")
    assert list(root.iterdir()) == []


async def test_file_in_the_way_of_a_folder(store: LocalStore) -> None:
    """A key below another key cannot be a file; the error is one of ours."""
    await store.put("a", b"")
    for use in (store.put("a/b", b""), store.get("a/b")):
        with pytest.raises((FileError, SourceMissing)):
            await use
    assert await store.head("a/b") is None


async def test_root_that_cannot_be(tmp_path: Path) -> None:
    """A destination below a file cannot be made, and the error says where."""
    (tmp_path / "file").write_bytes(b"")
    store = LocalStore(str(tmp_path / "file" / "root"), StoreSettings())
    with pytest.raises(DestinationMissing, match="file"):
        await store.begin("a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
async def test_no_permission(store: LocalStore, root: Path) -> None:
    """A file or folder that may not be used is access-denied, and an unreadable folder does not pass for empty."""
    await store.put("a/b", b"x")
    (root / "a").chmod(0)
    try:
        with pytest.raises(AccessDenied):
            await store.get("a/b")
        with pytest.raises(AccessDenied):
            await anext(aiter(store.list("")))
    finally:
        (root / "a").chmod(0o700)


@pytest.mark.parametrize(
    ("number", "purpose", "expected"),
    [
        (errno.EACCES, "read", AccessDenied),
        (errno.EROFS, "write", AccessDenied),
        (errno.ENOENT, "read", SourceMissing),
        (errno.ENOTDIR, "write", DestinationMissing),
        (errno.EISDIR, "read", FileError),
        (errno.ENOSPC, "write", Unavailable),
        (errno.EDQUOT, "write", Unavailable),
        (errno.ESTALE, "write", Unavailable),
        (errno.EIO, "read", TransientError),
    ],
)
def test_errors_by_number(number: int, purpose: Literal["read", "write"], expected: type[EngineError]) -> None:
    """What the system refuses is told by its number, never by its text; a full disk, which may be empty again later, is
    our own side's."""
    with pytest.raises(expected, match="/data/a") as raised, errors(Path("/data/a"), "a", purpose):
        raise OSError(number, os.strerror(number))
    assert type(raised.value) is expected
    assert raised.value.file == "a"


async def test_disk_errors_are_ours(store: LocalStore) -> None:
    """A name that the file system refuses is an engine error."""
    with pytest.raises(EngineError):
        await store.put("x" * 300, b"")


def test_threads_share_a_folder(root: Path) -> None:
    """Loops of several threads write below one root: one conditional put wins, no upload disturbs another, and the
    staging folder that they make and remove all the time never fails one of them."""
    count = 6
    ready = threading.Barrier(count)
    won: list[int] = []

    async def work(number: int) -> None:
        store = LocalStore(str(root), StoreSettings())
        ready.wait()
        if await store.put("manifest", str(number).encode(), only_if_absent=True) is not None:
            won.append(number)
        for item in range(20):
            upload = await store.begin(f"{number}/{item}")
            await upload.write(b"x" * item)
            pending = await upload.finish()
            await (store.complete(pending) if item % 2 else store.abort(pending))

    run_threads(count, work)
    assert len(won) == 1
    assert (root / "manifest").read_bytes() == str(won[0]).encode()
    assert sum(path.is_file() for path in root.rglob("*")) == 1 + count * 10
    assert not (root / STAGING).exists()
