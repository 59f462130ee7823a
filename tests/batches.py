"""Batches over stores in memory, for the tests of what runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.batch import Batch, Committed, Effort, run_batch
from engine.checkpoint import Checkpoint
from engine.core.mapping import Mapping, validate_mapping
from engine.errors import BatchFailed, Failure, TransientError
from engine.lease import Hold
from engine.pool.open import Pool, open_pool
from engine.ports import (
    LocalLocation,
    ObjectInfo,
    ObjectReader,
    OpenUpload,
    Part,
    PendingUpload,
    SharedUpload,
    Standing,
    Upload,
)
from engine.sources import SourceFile

__all__ = [
    "DESTINATION",
    "ROOT",
    "SOURCE",
    "Call",
    "Stores",
    "Watched",
    "Watching",
    "World",
    "at_complete",
    "at_manifest",
    "attempt",
    "batch",
    "fill",
    "keys",
    "mapping",
    "nothing",
    "open_watching",
    "open_world",
    "output_of",
]

SOURCE = LocalLocation("memory-source")
DESTINATION = LocalLocation("memory-destination")
ROOT = "out/b1/"


def mapping(**changes: Any) -> Mapping:
    fields = [{"name": "id", "type": "int", "required": True}, {"name": "name", "type": "string"}]
    return validate_mapping({"version": 1, "id": "people", "fields": fields, **changes}, "test")


def batch(files: Sequence[str] | str, **changes: Any) -> Batch:
    """A batch of the given keys, or of a prefix."""
    wanted = files if isinstance(files, str) else [SourceFile(key) for key in files]
    return Batch(**{
        "batch_id": "b1", "mapping": mapping(), "source": SOURCE, "files": wanted,
        "destination": DESTINATION, "root": ROOT, **changes,
    })  # fmt: skip


async def fill(store: MemoryStore, count: int, rows: int = 3) -> list[str]:
    """Puts ``count`` files of ``rows`` rows, the last row of each bad; returns their keys."""
    names = [f"in/{number}.csv" for number in range(count)]
    for name in names:
        good = "".join(f"{row},r{row}\n" for row in range(rows - 1))
        await store.put(name, f"id,name\n{good}x,bad\n".encode())
    return names


async def keys(store: MemoryStore) -> list[str]:
    return [info.key async for info in MemoryStore.list(store, "")]


def output_of(names: Sequence[str], root: str = ROOT) -> list[str]:
    """Keys of all that a committed batch of these files leaves."""
    files = [f"{root}{kind}/{name.removesuffix('.csv')}.jsonl" for kind in ("data", "rejects") for name in names]
    return sorted([*files, f"{root}manifest.json"])


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of a store, about to be done, or ``done``."""

    operation: str
    key: str
    done: bool


type Hook = Callable[[Call], Awaitable[None]]


async def nothing(_: Call) -> None:
    """The hook of a store that is only watched."""


class Watched(MemoryStore):
    """Awaits ``hook`` before and after every operation, also those of its readers and uploads, on the loop that does
    it: what the hook raises before keeps the operation from being done, what it raises after is a lost answer.

    As every store it sees to it that a ``begin`` that is cancelled leaves no upload.
    """

    def __init__(
        self, name: str = "watched", *, read_bytes: int = 1_048_576, part_bytes: int = 8_388_608, least_bytes: int = 0
    ) -> None:
        super().__init__(name, read_bytes=read_bytes, part_bytes=part_bytes, least_bytes=least_bytes)
        self.hook: Hook = nothing  # set while nothing runs
        self.calls: list[Call] = []  # appended to by any thread

    def count(self, *operations: str, key: str = "") -> int:
        """How many of these operations were done, or tried, on keys that start so."""
        return sum(
            call.operation in operations and call.key.startswith(key) and not call.done for call in list(self.calls)
        )

    async def around[T](self, operation: str, key: str, work: Callable[[], Awaitable[T]]) -> T:
        await self._tell(Call(operation, key, done=False))
        result = await work()
        await self._tell(Call(operation, key, done=True))
        return result

    async def _tell(self, call: Call) -> None:
        self.calls.append(call)
        await self.hook(call)

    @asynccontextmanager
    async def read(  # type: ignore[override]  # a reader around the memory store's own
        self, key: str, *, version_id: str | None = None
    ) -> AsyncIterator[ObjectReader]:
        await self._tell(Call("read", key, done=False))
        async with super().read(key) as reader:  # as if it kept versions: there is one of each key
            yield _Reader(reader, self)

    @asynccontextmanager
    async def read_range(  # type: ignore[override]  # as above
        self, of: ObjectInfo, start: int, stop: int, *, version_id: str | None = None
    ) -> AsyncIterator[ObjectReader]:
        await self._tell(Call("read_range", of.key, done=False))
        async with super().read_range(of, start, stop, version_id=version_id) as reader:
            yield _Reader(reader, self)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        await self._tell(Call("list", prefix, done=False))
        async for info in super().list(prefix):
            yield info

    async def head(self, key: str) -> ObjectInfo | None:
        return await self.around("head", key, lambda: MemoryStore.head(self, key))

    async def get(self, key: str) -> bytes:
        return await self.around("get", key, lambda: MemoryStore.get(self, key))

    async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
        return await self.around("put", key, lambda: MemoryStore.put(self, key, body, only_if_absent=only_if_absent))

    async def delete(self, key: str) -> None:
        await self.around("delete", key, lambda: MemoryStore.delete(self, key))

    async def begin(self, key: str) -> Upload:
        await self._tell(Call("begin", key, done=False))
        upload = await super().begin(key)
        try:
            await self._tell(Call("begin", key, done=True))
        except asyncio.CancelledError:
            await upload.abort()
            raise
        return _Upload(upload, key, self)

    async def share(self, key: str) -> SharedUpload:
        await self._tell(Call("share", key, done=False))
        upload = await super().share(key)
        try:
            await self._tell(Call("share", key, done=True))
        except asyncio.CancelledError:
            await super().abort(PendingUpload(key, upload.upload_id, ()))
            raise
        return upload

    async def send_part(self, upload: SharedUpload, number: int, body: Sequence[bytes | memoryview]) -> Part:
        return await self.around("send_part", upload.key, lambda: MemoryStore.send_part(self, upload, number, body))

    async def append(self, upload: SharedUpload, parts: Sequence[Part]) -> None:
        await self.around("append", upload.key, lambda: MemoryStore.append(self, upload, parts))

    async def finish_shared(self, upload: SharedUpload, parts: Sequence[Part]) -> PendingUpload:
        return await self.around("finish_shared", upload.key, lambda: MemoryStore.finish_shared(self, upload, parts))

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        return await self.around("complete", upload.key, lambda: MemoryStore.complete(self, upload))

    async def standing(self, upload: PendingUpload) -> Standing:
        return await self.around("standing", upload.key, lambda: MemoryStore.standing(self, upload))

    async def abort(self, upload: PendingUpload) -> None:
        await self.around("abort", upload.key, lambda: MemoryStore.abort(self, upload))

    async def open_uploads(self, prefix: str) -> AsyncIterator[OpenUpload]:
        await self._tell(Call("open_uploads", prefix, done=False))
        async for upload in super().open_uploads(prefix):
            yield upload


