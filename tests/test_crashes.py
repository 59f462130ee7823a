"""However often a batch's worker dies, in whatever call, the batch is committed in the end as if none had."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import hypothesis.strategies as st
from hypothesis import given, settings

from engine.adapters.memory import MemoryStore
from engine.janitor import sweep_destination
from engine.manifest import Manifest
from tests.batches import Call, Watching, batch, fill, keys, nothing, open_watching, open_world
from tests.examples import examples

OPERATIONS = [
    "read", "piece", "list", "head", "get", "put", "delete", "begin", "write", "finish", "complete", "standing",
    "abort", "open_uploads",
]  # fmt: skip


type End = Callable[[Watching, list[str], dict[str, bytes]], Awaitable[None]]


class Crash(Exception):
    """The process is gone: nothing that it does afterwards has any effect. Not an error of the engine's."""


@dataclass(frozen=True, slots=True)
class Death:
    """A worker dies at the call number ``at`` of one operation, before it was applied or after."""

    operation: str
    at: int
    done: bool


DEATHS = st.builds(Death, st.sampled_from(OPERATIONS), st.integers(1, 4), st.booleans())


_clean: dict[tuple[int, int], dict[str, bytes]] = {}


async def clean(names: list[str], rows: int) -> dict[str, bytes]:
    """What such a batch becomes if nothing goes wrong; made once."""
    if (len(names), rows) not in _clean:
        source = MemoryStore("source")
        await fill(source, len(names), rows)
        async with open_world(source, MemoryStore("clean")) as world:
            await world.run(batch(names))
            found = {key: await world.destination.get(key) for key in await keys(world.destination)}
        _clean[len(names), rows] = found
    return _clean[len(names), rows]


async def die(world: Watching, names: list[str], death: Death) -> None:
    """One attempt that ends in the death of its worker, if it comes so far."""
    seen = 0
    dead = False
    lock = threading.Lock()  # guards both

    async def crash(call: Call) -> None:
        nonlocal seen, dead
        with lock:
            if not dead and call.operation == death.operation and call.done == death.done:
                seen += 1
                dead = seen == death.at
        if dead:
            raise Crash

    world.source.hook = world.destination.hook = crash
    with contextlib.suppress(Exception):  # what a dead worker says, nobody hears
        await world.run(batch(names))
    world.source.hook = world.destination.hook = nothing


async def is_clean(world: Watching, expected: dict[str, bytes]) -> None:
    found = {key: await world.destination.get(key) for key in await keys(world.destination)}
    assert found.keys() == expected.keys()
    for key, body in expected.items():
        if key.endswith("manifest.json"):
            ours, theirs = Manifest.from_json(found[key]), Manifest.from_json(body)
            assert replace(ours, attempt="") == replace(theirs, attempt="")
        else:
            assert found[key] == body
    assert not world.destination.open_keys()


async def after(deaths: list[Death], files: int, rows: int, end: End) -> None:
    async with open_watching() as world:
        names = await fill(world.source, files, rows)
        expected = await clean(names, rows)
        for death in deaths:
            await die(world, names, death)
            there = await keys(world.destination)
            if "out/b1/manifest.json" in there:  # from its first moment on, all that it names is there
                manifest = Manifest.from_json(await world.destination.get("out/b1/manifest.json"))
                assert manifest.keys <= set(there)
        await end(world, names, expected)


@settings(max_examples=examples(200))
@given(st.lists(DEATHS, min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 3))
def test_any_deaths_and_a_last_attempt(deaths: list[Death], files: int, rows: int) -> None:
    """Workers die in any calls, one after the other, and clean up nothing; then one lives. The output is a clean run's,
    byte for byte, with one manifest; no checkpoint and no upload is left."""

    async def live(world: Watching, names: list[str], expected: dict[str, bytes]) -> None:
        await world.run(batch(names))
        await is_clean(world, expected)

    asyncio.run(after(deaths, files, rows, live))


@settings(max_examples=examples(100))
@given(st.lists(DEATHS, min_size=1, max_size=3), st.integers(1, 2))
def test_any_deaths_and_the_janitor(deaths: list[Death], files: int) -> None:
    """Where no attempt follows, and none can be alive, the janitor leaves a committed batch whole and nothing else."""

    async def abandon(world: Watching, names: list[str], expected: dict[str, bytes]) -> None:
        world.age(hours=13.1)
        await sweep_destination(world.destination, "out/", before=float("inf"))
        if await keys(world.destination):
            await is_clean(world, expected)
        assert not world.destination.open_keys()

    asyncio.run(after(deaths, files, 2, abandon))
