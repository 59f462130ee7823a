"""How many rows are converted together, so that what they become is held within bounds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["CHUNK_ROWS", "Portion"]

CHUNK_ROWS = 32_768  # what becomes of a tiny row is far larger than it


@dataclass(frozen=True, slots=True)
class Portion:
    """The most that is taken together.

    Attributes:
        rows: so many.
        size: bytes of their text, though a row may be longer alone; None: any.
    """

    rows: int = CHUNK_ROWS
    size: int | None = None

    def stops(self, ends: Sequence[int]) -> Iterator[int]:
        """Cuts rows, given by the places at which they end, into portions: how many rows come before each cut, the last
        of all included."""
        first = start = 0
        while first < len(ends):
            stop = first + self.rows
            if self.size is not None:
                stop = min(stop, max(bisect_right(ends, start + self.size, first), first + 1))
            first = min(stop, len(ends))
            start = ends[first - 1]
            yield first
