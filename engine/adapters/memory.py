"""Stores and a queue in memory, for tests and experiments: the same ports, the same promises, no network.

Shared by all threads of a process: every object here guards its state with the lock that stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from engine.adapters.keys import key_order
from engine.errors import LeaseLost, SourceMissing, TransientError
from engine.ports import Delivery, Location, ObjectInfo, Part, PendingUpload, Upload

__all__ = ["MemoryQueue", "MemoryStore", "MemoryStores"]


@dataclass(frozen=True, slots=True)
class _Object:
    info: ObjectInfo
    body: bytes


def _object(key: str, body: bytes) -> _Object:
    return _Object(ObjectInfo(key, len(body), hashlib.md5(body, usedforsecurity=False).hexdigest()), body)


class MemoryStore:
    """An :class:`~engine.ports.ObjectStore` in memory. A reader gives the object as it was when it was opened."""

    def __init__(self, name: str = "memory", *, read_bytes: int = 1_048_576) -> None:
        self.name = name
        self.read_bytes = read_bytes
        self._lock = threading.Lock()  # guards _objects and _open; held for dictionary operations only
        self._objects: dict[str, _Object] = {}
        self._open: dict[str, tuple[str, bytes]] = {}  # upload id -> key, all bytes (empty until finished)

    @asynccontextmanager
    async def read(self, key: str, *, version_id: str | None = None) -> AsyncIterator[_MemoryReader]:
        if version_id is not None:
            raise SourceMissing(f"no version {version_id} of {self.name}/{key}: this store keeps none", file=key)
        yield _MemoryReader(self._find(key), self.read_bytes)

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
            self._open[upload_id] = (key, b"")
        return _MemoryUpload(self, key, upload_id)

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        with self._lock:
            key, body = self._open.pop(upload.upload_id, (upload.key, None))
            if body is None:
                entry = self._objects.get(key)
                if entry is not None and entry.info.etag == upload.parts[0].etag:
                    return entry.info  # completed before
                raise TransientError(f"the upload of {self.name}/{key} is gone; the file must be written again")
            entry = self._objects[key] = _object(key, body)
        return entry.info

    async def abort(self, upload: PendingUpload) -> None:
        self._discard(upload.upload_id)

    async def abort_open(self, prefix: str) -> int:
        with self._lock:
            doomed = [upload_id for upload_id, (key, _) in self._open.items() if key.startswith(prefix)]
            for upload_id in doomed:
                del self._open[upload_id]
        return len(doomed)

    def open_uploads(self) -> tuple[str, ...]:
        """Keys of the uploads that are neither completed nor aborted."""
        with self._lock:
            return tuple(sorted(key for key, _ in self._open.values()))

    def _find(self, key: str) -> _Object:
        with self._lock:
            entry = self._objects.get(key)
        if entry is None:
            raise SourceMissing(f"no such object: {self.name}/{key}", file=key)
        return entry

    def _keep(self, upload_id: str, key: str, body: bytes) -> None:
        with self._lock:
            if upload_id not in self._open:
                raise TransientError(f"the upload of {self.name}/{key} was aborted by somebody else")
            self._open[upload_id] = (key, body)

    def _discard(self, upload_id: str) -> None:
        with self._lock:
            self._open.pop(upload_id, None)


class _MemoryReader:
    def __init__(self, entry: _Object, read_bytes: int) -> None:
        self.info = entry.info
        self._body = entry.body
        self._read_bytes = read_bytes
        self._at = 0

    def __aiter__(self) -> _MemoryReader:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)  # a reader always lets the loop run: other files, cancellation
        piece = self._body[self._at : self._at + self._read_bytes]
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
        return PendingUpload(self._key, self._upload_id, (Part(1, _object(self._key, body).info.etag, len(body)),))

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


@dataclass(frozen=True, slots=True)
class _Message:
    """A message, and the receive that holds it. Replaced, never changed."""

    message_id: str
    body: str
    visible_at: float
    receipt: str | None = None
    receive_count: int = 0


class MemoryQueue:
    """A :class:`~engine.ports.Queue` with SQS's visibility timeouts.

    Args:
        clock: monotonic seconds; visibility is measured by it. A receive that waits does so in real time and wakes
            for a send or a change of visibility.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards _messages and _waiters
        self._messages: dict[str, _Message] = {}
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
        deadline = time.monotonic() + wait_s
        wake = (asyncio.get_running_loop(), asyncio.Event())
        while True:
            with self._lock:
                delivery, due_s = self._take(visibility_s)
                left_s = deadline - time.monotonic()
                if delivery is not None or left_s <= 0:
                    return delivery
                self._waiters.append(wake)
            try:
                async with asyncio.timeout(min(left_s, max(due_s, 0.001))):
                    await wake[1].wait()
            except TimeoutError:
                pass
            finally:
                wake[1].clear()
                with self._lock:
                    self._waiters.remove(wake)

    async def ack(self, delivery: Delivery) -> None:
        """Deletes the message. A receipt that a later receive replaced deletes nothing (as SQS)."""
        with self._lock:
            message = self._messages.get(delivery.message_id)
            if message is not None and message.receipt == delivery.receipt:
                del self._messages[delivery.message_id]

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        """Raises :class:`~engine.errors.LeaseLost` when this receive no longer holds the message."""
        with self._lock:
            message = self._messages.get(delivery.message_id)
            now = self._clock()
            if message is None or message.receipt != delivery.receipt or message.visible_at <= now:
                raise LeaseLost("the message is no longer ours: its visibility timeout passed or it was deleted")
            self._messages[delivery.message_id] = replace(message, visible_at=now + visibility_s)
        self._wake()

    async def send(self, body: str) -> str:
        message_id = uuid.uuid4().hex
        with self._lock:
            self._messages[message_id] = _Message(message_id, body, self._clock())
        self._wake()
        return message_id

    async def aclose(self) -> None:
        """Keeps everything: others share it."""

    def __len__(self) -> int:
        """Messages not deleted, visible or not."""
        with self._lock:
            return len(self._messages)

    def _take(self, visibility_s: int) -> tuple[Delivery | None, float]:
        """The oldest visible message, or the seconds until one may be visible. The lock is held."""
        now = self._clock()
        for message in self._messages.values():
            if message.visible_at <= now:
                taken = replace(
                    message,
                    visible_at=now + visibility_s,
                    receipt=uuid.uuid4().hex,
                    receive_count=message.receive_count + 1,
                )
                self._messages[message.message_id] = taken
                assert taken.receipt is not None
                return Delivery(taken.message_id, taken.receipt, taken.body, taken.receive_count), 0.0
        return None, min((message.visible_at - now for message in self._messages.values()), default=float("inf"))

    def _wake(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for loop, event in waiters:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile: nobody waits on it any more
                loop.call_soon_threadsafe(event.set)