class _Reader:
    def __init__(self, reader: ObjectReader, store: Watched) -> None:
        self.info = reader.info
        self._reader, self._store = reader, store

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        await self._store._tell(Call("piece", self.info.key, done=False))
        return await self._reader.__anext__()


class _Upload:
    def __init__(self, upload: Upload, key: str, store: Watched) -> None:
        self._upload, self._key, self._store = upload, key, store

    async def write(self, data: bytes) -> None:
        await self._store.around("write", self._key, lambda: self._upload.write(data))

    async def finish(self) -> PendingUpload:
        return await self._store.around("finish", self._key, self._upload.finish)

    async def abort(self) -> None:
        await self._store.around("abort", self._key, self._upload.abort)


class Stores(MemoryStores):
    """Memory stores of which the source, the destination or both are the test's own."""

    def __init__(self, destination: MemoryStore | None = None, source: MemoryStore | None = None) -> None:
        super().__init__()
        self._stores |= {
            SOURCE: source or MemoryStore("source"),
            DESTINATION: destination or MemoryStore("destination"),
        }


class World[S: MemoryStore, D: MemoryStore]:
    """Both stores, and a pool of two worker threads over them."""

    def __init__(self, stores: MemoryStores, pool: Pool, source: S, destination: D) -> None:
        self.stores, self.pool, self.source, self.destination = stores, pool, source, destination

    async def run(self, work: Batch, hold: Hold | None = None, effort: Effort | None = None) -> Committed:
        return await run_batch(
            work, pool=self.pool, stores=self.stores, effort=effort or Effort(),
            on_files=lambda _: None, on_progress=lambda _: None, hold=hold,
        )  # fmt: skip

    async def nothing_is_left(self) -> None:
        assert await keys(self.destination) == []
        assert not self.destination.open_keys()

    async def is_committed(self, names: Sequence[str], root: str = ROOT) -> None:
        """Exactly the output of ``names`` and the manifest are there; no checkpoint, no open upload."""
        assert await keys(self.destination) == output_of(names, root)
        assert not self.destination.open_keys()

    def age(self, hours: float) -> None:
        """Makes all that lies at the destination so much older."""
        objects = self.destination._objects
        for key, entry in objects.items():
            made = (entry.info.modified or 0.0) - hours * 3600
            objects[key] = replace(entry, info=replace(entry.info, modified=made))

    def has_idle_workers(self) -> bool:
        return all(worker.running == worker.queued == 0 for worker in self.pool.statistics().workers)

    async def checkpoints(self) -> dict[str, Checkpoint | None]:
        """By key, as they lie at the destination."""
        found = [key for key in await keys(self.destination) if "/checkpoints/" in key]
        return {key: Checkpoint.from_json(await MemoryStore.get(self.destination, key)) for key in found}


@asynccontextmanager
async def open_world[S: MemoryStore, D: MemoryStore](source: S, destination: D) -> AsyncIterator[World[S, D]]:
    stores = Stores(destination, source)
    async with open_pool("threads", 2, 2, stores) as pool:
        yield World(stores, pool, source, destination)


type Watching = World[Watched, Watched]


@asynccontextmanager
async def open_watching() -> AsyncIterator[Watching]:
    async with open_world(Watched("source"), Watched("destination")) as world:
        yield world


async def attempt(world: Watching, work: Batch, stop: Callable[[Call], bool]) -> None:
    """One attempt that fails, transiently, at the first operation on the destination of which ``stop`` is true."""

    async def fail(call: Call) -> None:
        if stop(call):
            raise TransientError("stopped by the test")

    world.destination.hook = fail
    with pytest.raises(BatchFailed) as caught:
        await world.run(work)
    assert caught.value.kind is Failure.TRANSIENT
    world.destination.hook = nothing
    world.source.calls.clear()
    world.destination.calls.clear()


def at_complete(call: Call) -> bool:
    return call.operation == "complete" and not call.done


def at_manifest(call: Call) -> bool:
    return call.operation == "put" and call.key.endswith("manifest.json") and not call.done
