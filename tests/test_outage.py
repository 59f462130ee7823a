"""Our own side is waited for, by looking whether it works; told to stop, nobody waits."""

from __future__ import annotations

import asyncio

import pytest

from engine.errors import AccessDenied, EngineError, Unavailable
from engine.outage import Backoff, in_time, pause, probe, wait_for
from tests.batches import Stores, Watched, batch, keys


def test_pauses_double_within_bounds() -> None:
    """From the first to the longest, each cut by up to a half."""
    for _ in range(50):
        backoff = Backoff(1.0, 30.0)
        for longest in (1, 2, 4, 8, 16, 30, 30, 30):
            assert longest / 2 <= backoff.next_s() <= longest


async def test_the_probe_reads_and_writes_and_leaves_nothing() -> None:
    """It looks where the manifest goes and begins an upload where data goes; both are undone, or never were."""
    store = Watched("destination")
    await probe(batch([]), Stores(store))
    assert [call.operation for call in store.calls if not call.done] == ["head", "begin", "abort"]
    assert store.open_keys() == ()
    assert await keys(store) == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are not waited for; what was asked for."""
    asked: list[float] = []

    async def at_once(seconds: float, stop: asyncio.Event) -> None:
        asked.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("engine.outage.pause", at_once)
    return asked


async def test_waits_until_it_works(pauses: list[float]) -> None:
    """It is tried at growing pauses until it succeeds; any error of the engine counts as not usable."""
    failures: list[EngineError] = [Unavailable("down"), AccessDenied("not yet"), Unavailable("down")]

    async def usable() -> None:
        if failures:
            raise failures.pop(0)

    await wait_for(usable, "the destination", asyncio.Event())
    assert failures == []
    assert len(pauses) == 3
    assert pauses[0] <= 1 <= pauses[1] <= 2 <= pauses[2] <= 4


async def test_a_bug_is_not_waited_for(pauses: list[float]) -> None:
    """What is not the engine's error leaves at once."""

    async def usable() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await wait_for(usable, "the destination", asyncio.Event())
    assert pauses == []


async def test_stop_ends_a_pause() -> None:
    """Told to stop in the middle of a long pause, or before it, nobody waits for its end."""
    stop = asyncio.Event()
    pausing = asyncio.create_task(pause(3600, stop))
    await asyncio.sleep(0)
    assert not pausing.done()
    stop.set()
    await pausing
    await pause(3600, stop)
    await pause(0, asyncio.Event())


@pytest.mark.parametrize("hangs", [False, True])
async def test_stop_ends_the_wait(hangs: bool) -> None:
    """Between two looks, or while one hangs at a store that does not answer: the look is cancelled, and awaited."""
    stop, looking = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def usable() -> None:
        looking.set()
        if not hangs:
            raise Unavailable("down")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    waiting = asyncio.create_task(wait_for(usable, "the destination", stop))
    await looking.wait()
    stop.set()
    await waiting
    assert ended == (["cancelled"] if hangs else [])
    looking.clear()
    await wait_for(usable, "the destination", stop)
    assert not looking.is_set()


async def test_cancelling_the_wait_cancels_the_look() -> None:
    """No look goes on behind its caller's back."""
    looking, ended = asyncio.Event(), asyncio.Event()

    async def usable() -> None:
        looking.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(wait_for(usable, "the destination", asyncio.Event()))
    await looking.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


@pytest.mark.parametrize("told", ["before", "meanwhile"])
async def test_told_to_stop_a_body_gets_what_is_spared(told: str) -> None:
    """Whenever that is, the body is cancelled when its time is over, and TimeoutError says so."""
    stop, reached = asyncio.Event(), asyncio.Event()
    if told == "before":
        stop.set()

    async def body() -> None:
        async with in_time(stop, 0.01, 3600):
            reached.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(body())
    await reached.wait()
    stop.set()
    with pytest.raises(TimeoutError):
        await running


async def test_what_ends_in_time_is_left_alone() -> None:
    """Neither a stop within what is spared nor one that comes later disturbs it; its result and errors are its own."""
    stop = asyncio.Event()
    async with in_time(stop, 3600, 3600):
        stop.set()
        for _ in range(5):
            await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        async with in_time(asyncio.Event(), 0):
            raise Unavailable("down")


async def test_without_a_stop_there_is_the_limit_in_all() -> None:
    """A limit holds by itself; what is spared does not lengthen it."""
    stop = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with in_time(stop, 3600, 0.01):
            await asyncio.Event().wait()
    stop.set()
    with pytest.raises(TimeoutError):
        async with in_time(stop, 3600, 0.01):
            await asyncio.Event().wait()


@pytest.mark.parametrize("steps", range(5))
async def test_a_stop_in_the_moment_that_the_body_ends(steps: int) -> None:
    """However far the news of it has come when the body is done, nothing is raised where nobody could catch it."""
    stop, raised = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    async with in_time(stop, 3600, 3600):
        stop.set()
        for _ in range(steps):
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert raised == []


async def test_a_stop_while_the_limit_strikes() -> None:
    """A body that still cleans up when it is told to stop too: nothing is raised where nobody could catch it."""
    stop, raised = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stop.set()
            for _ in range(5):
                await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        async with in_time(stop, 1, 0.01):
            await body()
    assert raised == []
