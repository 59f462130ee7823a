"""Where the rows of a chunk stand in its bytes. Worked out only for chunks in which a row must be named."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from engine.core.framing import Dialect, lone_returns, records

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

    Args:
        lines: what ``data`` split at each LF gives, if that is known.
    """

    def __init__(self, data: bytes, dialect: Dialect, rows: int, lines: Sequence[bytes] | None = None) -> None:
        self._starts: list[int] | None = None  # of the rows, where lines are not rows
        self._seen = 0, 0  # an offset, and the lines before it
        if not lone_returns(data):
            lines = data.split(b"\n") if lines is None else lines
            trailing = not lines[-1]  # what split gives after a last line end
            skipped = trailing if dialect.blank_rows else lines.count(b"") + lines.count(b"\r")
            if len(lines) - skipped == rows:
                self._data = data
                self._lines = lines
                self._places: range | list[int] = (
                    range(rows)
                    if skipped == trailing
                    else [place for place, line in enumerate(lines) if line not in (b"", b"\r")]
                )
                return
        every = list(records(data, dialect))
        ends = [record.start for record in every[1:]] + [len(data)]
        spans = [(record, end) for record, end in zip(every, ends, strict=True) if record.cells or dialect.blank_rows]
        self._starts = [record.start for record, _ in spans]
        self._sources = [Source(record.line, _without_line_end(data[record.start : end])) for record, end in spans]

    def source(self, ordinal: int) -> Source:
        """The row's line and text."""
        if self._starts is not None:
            return self._sources[ordinal]
        line = self._places[ordinal]
        return Source(line, self._lines[line].removesuffix(b"\r"))

    def ordinal_at(self, offset: int) -> int:
        """The row that the byte at ``offset`` is part of. For offsets in order: each looks on from the one before."""
        if self._starts is not None:
            return bisect_right(self._starts, offset) - 1
        start, lines = self._seen
        self._seen = offset, lines + self._data.count(b"\n", start, offset)
        return bisect_right(self._places, self._seen[1]) - 1


def _without_line_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")
