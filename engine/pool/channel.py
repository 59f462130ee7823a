"""Pickled frames over a socket pair between two event loops that trust each other."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["Channel", "Frame"]

_LENGTH = struct.Struct("!Q")

type Frame = tuple[Any, ...]


class Channel(asyncio.Protocol):
    """One end. Belongs to its loop's thread.

    Frames arrive whole and in order. ``received`` is called for each, ``lost`` once: when the other end has closed
    or its process is gone.
    """

    def __init__(self, received: Callable[[Frame], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._backlog: list[bytes] = []  # what was sent before the transport was there
        self._buffer = bytearray()
        self.closed = asyncio.Event()

    async def open(self, sock: socket.socket) -> None:
        """Takes over the socket."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def send(self, frame: Frame) -> None:
        """Sends as soon as the other end takes it; never blocks. What is sent to a lost end disappears.

        Raises:
            Exception: whatever pickling raises; nothing is sent then.
        """
        body = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        data = _LENGTH.pack(len(body)) + body
        if self._transport is None:
            self._backlog.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Closes after everything sent so far; ``closed`` is set then."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        for data in self._backlog:
            transport.write(data)
        self._backlog.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            frame = pickle.loads(memoryview(self._buffer)[_LENGTH.size : end].tobytes())  # noqa: S301  our own child
            del self._buffer[:end]
            self._received(frame)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self.closed.set()
        self._lost()
