"""The loop around the queue acknowledges what is committed and gives back what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.batch import Batch
from engine.config import QueueSettings
from engine.errors import AccessDenied, EngineError, TransientError
from engine.outage import Backoff
from engine.ports import Delivery, QueueFacts
from tests.batches import Call, fill, keys
from tests.serving import SETTINGS, CountedQueue, Serving, open_serving, read


@pytest.fixture
async def world() -> AsyncIterator[Serving]:
    async with open_serving() as world:
        yield world


async def test_drain_commits_and_acknowledges(world: Serving) -> None:
    """Drain takes every message, commits each batch, deletes each message and ends when the queue is empty."""
    names = await fill(world.source, 3)
    for name in names:
        await world.queue.send(name)
    summary = await world.serve()
    assert (summary.committed, summary.failed, len(world.queue)) == (3, 0, 0)
    assert world.watch.committed == [False] * 3
    assert world.watch.rows == 3
    assert len([key for key in await keys(world.destination) if key.endswith("manifest.json")]) == 3


async def test_once_waits_for_a_message_and_ends_after_it(world: Serving) -> None:
    """Once goes on polling until a message comes, handles it, and leaves the next one on the queue."""
    serving = asyncio.create_task(world.serve("once"))
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)
    summary = await serving
    assert (summary.committed, len(world.queue)) == (1, 1)


async def test_a_redelivered_message_is_deleted_without_work(world: Serving) -> None:
    """A message whose batch is committed already is acknowledged; nothing is read again."""
    (name,) = await fill(world.source, 1)
    for _ in range(2):
        await world.queue.send(name)
    summary = await world.serve()
    assert (summary.committed, len(world.queue)) == (2, 0)
    assert world.watch.committed == [False, True]
    assert len(world.watch.started) == 1


async def test_failures_are_given_back_with_a_delay(world: Serving) -> None:
    """A missing file, an unreadable message and a bug fail their messages, which wait out of sight; others go on."""
    names = await fill(world.source, 1)
    for body in ("in/gone.csv", "bad", "bug", names[0]):
        await world.queue.send(body)
    summary = await world.serve(open_dead_letters=None)
    assert (summary.committed, summary.failed, len(world.queue)) == (1, 3, 3)
    assert [error.code for error in world.watch.failed] == ["batch-failed", "message-error", "internal-error"]
    assert await world.queue.receive(0, 30) is None


async def test_stop_ends_the_work_in_hand_and_gives_its_message_back(world: Serving) -> None:
    """Told to stop, with no grace left, the batch in hand is given up and its message is visible at once."""
    await world.queue.send("slow")
    reading = asyncio.Event()

    async def slow(delivery: Delivery) -> Batch:
        reading.set()
        return await read(delivery)

    serving = asyncio.create_task(world.serve("forever", read_message=slow))
    await reading.wait()
    world.stop.set()
    summary = await serving
    assert (summary.committed, summary.failed) == (0, 1)
    assert world.watch.failed[0].code == "shutting-down"
    assert world.queue.asked == ["receive", "extend 0"]
    delivery = await world.queue.receive(0, 30)
    assert delivery is not None
    assert delivery.receive_count == 2


async def test_stop_keeps_what_is_finished(world: Serving) -> None:
    """A batch that is stopped in the middle of a file keeps the others; the next receive reads that file alone."""
    names = await fill(world.source, 2)
    await world.queue.send(",".join(names))
    loop = asyncio.get_running_loop()
    written = asyncio.Event()

    async def hang(call: Call) -> None:
        if call.operation == "put" and call.done:
            written.set()
        if call.operation == "finish" and "data/in/1" in call.key and not call.done:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait(written), loop))
            loop.call_soon_threadsafe(world.stop.set)
            await asyncio.Event().wait()

    async def nothing(_: Call) -> None: ...

    world.destination.hook = hang
    await world.serve("forever")
    assert world.watch.failed[0].code == "shutting-down"
    assert len(world.destination.open_keys()) == 2  # of the finished file
    world.destination.hook = nothing
    world.source.calls.clear()
    world.stop.clear()
    summary = await world.serve("once")
    assert summary.committed == 1
    assert {call.key for call in world.source.calls if call.operation == "read"} == {"in/1.csv"}
    assert not world.destination.open_keys()


async def wait(event: asyncio.Event) -> None:
    await event.wait()


async def test_stop_gives_a_batch_its_grace(world: Serving) -> None:
    """What can be finished in time is finished, and acknowledged; then no other message is taken."""
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)

    async def stop_first(delivery: Delivery) -> Batch:
        world.stop.set()
        return await read(delivery)

    patient = SETTINGS.model_copy(update={"service": SETTINGS.service.model_copy(update={"grace_s": 60})})
    summary = await world.serve("forever", read_message=stop_first, settings=patient)
    assert (summary.committed, summary.failed, len(world.queue)) == (1, 0, 1)
    assert world.queue.receives() == {names[1]: 0}


async def test_what_the_last_poll_brings_is_given_back(world: Serving) -> None:
    """Told to stop while a poll runs, the service waits for it, and gives back at once what it brings."""

    def stop(what: str) -> None:
        if what == "receive":
            world.stop.set()

    world.queue.before = stop
    await world.queue.send("in/0.csv")
    summary = await world.serve("forever")
    assert (summary.committed, summary.failed) == (0, 0)
    assert world.queue.asked == ["receive", "extend 0"]
    assert world.watch.started == []
    assert await world.queue.receive(0, 30) is not None


async def test_stop_while_polling_ends(world: Serving) -> None:
    """Told to stop while a poll runs, the service waits for the poll and ends without work."""
    serving = asyncio.create_task(world.serve("forever"))
    world.stop.set()
    summary = await serving
    assert (summary.committed, summary.failed) == (0, 0)


async def test_a_queue_that_is_down_is_asked_again(world: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that cannot be reached is not an empty one: it is polled again after a pause, and nothing is lost."""
    monkeypatch.setattr(Backoff, "next_s", lambda _: 0.001)
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)
    failures = [TransientError("down"), TransientError("down")]

    def fail(what: str) -> None:
        if what == "receive" and failures:
            raise failures.pop()

    world.queue.before = fail
    summary = await world.serve()
    assert (summary.committed, len(world.queue)) == (1, 0)
    assert world.queue.asked[:4] == ["receive"] * 3 + ["ack"]


