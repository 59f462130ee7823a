"""Frames over a real socket pair."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.pool.channel import Channel, Frame


class End:
    """A channel and what it was told."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.losses = 0
        self.got = asyncio.Event()
        self.channel = Channel(self._received, self._lost)

    def _received(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.got.set()

    def _lost(self) -> None:
        self.losses += 1

    async def until(self, count: int) -> None:
        while len(self.frames) < count:
            self.got.clear()
            await self.got.wait()


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[End, End]]:
    one, other = End(), End()
    for end, sock in zip((one, other), socket.socketpair(), strict=True):
        await end.channel.open(sock)
    try:
        yield one, other
    finally:
        for end in (one, other):
            end.channel.close()
            await end.channel.closed.wait()


async def test_frames_arrive_whole_and_in_order() -> None:
    """Small frames and one far larger than a socket's buffer arrive as sent, both ways."""
    frames: list[Frame] = [("a",), ("big", b"x" * 5_000_000), ("b", 1, None)]
    async with pair() as (one, other):
        for frame in frames:
            one.channel.send(frame)
            other.channel.send(frame)
        await asyncio.gather(one.until(3), other.until(3))
    assert one.frames == other.frames == frames


async def test_sent_before_it_was_open() -> None:
    """What is sent before the socket is taken over goes out first, in order."""
    one, other = End(), End()
    one.channel.send(("early", 1))
    one.channel.send(("early", 2))
    ours, theirs = socket.socketpair()
    await one.channel.open(ours)
    await other.channel.open(theirs)
    one.channel.send(("late", 3))
    await other.until(3)
    assert other.frames == [("early", 1), ("early", 2), ("late", 3)]
    for end in (one, other):
        end.channel.close()
        await end.channel.closed.wait()


async def test_close_sends_everything_first() -> None:
    """A closed channel delivers what was sent before, then both ends are told once."""
    async with pair() as (one, other):
        one.channel.send(("last", b"y" * 3_000_000))
        one.channel.close()
        await asyncio.gather(one.channel.closed.wait(), other.channel.closed.wait())
        assert [frame[0] for frame in other.frames] == ["last"]
        one.channel.send(("too late",))
        other.channel.send(("too late",))
    assert (one.losses, other.losses) == (1, 1)


async def test_what_does_not_pickle_is_not_sent() -> None:
    """A frame that cannot be pickled raises to the sender and leaves the channel as it was."""
    async with pair() as (one, other):
        with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
            one.channel.send((lambda: None,))
        one.channel.send(("next",))
        await other.until(1)
    assert other.frames == [("next",)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 30))
def test_any_split_of_the_stream_gives_the_same_frames(bodies: list[bytes], step: int) -> None:
    """However the bytes are cut on their way, the frames are the same."""
    sent: list[bytes] = []

    class Wire(asyncio.Transport):
        """Keeps what is written."""

        def write(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))

        def is_closing(self) -> bool:
            return False

    def nothing() -> None:
        pass

    sender = Channel(lambda _: None, nothing)
    sender.connection_made(Wire())
    for body in bodies:
        sender.send((body,))
    received: list[Frame] = []
    receiver = Channel(received.append, nothing)
    stream = b"".join(sent)
    for start in range(0, len(stream), step):
        receiver.data_received(stream[start : start + step])
    assert received == [(body,) for body in bodies]
