"""Bytes that wait until there are enough of them to be worth a look."""

from __future__ import annotations

__all__ = ["Held"]


class Held:
    """Gathers pieces of any size.

    Args:
        chunk_bytes: not worth a look below so many bytes.
        most: when so many are held, all that is still held after a look is too long to be of use.
    """

    def __init__(self, chunk_bytes: int, most: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0  # bytes in _pieces
        self._enough = chunk_bytes

    @property
    def size(self) -> int:
        """How many bytes are held."""
        return self._size

    def add(self, data: bytes) -> bool:
        """Takes the next bytes; says whether there are enough now."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size >= self._enough

    def hurry(self) -> None:
        """From now on nothing is too little to be worth a look."""
        self._chunk_bytes = self._enough = 1

    def take(self) -> bytes:
        """All of them, which are held no more. What is still of use after the look goes to :meth:`keep`."""
        taken, self._pieces, self._size = b"".join(self._pieces), [], 0
        return taken

    def take_lines(self) -> bytes:
        """All up to the last LF of the last piece, or all where that has none or a CR follows; the rest, which ends no
        line, stays held.

        What ends where a record is likely to end need not be copied to be cut there.
        """
        last = self._pieces[-1]
        end = last.rfind(b"\n") + 1
        if not end or end == len(last) or last.find(b"\r", end) >= 0:
            return self.take()
        taken = b"".join([*self._pieces[:-1], memoryview(last)[:end]])
        self._pieces, self._size = [last[end:]], len(last) - end
        return taken

    def keep(self, data: bytes) -> None:
        """Holds ``data``, in front of what is held. The next look at a record that does not end comes when there is
        twice as much, so that all looks together take linear time; or as soon as it must be too long."""
        if data:
            self._pieces.insert(0, data)
        self._size = size = self._size + len(data)
        more = self._most + 1 if size <= self._most else size + self._chunk_bytes
        self._enough = max(self._chunk_bytes, min(2 * size, more))
