"""The files that a batch reads: as named, or found under a prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.adapters.memory import MemoryStore
from engine.errors import MessageError, SourceMissing
from engine.lease import NoLease
from engine.ports import ObjectInfo
from engine.sources import SourceFile, find_sources
from tests.batches import SOURCE


class Endless(MemoryStore):
    """A bucket that says it holds ever more of one kind of key."""

    ending = ""
    told = 0

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        while True:
            self.told += 1
            yield ObjectInfo(f"{prefix}{self.told}{self.ending}", 1, "etag")


@pytest.fixture(autouse=True)
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.sources.MAX_FILES", 1000)


async def test_a_prefix_means_what_lies_under_it() -> None:
    """Every object but the markers of folders, with its size, in the order of keys."""
    store = MemoryStore("source")
    for key, body in (("in/b.csv", b"12"), ("in/", b""), ("in/a.csv", b"1"), ("other", b"")):
        await store.put(key, body)
    assert await find_sources("in/", SOURCE, store, NoLease(), sized=False) == [
        SourceFile("in/a.csv", size=1),
        SourceFile("in/b.csv", size=2),
    ]
    with pytest.raises(SourceMissing, match="check the prefix"):
        await find_sources("none/", SOURCE, store, NoLease(), sized=False)


@pytest.mark.parametrize(("ending", "told"), [(".csv", 1001), ("/", 2001)])
async def test_a_listing_ends(ending: str, told: int) -> None:
    """One more than a batch may have is enough to know; markers of folders are no files, but they have an end too."""
    store = Endless("source")
    store.ending = ending
    with pytest.raises(MessageError, match=r"more than 1,000 objects lie under .*: split the batch"):
        await find_sources("in/", SOURCE, store, NoLease(), sized=False)
    assert store.told == told
