"""What Arrow's writers write to: bytes that are handed out as they come."""

from __future__ import annotations

__all__ = ["ByteSink"]


class ByteSink:
    """As much of a binary file, open for writing, as Arrow asks for. Holds what was written since the last take."""

    closed = False  # Arrow asks before every write; closing has nothing to do here, so it never is

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""

    def take(self) -> bytes:
        """Hands out what was written since it was last asked."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
