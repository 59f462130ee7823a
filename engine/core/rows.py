"""Where the rows of a chunk stand in its bytes. Worked out only for chunks in which a row must be named."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.core.dialect import Dialect
from engine.core.framing import lone_returns, records

__all__ = ["RowIndex", "Source", "SourceRow"]


class Source(NamedTuple):
    """Where a row stands: its line in the chunk from 0, and its exact text without the line end."""

    line: int
    raw: bytes


class SourceRow(NamedTuple):
    """A row as its file has it: the file's name, the row's number and its line, both from 1, its exact text."""

    file: str
    row: int
    line: int
    raw: bytes


class RowIndex:
    """The ``rows`` rows of ``data``, by ordinal from 0; blank rows are rows where the dialect says so.

    Where no record spans lines, lines are records, and finding them is fast. That is so exactly when there are as many
    lines that are rows as rows: a record that spans lines would make them more.
    """

    def __init__(self, data: bytes, dialect: Dialect, rows: int) -> None:
        lines = io.BytesIO(data).readlines()  # a third of the cost of data.split
        if not lone_returns(data):
            places: Sequence[int] = range(len(lines))
            if len(lines) != rows and not dialect.blank_rows:
                places = [place for place, line in enumerate(lines) if line not in (b"\n", b"\r\n")]
            if len(places) == rows:
                self._data, self._lines, self._places = data, lines, places
                self._sources: list[Source] | None = None
                self._found = -1, -1  # the line that an offset was last found in: its start and its place
                return
        every = list(records(data, dialect))
        ends = [record.start for record in every[1:]] + [len(data)]
        spans = [(record, end) for record, end in zip(every, ends, strict=True) if record.cells or dialect.blank_rows]
        self._starts = [record.start for record, _ in spans]
        self._sources = [Source(record.line, _without_line_end(data[record.start : end])) for record, end in spans]

    def source(self, ordinal: int) -> Source:
        """The row's line and text."""
        (found,) = self.sources((ordinal,))
        return found

    def sources(self, ordinals: Iterable[int]) -> list[Source]:
        """The lines and texts of some rows."""
        if self._sources is not None:
            return [self._sources[ordinal] for ordinal in ordinals]
        lines, places = self._lines, [self._places[ordinal] for ordinal in ordinals]
        return [Source(place, lines[place].removesuffix(b"\n").removesuffix(b"\r")) for place in places]

    def ordinal_at(self, offset: int) -> int:
        """The row that the byte at ``offset`` is part of. To be asked for offsets in order."""
        if self._sources is not None:
            return bisect_right(self._starts, offset) - 1
        start = self._data.rfind(b"\n", 0, offset) + 1
        last, place = self._found
        if start != last:  # a line like it that came before has been found before
            end = self._data.find(b"\n", offset) + 1 or len(self._data)
            place = self._lines.index(self._data[start:end], place + 1)
            self._found = start, place
        return bisect_right(self._places, place) - 1


def _without_line_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")
