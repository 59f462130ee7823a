"""Bytes that wait until there are enough of them to be worth a look."""

from __future__ import annotations

__all__ = ["Held"]


class Held:
    """Gathers pieces of any size.

    Args:
        chunk_bytes: not worth a look below so many bytes.
    """

    def __init__(self, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._pieces: list[bytes] = []
        self._size = 0  # bytes in _pieces
        self._enough = chunk_bytes

    def add(self, data: bytes) -> bool:
        """Takes the next bytes; says whether there are enough now."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size >= self._enough

    def take(self) -> bytes:
        """All of them. What is still of use after the look goes to :meth:`keep`."""
        return b"".join(self._pieces)

    def keep(self, data: bytes) -> None:
        """Holds ``data`` alone. Each look at a record that does not end takes twice as much: linear in total."""
        self._pieces = [data] if data else []
        self._size = len(data)
        self._enough = max(self._chunk_bytes, 2 * len(data))
