"""Pipelines wait for memory in turn, across threads, and always give it back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.errors import Failure, MemoryExceeded
from engine.longrows import LongRows, Room

ROOM = Room(chunk=100, piece=10, row=1900, total=4000)  # rows of 1000 bytes; two of them at once


async def test_short_rows_wait_for_nobody() -> None:
    """What a pipeline may hold by itself it holds, though all shared memory is taken."""
    rows = LongRows(ROOM)
    await rows.take(ROOM.total)
    with rows.seat() as seat:
        held = asyncio.create_task(seat.hold(110, row=1))
        await asyncio.sleep(0)
        assert held.done()


async def test_one_row_more_than_fit_waits_until_another_is_over() -> None:
    """Two long rows fit; the third waits, and goes on when one of the two is over, with no more than that freed."""
    rows = LongRows(ROOM)
    with rows.seat() as first, rows.seat() as second, rows.seat() as third:
        await first.hold(111, row=1)
        await second.hold(1000, row=1)
        waiting = asyncio.create_task(third.hold(111, row=1))
        await first.hold(1010, row=1)  # it grows within what it has
        assert not waiting.done()
        await first.hold(50, row=2)  # the row is over
        await waiting
        again = asyncio.create_task(first.hold(111, row=2))
        await asyncio.sleep(0)
        assert not again.done()
        second.leave()
        await again


async def test_what_is_left_when_a_pipeline_ends_is_free_again() -> None:
    """A file that fails in the middle of a long row keeps no memory."""
    rows = LongRows(ROOM)

    async def fails() -> None:
        with rows.seat() as seat:
            await seat.hold(111, row=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    await rows.take(ROOM.total)


@pytest.mark.parametrize("granted", [False, True], ids=["while it waits", "in the moment of its turn"])
async def test_whoever_is_cancelled_has_taken_nothing(granted: bool) -> None:
    """A cancelled wait loses no memory, and does not stop those behind it."""
    rows = LongRows(ROOM)
    await rows.take(ROOM.total)
    first = asyncio.create_task(rows.take(ROOM.total))
    behind = asyncio.create_task(rows.take(1))
    await asyncio.sleep(0)
    if granted:
        rows.give(ROOM.total)
        first.cancel()
    else:
        first.cancel()
        await asyncio.wait([first])
        rows.give(1)
    with pytest.raises(asyncio.CancelledError):
        await first
    await behind
    rows.give(ROOM.total if not granted else 1)


async def test_turns_are_in_the_order_of_asking() -> None:
    """A large row is not passed over for ever by small ones that would fit."""
    rows = LongRows(ROOM)
    await rows.take(3000)
    large = asyncio.create_task(rows.take(2000))
    await asyncio.sleep(0)
    small = asyncio.create_task(rows.take(1))
    await asyncio.sleep(0)
    assert not small.done()
    rows.give(1000)
    await large
    rows.give(1)
    await small


async def test_a_row_that_can_never_fit_is_an_error() -> None:
    """Where all shared memory is too little for the longest row, one takes it all and a row beyond it fails its file;
    the error names the row and what can be set, and is permanent."""
    with LongRows(Room(chunk=100, piece=10, row=1900, total=300)).seat() as seat:
        await seat.hold(210, row=7)
        with pytest.raises(MemoryExceeded, match=r"^row 7: .*limits\.row_bytes") as failed:
            await seat.hold(211, row=7)
    assert (failed.value.code, failed.value.failure) == ("memory-error", Failure.PERMANENT)


async def test_a_loop_that_is_gone_stops_nobody() -> None:
    """A worker that ended while it waited is passed over, and loses no memory."""
    rows = LongRows(ROOM)
    await rows.take(ROOM.total)
    gone = asyncio.new_event_loop()

    def ask() -> None:
        asking = gone.create_task(rows.take(ROOM.total))
        gone.call_soon(gone.stop)
        gone.run_forever()
        assert not asking.done()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    for task in asyncio.all_tasks(gone):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant to be left behind
    gone.close()
    rows.give(ROOM.total)
    await rows.take(ROOM.total)


def test_no_two_threads_have_the_same_bytes() -> None:
    """Four loops of eight pipelines, each with many long rows: never more at once than fit, and none waits for ever."""
    rows = LongRows(ROOM)
    lock, start = threading.Lock(), threading.Barrier(4)
    now = most = done = 0

    async def pipeline() -> None:
        nonlocal now, most, done
        with rows.seat() as seat:
            for _ in range(50):
                await seat.hold(1000, row=1)
                with lock:
                    now += 1
                    most = max(most, now)
                await asyncio.sleep(0)
                with lock:
                    now -= 1
                    done += 1
                await seat.hold(0, row=1)

    async def loop() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(pipeline())

    def worker() -> None:
        start.wait()
        asyncio.run(loop())

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == 4 * 8 * 50
    assert most == 2
