"""What the service does with messages that fail, and with our own side when it is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from engine.adapters.memory import MemoryStore
from engine.batch import Batch
from engine.config import QueueSettings
from engine.errors import EngineError, LeaseLost, OwnAccessDenied, TransientError, Unavailable
from engine.lease import Lease, clock
from engine.outage import Backoff
from engine.ports import Delivery
from tests.batches import Call, fill, keys, nothing
from tests.serving import SETTINGS, Serving, open_serving, read


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """Pauses of an outage are short; those of a file between its tries too."""
    monkeypatch.setattr(Backoff, "next_s", lambda _: 0.001)
    monkeypatch.setattr("engine.attempts._LONGEST_PAUSE_S", 0.001)
    async with open_serving() as world:
        yield world


async def test_failures_for_good_are_set_aside(world: Serving) -> None:
    """A missing file, an unreadable message and a bug go to the dead-letter queue with their reasons, others go on."""
    (name,) = await fill(world.source, 1)
    for body in ("in/gone.csv", "bad", "bug", name):
        await world.queue.send(body)
    summary = await world.serve()
    assert (summary.committed, summary.failed, len(world.queue), len(world.dead)) == (1, 3, 0, 3)
    reasons = {}
    while (dead := await world.dead.receive(0, 30)) is not None:
        reasons[dead.body] = world.dead.attributes(dead.message_id)
    assert {body: found["engine_code"] for body, found in reasons.items()} == {
        "in/gone.csv": "source-missing",
        "bad": "message-error",
        "bug": "internal-error",
    }
    assert reasons["in/gone.csv"]["engine_file"] == "in/gone.csv"
    assert reasons["in/gone.csv"]["engine_batch_id"] == "in-gone.cs"
    assert "engine_batch_id" not in reasons["bad"]
    assert "RuntimeError: a bug" in reasons["bug"]["engine_reason"]
    assert not world.destination.open_keys()


async def test_bytes_that_do_not_add_up_are_loud_and_for_good(world: Serving) -> None:
    """A store that loses a byte: the figures go to the log and to the dead-letter queue; nothing is visible."""
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)
    keep = world.destination._keep
    world.destination._keep = lambda upload_id, key, body: keep(upload_id, key, body[1:])  # type: ignore[method-assign]
    assert (await world.serve()).failed == 1
    dead = await world.dead.receive(0, 30)
    assert dead is not None
    attributes = world.dead.attributes(dead.message_id)
    assert attributes["engine_code"] == "conservation-error"
    assert "bytes" in attributes["engine_reason"]
    assert await keys(world.destination) == []


async def test_a_stalled_batch_gives_its_message_back(world: Serving) -> None:
    """When no byte has advanced for the time that is allowed, the batch is stopped and its message comes again."""
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)

    async def hang(call: Call) -> None:
        if call.operation == "piece":
            await asyncio.Event().wait()

    world.source.hook = hang
    queue = QueueSettings(url="http://queue", wait_s=1, visibility_s=30, stall_s=0.2)
    summary = await world.serve("once", settings=SETTINGS.model_copy(update={"queue": queue}))
    assert (summary.failed, len(world.queue), len(world.dead)) == (1, 1, 0)
    assert [error.code for error in world.watch.failed] == ["stalled"]
    assert world.queue.asked[0] == "receive"
    (given_back,) = world.queue.asked[1:]
    assert 300 <= int(given_back.removeprefix("extend ")) <= 600
    assert not world.destination.open_keys()


async def test_a_lost_lease_stops_the_batch_and_sends_nothing(world: Serving) -> None:
    """Told by the queue that the message is somebody else's, the service neither acknowledges nor gives back, leaves no
    output, and takes the next message."""
    names = await fill(world.source, 2)
    await world.queue.send(names[0])

    async def hang(call: Call) -> None:
        if call.operation == "piece" and call.key == names[0]:
            await asyncio.Event().wait()

    def refuse(what: str) -> None:
        if what == "extend 2":
            raise LeaseLost("no longer ours")

    world.source.hook, world.queue.before = hang, refuse
    queue = QueueSettings(url="http://queue", wait_s=1, visibility_s=2)
    summary = await world.serve("once", settings=SETTINGS.model_copy(update={"queue": queue}))
    assert (summary.committed, summary.failed) == (0, 1)
    assert world.queue.asked == ["receive", "extend 2"]
    assert [error.code for error in world.watch.failed] == ["lease-lost"]
    assert await keys(world.destination) == []
    assert not world.destination.open_keys()


async def test_whoever_is_beaten_sends_nothing(world: Serving) -> None:
    """Another attempt commits just before ours: its manifest stays, and our receive does not delete the message."""
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)
    theirs = b'{"batch_id":"in-0.csv","mapping_id":"m","mapping_sha256":"s","files":[],"attempt":"theirs"}'

    async def beat(call: Call) -> None:
        if call.operation == "put" and call.key.endswith("manifest.json") and not call.done:
            world.destination.hook = nothing
            await MemoryStore.put(world.destination, call.key, theirs)

    world.destination.hook = beat
    summary = await world.serve("once")
    assert (summary.failed, world.queue.asked) == (1, ["receive"])
    assert len(world.queue) == 1
    assert await world.destination.get(f"{name}/manifest.json") == theirs


async def test_an_outage_of_the_destination_stops_receiving(world: Serving) -> None:
    """While the destination is out, nothing is received until a probe of it works; then the other messages come, with
    their first receive, and nothing went to the dead-letter queue."""
    names = await fill(world.source, 3)
    for name in names:
        await world.queue.send(name)
    probes = 0

    async def out(call: Call) -> None:
        nonlocal probes
        if call.key.endswith("data/.probe") and call.operation == "begin" and not call.done:
            probes += 1
            if probes == 20:
                world.destination.hook = nothing
                return
            assert world.queue.asked[0] == "receive"
            assert world.queue.asked.count("receive") == 1
            assert world.queue.receives() == {names[0]: 1, names[1]: 0, names[2]: 0}
        if call.operation not in ("head", "list", "open_uploads"):
            raise Unavailable("down")

    world.destination.hook = out
    summary = await world.serve()
    assert (probes, summary.failed, summary.committed, len(world.dead)) == (20, 1, 2, 0)
    assert world.queue.receives() == {names[0]: 1}
    assert not world.destination.open_keys()


async def test_stop_during_an_outage_of_the_destination(world: Serving) -> None:
    """The wait ends, no further message is taken, and the one that failed stays given back."""
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)

    async def out(call: Call) -> None:
        if call.key.endswith("data/.probe"):
            world.stop.set()
            await asyncio.Event().wait()  # the probe itself hangs
        raise Unavailable("down")

    async def only_uploads(call: Call) -> None:
        if call.operation == "begin":
            await out(call)

    world.destination.hook = only_uploads
    summary = await world.serve("forever")
    assert (summary.failed, world.queue.receives()) == (1, {names[0]: 1, names[1]: 0})


async def test_a_failing_source_stops_nobody(world: Serving) -> None:
    """A client's side that is down is no outage of ours: that message waits, the next is taken at once."""
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)

    async def down(call: Call) -> None:
        if call.key == names[0]:
            raise TransientError("the client's store is down")

    world.source.hook = down
    summary = await world.serve()
    assert (summary.failed, summary.committed) == (1, 1)
    assert world.destination.count("begin", key=f"{names[0]}/data/.probe") == 0


