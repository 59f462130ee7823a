"""Stores in memory, for tests and experiments: the same ports, the same promises, no network.

Shared by all threads of a process: every object here guards its state with the lock that stands beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from engine.adapters.keys import key_order
from engine.errors import ConservationError, SourceChanged, SourceMissing, TransientError
from engine.ports import Location, ObjectInfo, OpenUpload, Part, PendingUpload, SharedUpload, Standing, Upload

__all__ = ["MemoryStore", "MemoryStores"]


@dataclass(frozen=True, slots=True)
class _Object:
    """``upload_id`` is that of the upload that it was; None for a put."""

    info: ObjectInfo
    body: bytes
    upload_id: str | None = None


def _object(key: str, body: bytes, upload_id: str | None = None) -> _Object:
    return _Object(ObjectInfo(key, len(body), _etag(body), modified=time.time()), body, upload_id)


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class _Open:
    """An upload neither completed nor aborted; ``body`` is None until it is finished, ``parts`` are a shared one's."""

    key: str
    begun: float
    body: bytes | None = None
    parts: Mapping[int, bytes] = field(default_factory=dict)


class MemoryStore:
    """An :class:`~engine.ports.ObjectStore` in memory. A reader gives the object as it was when it was opened."""

    def __init__(
        self, name: str = "memory", *, read_bytes: int = 1_048_576, part_bytes: int = 8_388_608, least_bytes: int = 0
    ) -> None:
        self.name = name
        self.read_bytes = read_bytes
        self.part_bytes = part_bytes
        self.least_bytes = least_bytes
        self._lock = threading.Lock()  # guards _objects and _open; held for dictionary operations only
        self._objects: dict[str, _Object] = {}
        self._open: dict[str, _Open] = {}  # by upload id

    @asynccontextmanager
    async def read(self, key: str, *, version_id: str | None = None) -> AsyncIterator[_MemoryReader]:
        if version_id is not None:
            raise SourceMissing(f"no version {version_id} of {self.name}/{key}: this store keeps none", file=key)
        yield _MemoryReader(self._find(key), self.read_bytes)

    @asynccontextmanager
    async def read_range(
        self, of: ObjectInfo, start: int, stop: int, *, version_id: str | None = None
    ) -> AsyncIterator[_MemoryReader]:
        async with MemoryStore.read(self, of.key, version_id=version_id) as reader:
            if reader.info.etag != of.etag:
                raise SourceChanged(f"{self.name}/{of.key} was replaced while it was read", file=of.key)
            yield reader.part(start, stop)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        with self._lock:
            found = [entry.info for key, entry in self._objects.items() if key.startswith(prefix)]
        for info in sorted(found, key=lambda info: key_order(info.key)):
            yield info

    async def head(self, key: str) -> ObjectInfo | None:
        with self._lock:
            entry = self._objects.get(key)
        return entry.info if entry else None

    async def get(self, key: str) -> bytes:
        return self._find(key).body

    async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
        entry = _object(key, bytes(body))
        with self._lock:
            if only_if_absent and key in self._objects:
                return None
            self._objects[key] = entry
        return entry.info.etag

    async def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)

    async def begin(self, key: str) -> Upload:
        upload_id = uuid.uuid4().hex
        with self._lock:
            self._open[upload_id] = _Open(key, time.time())
        return _MemoryUpload(self, key, upload_id)

    async def share(self, key: str) -> SharedUpload:
        upload_id = uuid.uuid4().hex
        with self._lock:
            self._open[upload_id] = _Open(key, time.time())
        return SharedUpload(key, upload_id, "", self.part_bytes, self.least_bytes)

    async def send_part(self, upload: SharedUpload, number: int, body: Sequence[bytes | memoryview]) -> Part:
        whole = b"".join(body)
        with self._lock:
            begun = self._begun(upload.upload_id, upload.key)
            self._open[upload.upload_id] = replace(begun, parts={**begun.parts, number: whole})
        await asyncio.sleep(0)
        return Part(number, _etag(whole), len(whole))

    async def append(self, upload: SharedUpload, parts: Sequence[Part]) -> None:
        """Parts are joined in the end."""

    async def finish_shared(self, upload: SharedUpload, parts: Sequence[Part]) -> PendingUpload:
        with self._lock:
            sent = self._begun(upload.upload_id, upload.key).parts
        if any(part.size < upload.least_bytes for part in parts[:-1]):
            raise ConservationError(f"a part of {self.name}/{upload.key} is smaller than {upload.least_bytes} bytes")
        body = b"".join([sent[part.number] for part in parts])
        self._keep(upload.upload_id, upload.key, body)
        return PendingUpload(upload.key, upload.upload_id, (Part(1, _etag(body), len(body)),))

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        with self._lock:
            entry = self._objects.get(upload.key)
            if entry is None or entry.upload_id != upload.upload_id:
                begun = self._open.pop(upload.upload_id, None)
                if begun is None or begun.body is None:
                    raise TransientError(f"the upload of {self.name}/{upload.key} is gone; write the file again")
                entry = self._objects[upload.key] = _object(upload.key, begun.body, upload.upload_id)
        if (entry.info.size, entry.info.etag) != (upload.size, upload.parts[0].etag):
            raise ConservationError(f"{self.name}/{upload.key} has {entry.info.size} bytes, {upload.size} were sent")
        return entry.info

    async def standing(self, upload: PendingUpload) -> Standing:
        with self._lock:
            begun, entry = self._open.get(upload.upload_id), self._objects.get(upload.key)
        if begun is not None:
            return "pending" if begun.body is not None and _etag(begun.body) == upload.parts[0].etag else "gone"
        return "completed" if entry is not None and entry.upload_id == upload.upload_id else "gone"

    async def abort(self, upload: PendingUpload) -> None:
        self._discard(upload.upload_id)

    async def open_uploads(self, prefix: str) -> AsyncIterator[OpenUpload]:
        with self._lock:
            found = [
                OpenUpload(begun.key, upload_id, begun.begun)
                for upload_id, begun in self._open.items()
                if begun.key.startswith(prefix)
            ]
        for upload in sorted(found, key=lambda upload: key_order(upload.key)):
            yield upload

    def open_keys(self) -> tuple[str, ...]:
        """Keys of the uploads that are neither completed nor aborted: a look from a test, without a loop."""
        with self._lock:
            return tuple(sorted(begun.key for begun in self._open.values()))

    def _find(self, key: str) -> _Object:
        with self._lock:
            entry = self._objects.get(key)
        if entry is None:
            raise SourceMissing(f"no such object: {self.name}/{key}", file=key)
        return entry

    def _keep(self, upload_id: str, key: str, body: bytes) -> None:
        with self._lock:
            self._open[upload_id] = replace(self._begun(upload_id, key), body=body)

    def _begun(self, upload_id: str, key: str) -> _Open:
        """To be called with the lock held."""
        begun = self._open.get(upload_id)
        if begun is None:
            raise TransientError(f"the upload of {self.name}/{key} was aborted by somebody else")
        return begun

    def _discard(self, upload_id: str) -> None:
        with self._lock:
            self._open.pop(upload_id, None)


