"""Many calls a few at once, and clean-up that goes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from engine.bounded import brief, each, stop, uninterrupted
from engine.errors import TransientError


async def test_each_keeps_the_order_and_the_bound() -> None:
    """Results come in the order of the items, whenever each is done; no more than 16 run at once."""
    running = most = 0
    turns = asyncio.Condition()

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(100 - item):  # the later the sooner
            await asyncio.sleep(0)
        async with turns:
            turns.notify_all()
        running -= 1
        return item * 2

    assert await each(work, range(100)) == [item * 2 for item in range(100)]
    assert most == 16
    assert await each(work, []) == []


async def test_the_first_failure_cancels_the_rest() -> None:
    """What fails leaves as a group; what runs beside it is cancelled, and what has not begun never does."""
    ended: list[str] = []
    begun = 0

    async def work(item: int) -> None:
        nonlocal begun
        begun += 1
        if item == 3:
            raise TransientError("no")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(ExceptionGroup) as caught:
        await each(work, range(50))
    assert [type(error) for error in caught.value.exceptions] == [TransientError]
    assert begun <= 17  # the failure's own place may be taken once more
    assert ended == ["cancelled"] * (begun - 1)


async def test_each_takes_as_many_tasks_for_many_items_as_for_few() -> None:
    """Of 50,000 items the first fails, or all are done, and sixteen tasks have been made: no task waits for its turn
    among thousands, each of which would be looked at when any is cancelled."""
    loop = asyncio.get_running_loop()
    made = 0

    def make[T](loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=loop, **options)

    async def fail(item: int) -> None:
        await asyncio.sleep(0)
        raise TransientError(str(item))

    async def same(item: int) -> int:
        return item

    loop.set_task_factory(make)
    try:
        with pytest.raises(ExceptionGroup):
            await each(fail, range(50_000))
        assert made == 16
        assert await each(same, iter(range(50_000))) == list(range(50_000))
        assert made == 32
    finally:
        loop.set_task_factory(None)


async def test_work_that_cancels_itself_is_no_result() -> None:
    """Nobody takes the results of the others for all."""

    async def work(item: int) -> int:
        if item == 3:
            raise asyncio.CancelledError
        return item

    with pytest.raises(asyncio.CancelledError):
        await each(work, range(20))


async def test_brief_work_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is cancelled and is a transient failure that says so; what is done in time is left alone."""
    monkeypatch.setattr("engine.bounded.BRIEF_S", 0.01)
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def seven() -> int:
        return 7

    with pytest.raises(TransientError, match="no answer"):
        await brief(hang())
    assert ended == ["cancelled"]
    assert await brief(seven()) == 7


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancellation_waits_for_what_must_end(times: int, fails: bool) -> None:
    """However often its caller is cancelled, and however it ends, the work is done first; then the caller is told."""
    go_on, steps = asyncio.Event(), []

    async def work() -> None:
        steps.append("begun")
        await go_on.wait()
        steps.append("done")
        if fails:
            raise TransientError("nobody's")

    caller = asyncio.create_task(uninterrupted(work()))
    for _ in range(times):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0)
        assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert steps == ["begun", "done"]


async def test_uninterrupted_gives_what_the_work_gives() -> None:
    """Left alone, its result and its failure are those of the work."""

    async def result() -> int:
        await asyncio.sleep(0)
        return 7

    async def failure() -> int:
        raise TransientError("no")

    assert await uninterrupted(result()) == 7
    with pytest.raises(TransientError):
        await uninterrupted(failure())


async def test_what_does_not_end_is_given_up() -> None:
    """Work that hangs is cancelled when its grace is over, which counts from the caller's cancellation alone."""
    hung, ended = asyncio.Event(), []

    async def work() -> None:
        hung.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    caller = asyncio.create_task(uninterrupted(work(), grace_s=0.01))
    await hung.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == ["cancelled"]


async def test_stop_waits_for_the_end_whatever_it_is() -> None:
    """A task is over when ``stop`` returns, also one that has failed, or that takes its time; none is no matter."""
    over = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            over.set()

    async def fails() -> None:
        raise TransientError("nobody looks")

    for work in (slow(), fails()):
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        await stop(task)
        assert task.done()
    assert over.is_set()
    await stop(None)
