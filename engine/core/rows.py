"""Where the rows of a chunk stand in its bytes. Worked out only for chunks in which a row must be named."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.core.framing import Frame
from engine.core.lines import lone_returns

if TYPE_CHECKING:
    from engine.core.places import Places

__all__ = ["RowIndex", "Source", "SourceRow"]


class Source(NamedTuple):
    """Where a row stands: its line in the chunk from 0, and its exact text without the line end."""

    line: int
    raw: bytes


class SourceRow(NamedTuple):
    """A row as its file has it: the file's name, the row's number and its line, both from 1, its exact text.

    ``encoding`` is the file's, of which ``raw`` is the UTF-8 form. ``raw_bytes`` is set where ``raw`` is only the row's
    beginning: the length of all of it.
    """

    file: str
    row: int
    line: int
    raw: bytes
    encoding: str = "utf-8"
    raw_bytes: int | None = None


class RowIndex:
    """The ``rows`` rows of a frame, by ordinal from 0; blank rows are rows where the dialect says so.

    Where no record spans lines, lines are records, and finding them is fast. Without escapes that is so exactly when
    there are as many lines that are not blank as rows: a record that spans lines has such a one at either end.
    """

    def __init__(self, frame: Frame, rows: int) -> None:
        data, blank_rows = frame.data, frame.dialect.blank_rows
        self._lines: list[bytes] | None = None
        self._data, self._text_end = data, frame.text_end
        self._starts: Sequence[int] | Places
        self._ends: Sequence[int] | Places
        self._at: Sequence[int] | Places
        places = frame.places(rows)
        if places is not None:
            self._starts, self._ends, self._at = places
            return
        if frame.seen is data and not lone_returns(data):
            lines = io.BytesIO(data).readlines()  # a third of the cost of data.split
            full: Sequence[int] = range(len(lines))
            if len(lines) != rows and not blank_rows:
                full = [place for place, line in enumerate(lines) if line not in (b"\n", b"\r\n")]
            if len(full) == rows:
                self._lines, self._places = lines, full
                self._found = -1, -1  # the line that an offset was last found in: its start and its place
                return
        from engine.core.places import line_ends

        self._starts, self._ends = frame.spans()
        self._at = line_ends(data).searchsorted(self._starts, side="right")  # the line of each

    def source(self, ordinal: int) -> Source:
        """The row's line and text."""
        (found,) = self.sources((ordinal,))
        return found

    def sources(self, ordinals: Iterable[int]) -> list[Source]:
        """The lines and texts of some rows."""
        if self._lines is None:
            return [
                Source(int(self._at[row]), self._data[self._starts[row] : self._text_end(int(self._ends[row]))])
                for row in ordinals
            ]
        lines, places = self._lines, [self._places[ordinal] for ordinal in ordinals]
        return [Source(place, _without_line_end(lines[place])) for place in places]

    def ordinal_at(self, offset: int) -> int:
        """The row that the byte at ``offset`` is part of. Fast where it is asked for offsets in order."""
        if self._lines is None:
            return bisect_right(self._starts, offset) - 1
        start = self._data.rfind(b"\n", 0, offset) + 1
        last, place = self._found
        if start < last:
            last, place = -1, -1
        if start != last:  # a line like it that came before has been found before
            end = self._data.find(b"\n", offset) + 1 or len(self._data)
            place = self._lines.index(self._data[start:end], place + 1)
            self._found = start, place
        return bisect_right(self._places, place) - 1


def _without_line_end(raw: bytes) -> bytes:
    return raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n").removesuffix(b"\r")
