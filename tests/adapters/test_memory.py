"""The in-memory store: what only it can show."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.adapters.memory import MemoryStore, MemoryStores
from engine.errors import TransientError
from engine.ports import LocalLocation, PendingUpload
from tests.adapters.threads import run_threads


def test_store_across_threads() -> None:
    """Of several threads that put a key only if it is absent, exactly one wins; uploads do not disturb each other."""
    stores = MemoryStores()
    ready = threading.Barrier(6)
    won: list[int] = []

    async def work(number: int) -> None:
        store = await stores().open(LocalLocation("shared"))
        ready.wait()
        if await store.put("manifest", str(number).encode(), only_if_absent=True) is not None:
            won.append(number)
        for item in range(50):
            upload = await store.begin(f"{number}/{item}")
            await upload.write(b"x" * item)
            await store.complete(await upload.finish())

    run_threads(6, work)
    assert len(won) == 1
    store = asyncio.run(stores.open(LocalLocation("shared")))
    assert asyncio.run(store.get("manifest")) == str(won[0]).encode()
    assert len(asyncio.run(listed(store))) == 301
    assert store.open_keys() == ()


async def listed(store: MemoryStore) -> list[str]:
    return [info.key async for info in store.list("")]


async def test_finish_after_somebody_aborted() -> None:
    """An upload that was aborted from elsewhere cannot be finished or completed."""
    store = MemoryStore()
    upload = await store.begin("a")
    await upload.write(b"x")
    assert store.open_keys() == ("a",)
    [found] = [found async for found in store.open_uploads("")]
    await store.abort(PendingUpload("a", found.upload_id, ()))
    with pytest.raises(TransientError):
        await upload.finish()
