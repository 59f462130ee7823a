"""Batches over stores in memory, for the tests of what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.adapters.memory import MemoryStore
from engine.batch import Batch, SourceFile
from engine.core.mapping import Mapping, validate_mapping
from engine.ports import LocalLocation

__all__ = ["DESTINATION", "SOURCE", "batch", "fill", "keys", "mapping"]

SOURCE = LocalLocation("memory-source")
DESTINATION = LocalLocation("memory-destination")
ROOT = "out/b1/"


def mapping() -> Mapping:
    fields = [{"name": "id", "type": "int", "required": True}, {"name": "name", "type": "string"}]
    return validate_mapping({"version": 1, "id": "people", "fields": fields}, "test")


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
    return [info.key async for info in store.list("")]