@pytest.mark.parametrize("error", [Unavailable("the mapping store is down"), OwnAccessDenied("may not read it")])
async def test_an_outage_of_the_mapping_store_holds_the_message(world: Serving, error: EngineError) -> None:
    """Down or closed to us: the message in hand waits there, however often that takes, without another receive of it
    or of others, and is not dead-lettered."""
    names = await fill(world.source, 2)
    for name in names:
        await world.queue.send(name)
    failures = [error for _ in range(20)]

    async def out(delivery: Delivery) -> Batch:
        if failures:
            assert world.queue.asked == ["receive"]
            raise failures.pop()
        return await read(delivery)

    summary = await world.serve(read_message=out)
    assert (summary.committed, summary.failed, len(world.queue), failures) == (2, 0, 0, [])


async def test_waiting_for_the_mapping_store_is_no_stall(world: Serving) -> None:
    """Whose fault the wait is, is known: a lease that would be stalled by now goes on after each try."""
    delivery = Delivery("m", "r", "in/0.csv")
    lease = Lease(delivery, 3000, clock() - 2000, stall_s=1000)
    seen: list[bool] = []

    async def out(delivery: Delivery) -> Batch:
        seen.append(lease.ended() is None)
        if len(seen) == 1:
            raise Unavailable("the mapping store is down")
        return await read(delivery)

    await replace(world.service, read_message=out)._read(delivery, lease)
    assert seen == [False, True]


async def test_stop_during_an_outage_of_the_mapping_store(world: Serving) -> None:
    """The message in hand is given back at once."""
    await world.queue.send("in/0.csv")

    async def out(_: Delivery) -> Batch:
        world.stop.set()
        raise Unavailable("the mapping store is down")

    await world.serve("forever", read_message=out)
    assert world.queue.asked == ["receive", "extend 0"]


async def test_an_acknowledgement_outlasts_an_outage_of_the_queue(world: Serving) -> None:
    """A batch that is committed while the queue is down is acknowledged when the queue is back."""
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)
    failures = [Unavailable("down") for _ in range(5)]

    def fail(what: str) -> None:
        if what == "ack" and failures:
            raise failures.pop()

    world.queue.before = fail
    assert (await world.serve()).committed == 1
    assert world.queue.asked[:7] == ["receive"] + ["ack"] * 6
    assert len(world.queue) == 0


async def test_stop_while_the_queue_takes_no_acknowledgement(world: Serving) -> None:
    """The batch is committed: its message comes again and is found done, so nobody is kept from stopping."""
    (name,) = await fill(world.source, 1)
    await world.queue.send(name)

    def fail(what: str) -> None:
        if what == "ack":
            world.stop.set()
            raise Unavailable("down")

    world.queue.before = fail
    assert (await world.serve("forever")).committed == 1
    assert world.queue.asked == ["receive", "ack"]
    world.queue.before = lambda _: None
    world.stop.clear()
    (message,) = world.queue._messages.values()
    await world.queue.extend(Delivery(message.message_id, message.receipt or "", ""), 0)
    await world.serve()
    assert world.watch.committed == [False, True]
    assert len(world.queue) == 0
