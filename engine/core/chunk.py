"""A chunk of whole records, parsed: text columns, and the rows that could not become part of them."""

from __future__ import annotations

import itertools
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import mask_of
from engine.core.encodings import first_fault
from engine.core.framing import Frame
from engine.core.parsing import Aside, Shape, parse_records
from engine.core.rows import RowIndex
from engine.core.utf8 import is_utf8, with_filler

__all__ = ["BLANK", "Aside", "Chunk", "Shape", "parse_chunk"]

BLANK = "nothing on the line"
_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Parsed records.

    Attributes:
        frame: what they were parsed from.
        rows: how many rows there are, aside or not (blank rows only where the dialect counts them).
        columns: text columns by position, for the positions asked for; equal lengths.
        aside: the rows not in ``columns``, in order.
        usual: how many cells most rows had.
        index: where the rows stand, if that had to be worked out.
        row_bytes: how long the chunk's only row is, where ``frame`` has but its beginning.
    """

    frame: Frame
    rows: int
    columns: dict[int, pa.Array]
    aside: Sequence[Aside]
    usual: int
    index: RowIndex | None = None
    row_bytes: int | None = None

    @property
    def height(self) -> int:
        """The rows of ``columns``."""
        return self.rows - len(self.aside)

    def ordinals(self, rows: Iterable[int]) -> list[int]:
        """The ordinals of some rows of ``columns``."""
        before = [row.ordinal - place for place, row in enumerate(self.aside)]  # rows of the columns before each
        return [row + bisect_right(before, row) for row in rows]


def parse_chunk(frame: Frame, shape: Shape, usual: int) -> Chunk:
    """Parses whole records.

    Args:
        usual: how many cells most records are thought to have.
    """
    data, dialect = frame.data, frame.dialect
    if data[:1] in (b"", b"\n", b"\r") and not data.strip(b"\r\n"):
        height = frame.lines if dialect.blank_rows else 0
        aside = [Aside(row, "blank-row", BLANK) for row in range(height)]
        return Chunk(frame, height, {place: pa.array([], pa.string()) for place in shape.wanted}, aside, usual)
    text, bad = data, array("q")
    if not is_utf8(data):  # Arrow fails on a ragged row that is not
        bad, text = with_filler(data, dialect.filler)
    if frame.refused:
        text = _without_refused(text, frame)
    parsed = parse_records(text, dialect, shape, usual, lines=frame.lines if frame.proven else None)
    rows = parsed.height + len(parsed.aside)
    aside, columns, index = parsed.aside, parsed.columns, None
    blank = dialect.blank_rows and _blank_perhaps(data)
    if blank or bad or frame.refused:
        index = RowIndex(frame, rows)
        found = itertools.chain(
            (Aside(index.ordinal_at(line.start), line.code, line.message) for line in frame.refused),
            _blank(index, rows) if blank else (),
            _undecodable(bad, data, index, dialect.encoding),
        )
        aside, columns = _set_aside(found, aside, columns)
    return Chunk(frame, rows, columns, aside, parsed.usual, index)


def _without_refused(text: bytes, frame: Frame) -> bytes:
    """``text`` with nothing but filler on the lines that are no rows: the parser sees one row in each."""
    masked = bytearray(text)
    for line in frame.refused:
        end = frame.text_end(line.stop)
        masked[line.start : end] = frame.dialect.filler * (end - line.start)
    return bytes(masked)


def _set_aside(
    found: Iterator[Aside], aside: list[Aside], columns: dict[int, pa.Array]
) -> tuple[list[Aside], dict[int, pa.Array]]:
    """Adds rows to those aside, and takes them out of the columns. What is no row at all is not called ragged."""
    gone = sorted(row.ordinal for row in aside)
    reasons = {row.ordinal: row for row in aside}
    drop: list[int] = []
    for row in found:
        passed = bisect_left(gone, row.ordinal)
        if row.ordinal not in reasons:
            drop.append(row.ordinal - passed)
            reasons[row.ordinal] = row
        elif row.code != "encoding-error":
            reasons[row.ordinal] = row
    if not columns:  # the mapping has constants only
        return sorted(reasons.values()), columns
    height = len(next(iter(columns.values())))
    keep = pc.invert(mask_of(drop, height))
    return sorted(reasons.values()), {place: column.filter(keep) for place, column in columns.items()}


def _blank_perhaps(data: bytes) -> bool:
    return data.startswith((b"\n", b"\r")) or any(pair in data for pair in (b"\n\n", b"\n\r", b"\r\r"))


def _blank(index: RowIndex, rows: int) -> Iterator[Aside]:
    sources = index.sources(range(rows))
    return (Aside(ordinal, "blank-row", BLANK) for ordinal, source in enumerate(sources) if not source.raw)


def _undecodable(bad: Iterable[int], data: bytes, index: RowIndex, encoding: str) -> Iterator[Aside]:
    """The rows that hold bytes that are not UTF-8, in order, each once; the first such byte of each is named.

    Args:
        bad: the offsets of those bytes, in order.
    """
    last = end = -1
    for offset in bad:
        if offset < end:  # on the line of the one before, and so in its row
            continue
        found = _LINE_END.search(data, offset)
        end = found.start() if found else len(data)
        ordinal = index.ordinal_at(offset)
        if ordinal != last:
            last, row = ordinal, index.source(ordinal).raw
            yield Aside(ordinal, "encoding-error", first_fault(row, encoding)[1])