async def test_stop_while_the_queue_is_down(world: Serving) -> None:
    """Nobody waits for the end of a pause then."""

    def fail(what: str) -> None:
        world.stop.set()
        raise TransientError("down")

    world.queue.before = fail
    await world.serve("forever")
    assert world.queue.asked == ["receive"]


async def test_a_queue_that_refuses_us_ends_the_service(world: Serving) -> None:
    """What will not pass is the caller's to know: no circle of failing polls."""

    def fail(what: str) -> None:
        raise AccessDenied("no")

    world.queue.before = fail
    with pytest.raises(AccessDenied):
        await world.serve("forever")
    assert world.queue.asked == ["receive"]


@pytest.mark.parametrize("error", [TransientError("down"), AccessDenied("no")])
async def test_a_queue_that_may_not_be_looked_at_is_served(world: Serving, error: EngineError) -> None:
    """The look at the queue's own settings is only for warnings."""

    class Shy(CountedQueue):
        async def facts(self) -> QueueFacts:
            raise error

    queue = Shy()

    async def open_queue() -> Shy:
        return queue

    (name,) = await fill(world.source, 1)
    await queue.send(name)
    assert (await world.serve(open_queue=open_queue)).committed == 1


async def test_a_poll_takes_half_of_the_lease_at_most(world: Serving) -> None:
    """The lease counts from the sending of the poll: a long one must leave time to work."""
    waits: list[int] = []

    class Polled(CountedQueue):
        async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
            waits.append(wait_s)
            world.stop.set()
            return None

    queue = Polled()

    async def open_queue() -> Polled:
        return queue

    for visibility_s, wait_s, mode in ((30, 20, "forever"), (300, 20, "forever"), (300, 20, "drain"), (300, 0, "once")):
        settings = SETTINGS.model_copy(update={
            "queue": QueueSettings(url="http://queue", wait_s=wait_s, visibility_s=visibility_s)
        })  # fmt: skip
        world.stop.clear()
        await world.serve(mode, settings=settings, open_queue=open_queue)  # type: ignore[arg-type]
    assert waits == [15, 20, 1, 0]


async def test_stop_while_a_poll_is_not_answered(world: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that hangs is not waited for longer than a poll may take."""
    monkeypatch.setattr("engine.service._ANSWER_S", 0.01)
    polling = asyncio.Event()

    class Hung(CountedQueue):
        async def receive(self, wait_s: int, visibility_s: int) -> Delivery | None:
            polling.set()
            await asyncio.Event().wait()
            return None

    queue = Hung()

    async def open_queue() -> Hung:
        return queue

    settings = SETTINGS.model_copy(update={"queue": QueueSettings(url="http://queue", wait_s=0, visibility_s=30)})
    serving = asyncio.create_task(world.serve("forever", open_queue=open_queue, settings=settings))
    await polling.wait()
    world.stop.set()
    assert (await serving).committed == 0
