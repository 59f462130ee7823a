"""A line that is longer than a record may be, read without being held."""

from __future__ import annotations

import pyarrow as pa

from engine.core.chunk import Aside, Chunk, Shape
from engine.core.dialect import Dialect
from engine.core.framing import Frame, unescaped
from engine.core.limits import TOO_LONG
from engine.core.lines import LINE_END, count_lines
from engine.core.rejects import RAW_BYTES

__all__ = ["EndlessLine"]


class EndlessLine:
    """Passes over a line to its end; keeps its beginning, for the reject record, and its length.

    Attributes:
        ended: whether its end has come.
    """

    def __init__(self, dialect: Dialect, row_bytes: int) -> None:
        self._dialect = dialect
        self._row_bytes = row_bytes
        self._beginning = b""
        self._length = 0
        self._lines = 0  # line ends in it, escaped ones too
        self.ended = False

    def feed(self, data: bytes, *, final: bool) -> bytes:
        """Takes the next bytes; gives back those after the line, or that cannot be judged without what follows them."""
        seen = unescaped(data, self._dialect)
        found = LINE_END.search(seen)
        if found is not None and (final or found.end() < len(seen) or not seen.endswith(b"\r")):
            stop, rest = found.span()
        else:
            stop = rest = len(data) - (0 if final else _undecided(data, seen, self._dialect))
        self.ended = final or rest > stop
        self._lines += count_lines(data[:rest])
        if len(self._beginning) <= RAW_BYTES:  # one more tells that it was cut
            self._beginning += data[: min(stop, RAW_BYTES + 1)]
        self._length += stop
        return data[rest:]

    def chunk(self, shape: Shape) -> Chunk:
        """The line as a chunk of one row, set aside."""
        data = self._beginning + b"\n"
        seen = self._dialect.filler * len(self._beginning) + b"\n"
        frame = Frame(self._dialect, data, seen, max(self._lines, 1), [], None, proven=False)
        columns = {place: pa.array([], pa.string()) for place in shape.wanted}
        aside = [Aside(0, "too-long", TOO_LONG % self._row_bytes)]
        return Chunk(frame, 1, columns, aside, shape.width, row_bytes=self._length)


def _undecided(data: bytes, seen: bytes, dialect: Dialect) -> int:
    """How many bytes at the end may mean something else with the next one: an escape, or half of a CRLF."""
    if data.endswith(b"\r"):
        return 1 if seen.endswith(b"\r") else 2  # with its escape
    return int(dialect.escape is not None and seen.endswith(dialect.escape.encode()))
