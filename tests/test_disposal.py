"""A message is deleted only when its outcome is safe, and nothing is sent with a receipt past its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from engine.adapters.memory_queue import MemoryQueue
from engine.config import FailureSettings
from engine.disposal import Disposal
from engine.errors import (
    AccessDenied,
    AlreadyCommitted,
    BatchFailed,
    BudgetExceeded,
    ConfigError,
    ConservationError,
    EngineError,
    LeaseCeiling,
    LeaseLost,
    MessageError,
    ShuttingDown,
    SourceMissing,
    Stalled,
    TransientError,
    Unavailable,
)
from engine.lease import Lease, clock
from engine.ports import Delivery


class Spy(MemoryQueue):
    """Notes what it is asked to do, in a log that may be shared, and fails as the test says."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__()
        self.name, self.log = name, log
        self.failures: dict[str, list[EngineError]] = {}
        self.closed = False

    def _ask(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        failures = self.failures.get(what.split(maxsplit=1)[0], [])
        if failures:
            raise failures.pop(0)

    async def ack(self, delivery: Delivery) -> None:
        self._ask("ack")
        await super().ack(delivery)

    async def extend(self, delivery: Delivery, visibility_s: int) -> None:
        self._ask(f"extend {visibility_s}")
        await super().extend(delivery, visibility_s)

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        self._ask("send")
        return await super().send(body, attributes=attributes, group=group)

    async def aclose(self) -> None:
        self.closed = True


class World:
    def __init__(self, *, dead_letters: bool = True, **failure: object) -> None:
        self.log: list[str] = []
        self.queue, self.dead = Spy("queue", self.log), Spy("dead", self.log)
        self.stop = asyncio.Event()
        self.opened = 0
        self.opens: EngineError | None = None
        settings = FailureSettings.model_validate({"backoff_s": (10, 900), **failure})
        self.disposal = Disposal(self.queue, self._open if dead_letters else None, settings, self.stop)

    async def _open(self) -> Spy:
        self.opened += 1
        if self.opens is not None:
            raise self.opens
        return self.dead

    async def receive(self, visibility_s: int = 30, *, age_s: float = 0, body: str = "the body") -> Lease:
        """A message that was received so long ago."""
        await self.queue.send(body)
        delivery = await self.queue.receive(0, visibility_s)
        assert delivery is not None
        self.log.clear()
        return Lease(delivery, visibility_s, clock() - age_s)


PERMANENT = BatchFailed("b1", [BudgetExceeded("too many", file="a.csv"), TransientError("reset", file="b.csv")])


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits for real; the pauses that were asked for."""
    asked: list[float] = []

    async def at_once(seconds: float, stop: asyncio.Event) -> None:
        asked.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("engine.disposal.pause", at_once)
    return asked


async def test_a_permanent_failure_is_set_aside_and_only_then_deleted() -> None:
    """The dead-letter queue gets the body unchanged with the reasons beside it; the message is deleted after that."""
    world = World()
    lease = await world.receive()
    await world.disposal.failed(lease, PERMANENT, "b1")
    assert world.log == ["dead send", "queue ack"]
    assert len(world.queue) == 0
    dead = await world.dead.receive(0, 30)
    assert dead is not None
    assert dead.body == "the body"
    attributes = world.dead.attributes(dead.message_id)
    assert attributes["engine_code"] == "budget-exceeded"
    assert attributes["engine_batch_id"] == "b1"
    assert attributes["engine_file"] == "a.csv"
    assert attributes["engine_message_id"] == lease.delivery.message_id
    assert attributes["engine_receive_count"] == "1"
    assert "too many" in attributes["engine_reason"]


@pytest.mark.parametrize(
    "error",
    [MessageError("no message"), SourceMissing("gone"), AccessDenied("no"), ConservationError("9 bytes, not 8"),
     EngineError("internal error: KeyError: 'a'")],
)  # fmt: skip
async def test_whatever_will_not_pass_is_set_aside(error: EngineError) -> None:
    """Also a message that could not be read so far as to name its batch, and bytes that do not add up."""
    world = World()
    await world.disposal.failed(await world.receive(), error, None)
    assert world.log == ["dead send", "queue ack"]
    dead = await world.dead.receive(0, 30)
    assert dead is not None
    assert world.dead.attributes(dead.message_id)["engine_code"] == error.code


async def test_the_client_of_the_dead_letter_queue_is_made_once_and_closed() -> None:
    """Made when it is needed first; closed with the disposal, which leaves the queue itself to its owner."""
    world = World()
    await world.disposal.failed(await world.receive(), TransientError("reset"), "b1")
    assert world.opened == 0
    for _ in range(2):
        await world.disposal.failed(await world.receive(), PERMANENT, "b1")
    await world.disposal.aclose()
    assert (world.opened, world.dead.closed, world.queue.closed) == (1, True, False)
    await World().disposal.aclose()


@pytest.mark.parametrize("error", [Unavailable("down"), ConfigError("no such queue"), AccessDenied("no")])
@pytest.mark.parametrize("when", ["open", "send"])
async def test_what_cannot_be_set_aside_is_given_back(error: EngineError, when: str) -> None:
    """A dead-letter queue that refuses, or is not there, costs no message: it is not deleted, and comes again."""
    world = World()
    world.opens = error if when == "open" else None
    world.dead.failures = {"send": [error]}
    lease = await world.receive()
    await world.disposal.failed(lease, PERMANENT, "b1")
    sent = ["dead send"] if when == "send" else []
    assert [line.rpartition(" ")[0] if "extend" in line else line for line in world.log] == [*sent, "queue extend"]
    assert (len(world.queue), len(world.dead)) == (1, 0)


async def test_without_a_dead_letter_queue_of_ours_the_message_is_given_back() -> None:
    """SQS's own redrive policy may set it aside, after as many receives as it says."""
    world = World(dead_letters=False)
    await world.disposal.failed(await world.receive(), PERMANENT, "b1")
    (asked,) = world.log
    assert asked.startswith("queue extend ")
    assert len(world.queue) == 1


@pytest.mark.parametrize(("policy", "expected"), [("ack", "queue ack"), ("retry", "queue extend")])
async def test_policies(policy: str, expected: str) -> None:
    """An operator may want permanent failures deleted, or tried again; neither touches the dead-letter queue."""
    world = World(permanent=policy)
    await world.disposal.failed(await world.receive(), PERMANENT, "b1")
    assert len(world.log) == 1
    assert world.log[0].startswith(expected)
    assert world.opened == 0


@pytest.mark.parametrize(
    "error", [TransientError("reset"), Unavailable("down"), Stalled("still"), LeaseCeiling("12 h")]
)
async def test_what_may_pass_is_given_back_later_and_later(error: EngineError) -> None:
    """The delay doubles with each receive, from half of the first to no more than the longest; never deleted."""
    world = World()
    for count, longest in ((1, 10), (2, 20), (3, 40), (7, 640), (8, 900), (40, 900), (5000, 900)):
        seen = set()
        for _ in range(20):
            lease = await world.receive()
            delivery = Delivery(lease.delivery.message_id, lease.delivery.receipt, "", count)
            await world.disposal.failed(Lease(delivery, 30, clock()), error, "b1")
            (asked,) = world.log
            seen.add(int(asked.removeprefix("queue extend ")))
        assert longest / 2 <= min(seen) <= max(seen) <= longest
        assert len(seen) > 1  # at random, so that messages that failed together do not come together


async def test_an_outage_is_no_reason_to_give_a_message_up() -> None:
    """A failure of our own side is given back, whatever its class."""
    world = World()
    await world.disposal.failed(await world.receive(), PERMANENT, "b1", outage=True)
    assert [line.split()[1] for line in world.log] == ["extend"]


async def test_shutdown_makes_the_message_visible_at_once() -> None:
    """Another worker may go on with it without a pause."""
    world = World()
    await world.disposal.failed(await world.receive(), ShuttingDown("stop"), "b1")
    assert world.log == ["queue extend 0"]
    assert (await world.queue.receive(0, 30)) is not None


@pytest.mark.parametrize("error", [LeaseLost("lost"), AlreadyCommitted("beaten")])
async def test_a_lost_lease_sends_nothing(error: EngineError) -> None:
    """Neither an acknowledgement nor a visibility: the message may be somebody else's."""
    for failure in (error, BatchFailed("b1", [SourceMissing("gone"), error])):
        world = World()
        await world.disposal.failed(await world.receive(), failure, "b1")
        assert world.log == []


@pytest.mark.parametrize("how", ["past", "refused"])
@pytest.mark.parametrize("error", [TransientError("reset"), PERMANENT, ShuttingDown("stop")])
@pytest.mark.parametrize("policy", ["dead_letter", "ack", "retry"])
async def test_a_stale_lease_sends_nothing(how: str, error: EngineError, policy: str) -> None:
    """Past its deadline, or refused by the queue, a receipt is used for nothing, and nothing is set aside."""
    world = World(permanent=policy)
    lease = await world.receive(age_s=31 if how == "past" else 0)
    if how == "refused":
        lease.refused = LeaseLost("refused")
    await world.disposal.failed(lease, error, "b1")
    assert not await world.disposal.acknowledge(lease)
    assert world.log == []


async def test_little_time_left_is_not_enough_to_set_aside() -> None:
    """A message that could come to somebody else while it is being set aside is given back instead."""
    world = World()
    await world.disposal.failed(await world.receive(300, age_s=275), PERMANENT, "b1")
    assert [line.split()[1] for line in world.log] == ["extend"]


async def test_an_acknowledgement_is_tried_while_the_lease_lasts(pauses: list[float]) -> None:
    """A queue that cannot be reached is asked again, at growing pauses, until it answers."""
    world = World()
    world.queue.failures = {"ack": [TransientError("down"), Unavailable("down")]}
    assert await world.disposal.acknowledge(await world.receive())
    assert world.log == ["queue ack"] * 3
    assert len(world.queue) == 0
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2


@pytest.mark.parametrize("why", ["time", "refused", "stop", "for good"])
async def test_an_acknowledgement_is_given_up(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lease is over, the queue says for good that it will not, or we are told to stop: the message comes
    again, and is found done."""
    world = World()
    lease = await world.receive()

    class Asked(TransientError):
        """What happens while the queue is asked."""

        def __init__(self) -> None:
            super().__init__("down")
            if why == "time":
                lease.renewed(clock() - 31, 30)
            if why == "refused":
                lease.refused = LeaseLost("refused")
            if why == "stop":
                world.stop.set()

    class Down(list[EngineError]):
        def pop(self, *_: object) -> EngineError:
            return AccessDenied("no") if why == "for good" else Asked()

    world.queue.failures = {"ack": Down([TransientError("down")])}
    assert not await world.disposal.acknowledge(lease)
    assert world.log == ["queue ack"]
    assert len(world.queue) == 1


async def test_giving_back_stops_the_extensions_first() -> None:
    """The heartbeat must not lengthen what was just shortened; a queue that is down does not raise."""
    world = World()
    lease = await world.receive()
    seen: list[bool] = []
    extend = world.queue.extend

    async def look(delivery: Delivery, visibility_s: int) -> None:
        seen.append(lease.given_back)
        await extend(delivery, visibility_s)

    world.queue.extend = look  # type: ignore[method-assign]
    world.queue.failures = {"extend": [Unavailable("down")]}
    await world.disposal.give_back(lease, 0)
    assert seen == [True]


@pytest.mark.parametrize("what", ["ack", "extend", "send"])
async def test_a_queue_that_hangs_does_not_hold_up_a_stop(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop, a call that is not answered is given up soon; the message is still there."""
    monkeypatch.setattr("engine.disposal._LAST_CALL_S", 0.01)
    world = World()
    lease = await world.receive(visibility_s=300)
    hung = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        hung.set()
        await asyncio.Event().wait()

    setattr(world.dead if what == "send" else world.queue, what, hang)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ack": lambda: world.disposal.acknowledge(lease),
        "extend": lambda: world.disposal.give_back(lease, 0),
        "send": lambda: world.disposal.failed(lease, PERMANENT, "b1"),
    }
    waiting = asyncio.ensure_future(calls[what]())
    await hung.wait()
    world.stop.set()
    await waiting
    assert (len(world.queue), len(world.dead)) == (1, 0)
    assert [line.split()[1] for line in world.log] == (["extend"] if what == "send" else [])
