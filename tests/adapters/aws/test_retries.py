"""Another try, and tenants that ask to be asked less."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from engine.adapters.aws import retries
from engine.adapters.aws.retries import Throttle, tried
from engine.adapters.aws.s3 import S3Store
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.errors import TransientError, Unavailable
from engine.ports import Credentials, PendingUpload
from tests.adapters.aws.test_failures import service
from tests.adapters.conftest import allowing
from tests.faults import LOSE_ANSWER, FaultProxy, Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

SETTINGS = StoreSettings(attempts=5, read_timeout_s=20)


@dataclasses.dataclass(slots=True)
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 0.0
    slept: list[float] = dataclasses.field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    clock = Clock()
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now)
        patch.setattr(asyncio, "sleep", clock.sleep)
        yield clock


def failing(*errors: Exception) -> tuple[Callable[[], Awaitable[str]], list[Exception]]:
    """A call that fails with these errors, in turn, and then succeeds."""
    left = list(errors)

    async def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call, left


async def test_tries_until_it_works(clock: Clock) -> None:
    """What may work next time is tried again, with pauses below a bound that doubles."""
    call, _ = failing(service("InternalError", 500), EndpointConnectionError(endpoint_url="x"), TimeoutError())
    assert await tried(call, 4, Throttle()) == "done"
    assert len(clock.slept) == 3
    assert all(0 <= slept <= 0.1 * 2**number for number, slept in enumerate(clock.slept, 1))


async def test_tries_no_more_than_told(clock: Clock) -> None:
    """After so many failures the last one is what is raised."""
    errors = [service("InternalError", 500), TimeoutError(), service("SlowDown", 503), service("InternalError", 500)]
    call, left = failing(*errors)
    with pytest.raises(ClientError, match="SlowDown"):
        await tried(call, 3, Throttle())
    assert left == errors[3:]


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey", "PreconditionFailed", "NoSuchUpload", "MalformedXML"])
async def test_what_is_final_is_not_tried_again(clock: Clock, code: str) -> None:
    """What another try cannot mend is raised at once."""
    call, _ = failing(service(code, 400))
    with pytest.raises(ClientError, match=code):
        await tried(call, 5, Throttle())
    assert clock.slept == []


async def test_no_failure_beyond_chance(clock: Clock) -> None:
    """Of calls that are refused with 503 three times in ten, five tries lose what chance says, 0.24 %, and no more."""
    chance = random.Random(7)
    throttle = Throttle()

    async def call() -> None:
        if chance.random() < 0.3:
            raise service("SlowDown", 503)

    lost = 0
    for _ in range(20_000):
        try:
            await tried(call, 5, throttle)
        except ClientError:
            lost += 1
    assert 48.6 - 4 * 7 < lost < 48.6 + 4 * 7  # four standard deviations


async def test_a_busy_tenant_gets_what_it_can_take(clock: Clock) -> None:
    """A tenant that takes twenty calls a second, and is wanted for more, is soon asked little more often than that, and
    hardly less."""
    throttle = Throttle()
    taken: list[float] = []
    answers: list[tuple[float, bool]] = []

    async def call() -> None:
        await asyncio.sleep(0.005)
        taken[:] = [at for at in taken if at > clock.now - 1]
        answers.append((clock.now, len(taken) < 20))
        if len(taken) >= 20:
            raise service("SlowDown", 503)
        taken.append(clock.now)

    while clock.now < 300:
        await throttle.turn()
        try:
            await call()
        except ClientError:
            throttle.slow_down()
        else:
            throttle.answered()
    good = sum(1 for at, fine in answers if at > 60 and fine) / 240
    bad = sum(1 for at, fine in answers if at > 60 and not fine) / 240
    assert 15 < good <= 20
    assert bad < 3


async def test_a_tenant_is_free_again(clock: Clock) -> None:
    """Once a tenant has stopped asking for less, calls are free again, after a time in which they speed up."""
    throttle = Throttle()
    for _ in range(50):
        throttle.slow_down()
        await asyncio.sleep(1)
    rates = [throttle.rate or 0.0]
    assert rates == [1]
    while rates[-1] and len(rates) < 100_000:
        await throttle.turn()
        throttle.answered()
        rates.append(throttle.rate or 0.0)
    assert rates.pop() == 0
    assert rates == sorted(rates)
    before = clock.now
    for _ in range(100):
        await throttle.turn()
    assert clock.now == before


async def test_calls_in_flight_are_one_reason(clock: Clock) -> None:
    """Many answers of one moment that ask for less cut the rate once."""
    throttle = Throttle()
    for _ in range(100):
        await throttle.turn()
    for _ in range(100):
        throttle.slow_down()
    assert throttle.rate == pytest.approx(70)
    await asyncio.sleep(1)
    throttle.slow_down()
    assert throttle.rate == pytest.approx(49)


async def test_cancelled_in_line() -> None:
    """Who is cancelled while waiting for a turn leaves the line to the others."""
    throttle = Throttle()
    throttle.slow_down()
    await throttle.turn()
    waiting = [asyncio.create_task(throttle.turn()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    for task in waiting[:2]:
        task.cancel()
    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, True, False]


@asynccontextmanager
async def tenants(
    aws: Aws, *rules: Rule, settings: StoreSettings = SETTINGS
) -> AsyncIterator[tuple[S3Store, S3Store, FaultProxy]]:
    """Two tenants with keys of their own, on one endpoint and so on one client."""
    with fault_proxy(aws.endpoint_url, *rules) as proxy:
        stores = StoresFactory(allowing(proxy.url, settings))()
        opened = []
        for name in ("acme", "bolt"):
            keys = Credentials(access_key_id=f"AKIA{name.upper()}", secret_access_key="made-up")
            location = dataclasses.replace(aws.location(aws.bucket(name)), endpoint_url=proxy.url, credentials=keys)
            store = await stores.open(location)
            assert isinstance(store, S3Store)
            opened.append(store)
        try:
            yield opened[0], opened[1], proxy
        finally:
            await stores.aclose()


async def test_one_tenants_throttling_is_its_own(aws: Aws) -> None:
    """While a tenant is told to slow down for ever, and many calls to it wait, another one's calls over the same client
    all go through, undelayed; then the waiting ones can be cancelled, and the tenant is served when it recovers."""
    rule = Rule(Match(bucket="acme-*"), Refuse(503))
    patient = dataclasses.replace(SETTINGS, attempts=1000)
    async with tenants(aws, rule, settings=patient) as (acme, bolt, proxy):
        assert acme._clients is bolt._clients
        waiting = [asyncio.create_task(acme.put(f"{number}", b"x")) for number in range(8)]
        await asyncio.to_thread(rule.wait_hit, 8)
        for number in range(100):
            await bolt.put(f"{number}", b"x")
        assert len(proxy.calls("PutObject")) - rule.hits >= 100
        throttles = acme._clients._throttles
        slowed, free = throttles[acme._endpoint], throttles[bolt._endpoint]
        assert slowed.rate is not None
        assert free.rate is None
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert all(task.cancelled() for task in waiting)
        proxy.remove(rule)
        assert await acme.put("later", b"x") is not None


async def test_a_third_of_all_calls_refused(aws: Aws, bucket: str) -> None:
    """With three in ten of all requests refused, an upload, a listing and reads go on without a failure, and each
    refusal costs one more request."""
    rule = Rule(Match(), Refuse(503), rate=0.3, seed=3)
    async with tenants(aws, rule) as (acme, _, proxy):
        upload = await acme.begin("a")
        await upload.write(b"x" * 1000)
        await acme.complete(await upload.finish())
        for _ in range(6):
            assert [info.key async for info in acme.list("")] == ["a"]
            assert await acme.get("a") == b"x" * 1000
        assert rule.hits > 3
        # create, part, complete (which the seed spares: it would be looked after), look, and twelve
        assert len(proxy.requests) == 16 + rule.hits


async def test_a_lost_answer_to_create(aws: Aws) -> None:
    """Begun twice because an answer was lost, an upload is completed once, and the other one is there to be swept."""
    rule = Rule(Match("CreateMultipartUpload"), LOSE_ANSWER, times=1)
    async with tenants(aws, rule) as (acme, _, _proxy):
        upload = await acme.begin("a")
        await upload.write(b"bytes")
        await acme.complete(await upload.finish())
        assert await acme.get("a") == b"bytes"
        [left] = [open_upload async for open_upload in acme.open_uploads("")]
        await acme.abort(PendingUpload(left.key, left.upload_id, ()))
        assert [open_upload async for open_upload in acme.open_uploads("")] == []
        assert await acme.get("a") == b"bytes"


@pytest.mark.parametrize("status", [429, 503])
async def test_whose_outage_it_is(aws: Aws, bucket: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's store that refuses every try is that file's trouble; ours, reached with our own keys, is an outage."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)
    settings = dataclasses.replace(SETTINGS, attempts=2)
    async with tenants(aws, Rule(Match(), Refuse(status, "SlowDown")), settings=settings) as (acme, _, proxy):
        with pytest.raises(TransientError) as raised:
            await acme.get("a")
        assert type(raised.value) is TransientError
        ours = S3Store(dataclasses.replace(aws.location(bucket), endpoint_url=proxy.url), acme._clients, settings)
        with pytest.raises(Unavailable):
            await ours.get("a")
