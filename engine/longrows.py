"""Room for long rows: memory that all pipelines of a process share, beyond what each has for itself.

A row that is longer than a chunk is held until it ends. Were every pipeline to hold one of ``limits.row_bytes`` at the
same time, that would be most of the memory there is; few files have one at all. So a pipeline asks before it holds more
than its own share, for as much as the longest row can take, and waits until others have given back what they had.

Nobody who waits holds any of it, and who holds some waits for no more: it is always given back, and no two pipelines
wait for each other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.errors import MemoryExceeded

__all__ = ["LongRows", "Room", "Seat"]


@dataclass(frozen=True, slots=True)
class Room:
    """How much text pipelines may hold, in bytes. Plain data: it crosses processes.

    Attributes:
        chunk, piece: what each may hold whatever others do: a chunk, and the piece that comes on top of it.
        row: what one may need beyond that for the longest row, which is held twice while it is looked at.
        total: what all of a process may hold beyond it, together.
    """

    chunk: int
    piece: int
    row: int
    total: int


class LongRows:
    """The shared memory. Worker threads ask on loops of their own: ``_lock`` guards all that changes.

    Args:
        room: None where nothing is counted.
    """

    def __init__(self, room: Room | None = None) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._free = 0 if room is None else room.total
        self._waiting: deque[_Waiter] = deque()  # in the order in which they came, which is that of their turns

    @contextmanager
    def seat(self) -> Iterator[Seat]:
        """For one pipeline. What it has taken is given back when the body is left."""
        seat = Seat(self, self._room)
        try:
            yield seat
        finally:
            seat.leave()

    async def take(self, size: int) -> None:
        """Waits for its turn and until ``size`` bytes are free, at most ``total``. Cancelled, it has taken nothing."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), size)
        with self._lock:
            self._waiting.append(waiter)
            self._grant()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            with self._lock:
                if waiter.granted:
                    self._free += size
                else:
                    self._waiting.remove(waiter)
                self._grant()
            raise

    def give(self, size: int) -> None:
        """Gives back what was taken. From any thread."""
        with self._lock:
            self._free += size
            self._grant()

    def _grant(self) -> None:
        """Lets go on whose turn it is. The lock is held."""
        while self._waiting and self._free >= self._waiting[0].size:
            waiter = self._waiting.popleft()
            try:
                waiter.loop.call_soon_threadsafe(_go_on, waiter.turn)
            except RuntimeError:  # its loop is closed: its worker has ended, and nobody waits
                continue
            waiter.granted = True
            self._free -= waiter.size


@dataclass(slots=True, eq=False)
class _Waiter:
    """A pipeline that waits. ``granted`` changes under the lock of :class:`LongRows`."""

    loop: asyncio.AbstractEventLoop
    turn: asyncio.Future[None]
    size: int
    granted: bool = False


def _go_on(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class Seat:
    """What one pipeline holds of the shared memory: nothing, or enough for a long row. Belongs to its loop."""

    def __init__(self, rows: LongRows, room: Room | None) -> None:
        self._rows = rows
        self._room = room
        self._taken = 0

    async def hold(self, size: int, *, row: int) -> None:
        """To be awaited before so many bytes of text are held; waits where they are more than the pipeline's own.

        Args:
            size: of what will be held, and not been converted.
            row: the data row that it begins with, for the error.

        Raises:
            MemoryExceeded: there is less than this in all of the shared memory.
        """
        room = self._room
        if room is None or size <= room.chunk + room.piece:
            self.leave()
            return
        if not self._taken:
            most = min(room.row, room.total)
            await self._rows.take(most)
            self._taken = most
        if self._taken < room.row and 2 * (size - room.piece) > room.chunk + self._taken:
            raise MemoryExceeded(
                f"the row goes on beyond {size:,} bytes, for which there is no memory: give the engine more, or lower"
                " pool.pipelines, pool.workers or limits.row_bytes",
                row=row,
            )

    def leave(self) -> None:
        """Gives back what the last long row took."""
        if self._taken:
            taken, self._taken = self._taken, 0
            self._rows.give(taken)
