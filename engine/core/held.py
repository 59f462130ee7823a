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

    def add(self, data: bytes) -> bool:
        """Takes the next bytes; says whether there are enough now."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size >= self._enough

    def hurry(self) -> None:
        """From now on nothing is too little to be worth a look."""
        self._chunk_bytes = self._enough = 1

    def take(self) -> bytes:
        """All of them. What is still of use after the look goes to :meth:`keep`."""
        return b"".join(self._pieces)

    def keep(self, data: bytes) -> None:
        """Holds ``data`` alone. The next look at a record that does not end comes when there is twice as much, so that
        all looks together take linear time; or as soon as it must be too long."""
        self._pieces = [data] if data else []
        self._size = len(data)
        more = self._most + 1 if len(data) <= self._most else len(data) + self._chunk_bytes
        self._enough = max(self._chunk_bytes, min(2 * len(data), more))
