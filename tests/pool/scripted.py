"""Stores whose files misbehave on purpose: what happens while a file is read is written in its key.

A key is ``<name>.<script>.csv``. Evidence is left as empty files in the location's folder, because the worker may be a
process of its own: ``<name>.begun`` and ``<name>.aborted`` for its upload, ``<name>.pid``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.core.limits import Limits
from engine.core.mapping import Mapping, validate_mapping
from engine.errors import EngineError, SourceMissing
from engine.pipeline import FileJob
from engine.ports import LocalLocation, Location, ObjectInfo, ObjectReader, Upload

BODY = b"id\n" + b"".join(b"%d\n" % number for number in range(200))
READ_BYTES = 64
STUBBORN_S = 2.0
MAPPING: Mapping = validate_mapping({"version": 1, "id": "ids", "fields": [{"name": "id", "type": "int"}]}, "mapping")

type Script = Callable[[_Store], Awaitable[None]]

ALL_AT_ONCE = threading.Barrier(2)
"""What a ``meet`` file waits at, with its whole thread: passed only by two threads at once."""


class Scripted:
    """An :class:`engine.ports.OpenStores` that pickles; ``pipelines`` is M, for the ``together`` script."""

    def __init__(self, pipelines: int = 1) -> None:
        self.pipelines = pipelines

    def __call__(self) -> ScriptedStores:
        return ScriptedStores(self.pipelines)


class NoStart:
    """An OpenStores that cannot open anything."""

    def __call__(self) -> ScriptedStores:
        raise SourceMissing("no such folder")


class NoPickle(Scripted):
    """An OpenStores that only threads can use."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class ScriptedStores(MemoryStores):
    """One worker's stores."""

    def __init__(self, pipelines: int) -> None:
        super().__init__()
        self.barrier = asyncio.Barrier(pipelines)
        self.folders: dict[str, _Store] = {}
        self.reading = self.most = 0  # files open now, and at most

    async def open(self, location: Location) -> MemoryStore:
        assert isinstance(location, LocalLocation)
        return self.folders.setdefault(location.root, _Store(self, Path(location.root)))


class _Store(MemoryStore):
    def __init__(self, stores: ScriptedStores, folder: Path) -> None:
        super().__init__(str(folder), read_bytes=READ_BYTES)
        self.stores = stores
        self.folder = folder
        self.tells = False

    @asynccontextmanager
    async def read(  # type: ignore[override]  # any reader will do
        self, key: str, *, version_id: str | None = None
    ) -> AsyncIterator[ObjectReader]:
        name, script, _ = key.split(".")
        (self.folder / f"{name}.pid").write_text(str(os.getpid()))
        self.stores.reading += 1
        self.stores.most = max(self.stores.most, self.stores.reading)
        try:
            yield _Reader(key, SCRIPTS[script], self)
        finally:
            self.stores.reading -= 1

    async def begin(self, key: str) -> Upload:
        (self.folder / f"{Path(key).name}.begun").touch()
        return await super().begin(key)

    def _discard(self, upload_id: str) -> None:
        """What both ways of aborting an upload come down to."""
        begun = self._open.get(upload_id)
        (self.folder / f"{Path(begun.key if begun else 'unknown').name}.aborted").touch()
        super()._discard(upload_id)


class _Reader:
    """Gives the first piece, lets the script act, gives the rest."""

    def __init__(self, key: str, script: Script, store: _Store) -> None:
        self.info = ObjectInfo(key, len(BODY), "etag")
        self.script = script
        self.store = store
        self.at = 0

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        if self.at == READ_BYTES:
            await self.script(self.store)
        piece = BODY[self.at : self.at + READ_BYTES]
        self.at += len(piece)
        if not piece:
            if self.store.tells:
                (self.store.folder / "finished").write_text("read to its end")
            raise StopAsyncIteration
        return piece


async def _ok(store: _Store) -> None:
    """A file like any other."""


async def _block(store: _Store) -> None:
    await asyncio.Event().wait()


async def _stubborn(store: _Store) -> None:
    """Cannot be cancelled for a while: longer than any grace a test gives, shorter than a test may take."""
    loop = asyncio.get_running_loop()
    release = loop.create_future()
    loop.call_later(STUBBORN_S, release.set_result, None)
    while not release.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(release)


async def _exit(store: _Store) -> None:
    raise SystemExit(3)


async def _interrupt(store: _Store) -> None:
    raise KeyboardInterrupt


async def _memory(store: _Store) -> None:
    raise MemoryError("no room")


async def _kill(store: _Store) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _value(store: _Store) -> None:
    raise ValueError("odd")


async def _missing(store: _Store) -> None:
    raise SourceMissing("gone")


async def _unpicklable(store: _Store) -> None:
    error = EngineError("holds a lock")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


async def _uncalled(store: _Store) -> None:
    raise asyncio.CancelledError


async def _meet(store: _Store) -> None:
    ALL_AT_ONCE.wait(60)


async def _together(store: _Store) -> None:
    await store.stores.barrier.wait()
    (store.folder / f"most.{store.stores.most}").touch()


async def _tell(store: _Store) -> None:
    """Tells the other end of a FIFO when the file has been read to its end."""
    store.tells = True


SCRIPTS: dict[str, Script] = {
    name[1:]: function for name, function in list(globals().items()) if asyncio.iscoroutinefunction(function)
}


def file_job(folder: Path, name: str, script: str, index: int = 0) -> FileJob:
    """The job of a scripted file; source, destination and evidence share the folder."""
    where = LocalLocation(str(folder))
    return FileJob(
        batch_id="batch-1",
        index=index,
        source=where,
        key=f"{name}.{script}.csv",
        version_id=None,
        size=len(BODY),
        destination=where,
        data_key=name,
        rejects_key=f"{name}-rejects",
        mapping=MAPPING.canonical,
        mapping_sha256=MAPPING.sha256,
        limits=Limits(),
    )
