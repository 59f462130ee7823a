"""The proxy's own side: takes requests, has rules strike them, passes them on and answers, all on one loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.faults.answers import Answer, error, made, once
from tests.faults.operations import Call, called, speaks_in_bodies
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Alter, At, Cut, Delay, Do, Drip, Hold, Refuse, Replay, Rule, Substitute
from tests.faults.wire import BadHttp, Head, How, bodyless, delivered, end, interrupted, pieces, read_head, send, whole

__all__ = ["Relay"]

_HOP_BY_HOP: dict[str, str | None] = dict.fromkeys(
    ("Connection", "Keep-Alive", "Proxy-Connection", "Expect", "Upgrade")
)


class _Struck(Exception):
    """A rule ends the connection here."""

    def __init__(self, how: How) -> None:
        self.how = how


class _Client(asyncio.StreamReaderProtocol):
    """A client's connection, which tells when the client goes (or sends no more) even while nobody reads."""

    def __init__(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event], None]) -> None:
        self._gone = asyncio.Event()
        super().__init__(asyncio.StreamReader(), lambda reader, writer: serve(reader, writer, self._gone))

    def eof_received(self) -> bool | None:
        self._gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        super().connection_lost(exc)


class Relay:
    """Serves the clients of one proxy. A connection of a client is kept from request to request; each request goes
    upstream on a connection of its own, which is how moto has it anyway."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        upstream = urlsplit(proxy.upstream)
        self._address = upstream.hostname, upstream.port or 80
        self._tasks: set[asyncio.Task[None]] = set()

    def client(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Client(self._connected)

    async def aclose(self) -> None:
        """Ends all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        self._proxy.opened()
        task = asyncio.create_task(self._serve(reader, writer, gone))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # drained means sent
        how: How = "close"
        try:
            while (head := await read_head(reader)) is not None and await self._unless_gone(
                gone, self._exchange(head, reader, writer, gone)
            ):
                pass
        except _Struck as struck:
            how = struck.how
            await delivered(writer)
        except (BadHttp, ConnectionError):
            pass  # the client is gone, or upstream is, which the client sees as it would without a proxy
        except Exception as failure:  # noqa: BLE001 - told to the proxy's owner
            self._proxy.failed(failure)
        finally:
            end(writer, how)
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _unless_gone(self, gone: asyncio.Event, exchange: Awaitable[bool]) -> bool:
        """Awaits ``exchange``, and cancels it when the client goes."""
        task = asyncio.ensure_future(exchange)
        leaving = asyncio.create_task(gone.wait())
        try:
            await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
            return task.done() and task.result()
        finally:
            task.cancel()
            leaving.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)

    async def _exchange(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> bool:
        """Carries out one request; returns whether the connection can take another."""
        body = pieces(reader, head)
        if (head.get("expect") or "").lower() == "100-continue":
            body = _continued(body, writer)
        small = await whole(body) if speaks_in_bodies(head) else None
        call = called(head, small or b"")
        leases = self._proxy.leases
        call.stale = leases is not None and leases.stale(call)
        self._proxy.came(call)
        try:
            await self._carried_out(call, head, body if small is None else once(small), writer)
        except (asyncio.CancelledError, BadHttp, ConnectionError):
            call.aborted = gone.is_set() and not call.done
            raise
        finally:
            self._proxy.went(call)
        return (head.get("connection") or "").lower() != "close" and head.first.endswith("HTTP/1.1")

    async def _carried_out(
        self, call: Call, head: Head, body: AsyncIterator[bytes], writer: asyncio.StreamWriter
    ) -> None:
        rule = await self._rule_for(call)
        do = rule.do if rule else None
        if rule and isinstance(do, Refuse):
            await _thrown_away(body)
            rule.count_hit()
            await _give(writer, call, error(call, do.status, do.code, do.message), None)
            return
        if rule and (point := _point(do, "request")) is not None:
            if point == 0:
                await _strike(rule)
            else:
                body = interrupted(body, point, lambda: _strike(rule))
        if rule and isinstance(do, Replay):
            data = await whole(body)
            async with self._forwarded(call, head, once(data)) as first:
                await _thrown_away(first.body)
            body = once(data)
        async with self._forwarded(call, head, body) as answer:
            call.upstream = answer.status
            await _give(writer, call, await _changed(answer, call, rule), rule)

    async def _rule_for(self, call: Call) -> Rule | None:
        for rule in self._proxy.rules:
            if rule.strikes(call):
                call.faults.append(rule.name)
                if not isinstance(rule.do, Delay):
                    return rule
                rule.count_hit()
                await asyncio.sleep(rule.do.seconds)
        return None

    @asynccontextmanager
    async def _forwarded(self, call: Call, head: Head, body: AsyncIterator[bytes]) -> AsyncIterator[Answer]:
        """Sends the request on; gives the answer, whose body comes while the block runs."""
        leases = self._proxy.leases
        if leases is None or call.service != "sqs":
            async with self._upstream(call, head, body) as answer:
                yield answer
            return
        turned_away = leases.turned_away(call)
        if turned_away is not None:
            call.stale = leases.stale(call)  # it may have become so since the call came
            await _thrown_away(body)
            yield turned_away
            return
        sent = leases.now()
        async with self._upstream(call, head, body) as answer:
            data = await whole(answer.body or once(b""))
            if answer.status == 200:
                leases.learn(call, data, sent)
            yield Answer(_sized(answer.head, len(data)), once(data))

    @asynccontextmanager
    async def _upstream(self, call: Call, head: Head, body: AsyncIterator[bytes]) -> AsyncIterator[Answer]:
        reader, writer = await asyncio.open_connection(*self._address)
        writer.transport.set_write_buffer_limits(high=0)
        how: How = "reset"
        try:
            call.forwarded += 1
            with contextlib.suppress(ConnectionError):  # it may answer, and leave, before it has the whole body
                writer.write(head.with_fields(_HOP_BY_HOP | {"Connection": "close"}).encoded())
                await writer.drain()
                await send(writer, body, chunked=head.chunked())
            await _thrown_away(body)
            answered = await _final_head(reader)
            status = int(answered.first.split(" ")[1])
            told = answered.with_fields(_HOP_BY_HOP)
            if bodyless(call.method, status):
                yield Answer(told, None)
            else:
                if answered.get("content-length") is None:
                    told = told.with_fields({"Transfer-Encoding": "chunked"})
                yield Answer(told, pieces(reader, answered, unframed=True))
            how = "close"
        finally:
            end(writer, how)
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _final_head(reader: asyncio.StreamReader) -> Head:
    while True:
        head = await read_head(reader)
        if head is None:
            raise BadHttp("upstream ended the connection without an answer")
        if not head.first.split(" ")[1].startswith("1"):
            return head


async def _continued(body: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> AsyncIterator[bytes]:
    """``body``, asked for once somebody wants it."""
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await writer.drain()
    async for piece in body:
        yield piece


async def _thrown_away(body: AsyncIterator[bytes] | None) -> None:
    if body is not None:
        async for _ in body:
            pass


def _point(do: Do | None, at: At) -> int | None:
    """After which byte there the fault strikes, if it is one that strikes there."""
    return do.after if isinstance(do, Cut | Hold) and do.at == at else None


async def _strike(rule: Rule) -> None:
    """Does what a rule does at its byte."""
    rule.count_hit()
    if isinstance(rule.do, Cut):
        raise _Struck(rule.do.how)
    await rule.wait_released()


def _sized(head: Head, size: int) -> Head:
    return head.with_fields({"Content-Length": str(size), "Transfer-Encoding": None})


async def _changed(answer: Answer, call: Call, rule: Rule | None) -> Answer:
    """The answer as a rule wants it; itself where none does."""
    if rule is None:
        return answer
    do = rule.do
    if isinstance(do, Substitute):
        await _thrown_away(answer.body)
        answer = made(call, do.status, do.body, do.headers)
    elif isinstance(do, Alter):
        head, body = answer.head, answer.body
        if do.change is not None and body is not None:
            data = do.change(await whole(body))
            head, body = _sized(head, len(data)), once(data)
        answer = Answer(head.with_fields(do.headers), body)
    elif not isinstance(do, Replay):
        return answer
    rule.count_hit()
    return answer


async def _give(writer: asyncio.StreamWriter, call: Call, answer: Answer, rule: Rule | None) -> None:
    """Sends the client its answer, as far as a rule lets it."""
    head = answer.head.encoded()
    do = rule.do if rule else None
    if rule and (point := _point(do, "head")) is not None:
        writer.write(head[:point])
        await writer.drain()
        await _strike(rule)
        head = head[point:]
    call.status = answer.status
    writer.write(head)
    await writer.drain()
    body = answer.body or once(b"")
    if rule and isinstance(do, Drip):
        rule.count_hit()
        body = _dripping(body, do.bytes_per_s)
    if rule and (point := _point(do, "body")) is not None:
        body = interrupted(body, point, lambda: _strike(rule))
    await send(writer, _counted(body, call), chunked=answer.body is not None and answer.head.chunked())
    call.done = True  # a client that goes from here on has all
    if answer.body is not None and rule and isinstance(do, Alter) and "content-length" in map(str.lower, do.headers):
        raise _Struck("close")  # what follows a body of the wrong length is no answer


async def _counted(body: AsyncIterator[bytes], call: Call) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece
        call.passed += len(piece)


async def _dripping(body: AsyncIterator[bytes], bytes_per_s: float) -> AsyncIterator[bytes]:
    size = max(1, int(bytes_per_s / 10))
    async for piece in body:
        for start in range(0, len(piece), size):
            drop = piece[start : start + size]
            await asyncio.sleep(len(drop) / bytes_per_s)  # this is the fault itself
            yield drop