class _MemoryReader:
    def __init__(self, entry: _Object, read_bytes: int) -> None:
        self.info = entry.info
        self._entry = entry
        self._read_bytes = read_bytes
        self._at, self._stop = 0, len(entry.body)

    def part(self, start: int, stop: int) -> _MemoryReader:
        """Another reader of the same object, of some of its bytes."""
        reader = _MemoryReader(self._entry, self._read_bytes)
        reader._at, reader._stop = start, stop
        return reader

    def __aiter__(self) -> _MemoryReader:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)  # a reader always lets the loop run: other files, cancellation
        piece = self._entry.body[self._at : min(self._at + self._read_bytes, self._stop)]
        if not piece:
            raise StopAsyncIteration
        self._at += len(piece)
        return piece


class _MemoryUpload:
    """Used by one task; only what is finished is shared."""

    def __init__(self, store: MemoryStore, key: str, upload_id: str) -> None:
        self._store = store
        self._key = key
        self._upload_id = upload_id
        self._chunks: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self._chunks.append(bytes(data))
        await asyncio.sleep(0)

    async def finish(self) -> PendingUpload:
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._store._keep(self._upload_id, self._key, body)  # noqa: SLF001 - the store's own upload
        return PendingUpload(self._key, self._upload_id, (Part(1, _etag(body), len(body)),))

    async def abort(self) -> None:
        self._chunks.clear()
        self._store._discard(self._upload_id)  # noqa: SLF001 - the store's own upload


class MemoryStores:
    """One :class:`MemoryStore` a location, for every loop of the process. Calling it gives itself, so it is its own
    :class:`~engine.ports.OpenStores`; it cannot cross into another process."""

    def __init__(self, *, read_bytes: int = 1_048_576) -> None:
        self._read_bytes = read_bytes
        self._lock = threading.Lock()  # guards _stores
        self._stores: dict[Location, MemoryStore] = {}

    def __call__(self) -> MemoryStores:
        return self

    async def open(self, location: Location) -> MemoryStore:
        with self._lock:
            store = self._stores.get(location)
            if store is None:
                store = self._stores[location] = MemoryStore(str(location), read_bytes=self._read_bytes)
            return store

    async def aclose(self) -> None:
        """Keeps everything: other loops share it."""
